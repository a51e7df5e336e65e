"""The resource policies of a Backup, which decide the fate of volumes' data.

They are YAML in a ConfigMap beside the Backup, named by `spec.resourcePolicy`. The first policy
whose conditions all hold decides about a volume.

Not evaluated are `namespacedFilterPolicies` and `clusterScopedFilterPolicy`, which filter objects
by name and label.

Source: internal/resourcepolicies of Velero v1.18.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

from stillpoint.model import item as it
from stillpoint.model import quantity
from stillpoint.model.errors import MalformedItem, Refusal, excerpt
from stillpoint.model.item import Item
from stillpoint.velero.volumes import snapshotter

_FINE_FILTERS = ("clusterScopedFilterPolicy", "namespacedFilterPolicies")
_FIELDS = ("version", "volumePolicies", "includeExcludePolicy", *_FINE_FILTERS)


class Fate(StrEnum):
    """The fate of a volume's data."""

    SKIP = "skip"
    FILE_SYSTEM = "fs-backup"
    SNAPSHOT = "snapshot"
    CUSTOM = "custom"
    """Another plugin takes the data."""
    OWN = "stillpoint"
    """This plugin takes a snapshot."""

    @property
    def is_snapshot(self) -> bool:
        """True if the data is taken by a CSI snapshot, and restored from one by Velero."""
        return self in (Fate.SNAPSHOT, Fate.OWN)


_ACTIONS = (Fate.SKIP, Fate.FILE_SYSTEM, Fate.SNAPSHOT, Fate.CUSTOM)
"""The types of a policy's action."""

Condition: TypeAlias = Callable[[Item, Item], bool]
"""A condition of a policy, on a claim and its PersistentVolume, which may be empty."""


@dataclass(frozen=True, slots=True)
class VolumePolicy:
    """The fate of the volumes that meet every condition.

    Attributes:
        is_grouped: true if the disks of a guest are to be one group snapshot.
        source: the ConfigMap of the policy, for errors.
        fault: the field and cause by which its parameters for this plugin, of which Velero knows
            nothing, cannot be obeyed; else empty.
    """

    conditions: tuple[Condition, ...]
    fate: Fate
    is_grouped: bool = False
    source: str = ""
    fault: str = ""

    def matches(self, claim: Item, volume: Item) -> bool:
        """True if the policy decides about this volume."""
        return all(condition(claim, volume) for condition in self.conditions)

    def check(self) -> None:
        """Checks the policy's parameters for this plugin.

        Raises:
            Refusal: they cannot be obeyed.
        """
        if self.fault:
            raise Refusal(self.source, "cannot obey the policies", self.fault)


@dataclass(frozen=True, slots=True)
class Policy:
    """The policies of a ConfigMap.

    Attributes:
        lists: resources to include or exclude besides the Backup's, by the names of the Backup's
            own fields.
        has_other_filters: true with filters that are not followed here: by names and labels of
            objects.
    """

    volumes: tuple[VolumePolicy, ...] = ()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    has_other_filters: bool = False

    @classmethod
    def parse(cls, config_map: Item) -> "Policy":
        """Parses the policies; Velero refuses the backup where this refuses them.

        Parameters for this plugin that cannot be obeyed are refused when a volume meets them.

        Raises:
            Refusal: the policies are invalid.
        """
        source = it.describe(config_map)
        try:
            return _parse(_text(config_map), source)
        except (ValueError, MalformedItem) as error:
            cause = getattr(error, "cause", None) or " ".join(str(error).split())
            raise Refusal(source, "cannot read the policies", cause) from error

    @classmethod
    def of_document(cls, document: Item, source: str) -> "Policy":
        """The policies as Velero writes them down.

        Args:
            source: the ConfigMap of the document, for errors.

        Raises:
            ValueError, MalformedItem: the policies are invalid.
        """
        if document.get("version") != "v1":
            raise ValueError(f"version is {excerpt(document.get('version'))}, not 'v1'")
        _check_known(document, _FIELDS, "field")
        policies = it.sequence(document, "volumePolicies")
        lists = it.mapping(document, "includeExcludePolicy")
        return cls(
            tuple(_volume_policy(*each, source) for each in enumerate(policies)),
            {name: tuple(it.texts(lists, name)) for name in lists},
            any(document.get(name) for name in _FINE_FILTERS),
        )

    def with_fallback(self, other: "Policy") -> "Policy":
        """These policies, and for volumes that meet none of them the volume policies of `other`."""
        return replace(self, volumes=(*self.volumes, *other.volumes))

    @property
    def asks_for_groups(self) -> bool:
        """True if some policy wants group snapshots."""
        return any(each.is_grouped for each in self.volumes)

    def matching(self, claim: Item, volume: Item) -> VolumePolicy | None:
        """The policy that decides about a volume; None if none matches.

        Args:
            volume: the PersistentVolume of the claim; empty if not bound.

        Raises:
            Refusal: the plugin is to take a snapshot, and its parameters cannot be obeyed.
        """
        found = next((each for each in self.volumes if each.matches(claim, volume)), None)
        if found and found.fate is Fate.OWN:
            found.check()
        return found

    def check(self) -> None:
        """Checks all parameters for this plugin.

        Raises:
            Refusal: some cannot be obeyed.
        """
        for each in self.volumes:
            each.check()


def drivers(config_map: Item) -> Sequence[str]:
    """The CSI drivers of policies, which Velero compares letter by letter; empty for all.

    Raises:
        ValueError, MalformedItem: the policies are invalid, see `Policy.parse`.
    """
    policies = it.sequence(_document(_text(config_map)), "volumePolicies")
    conditions = [it.mapping(one, "conditions") for one in policies]
    return [it.text(one, "csi", "driver") for one in conditions if "csi" in one]


def _text(config_map: Item) -> str:
    data = it.mapping(config_map, "data")
    if len(data) != 1:
        raise ValueError(f"data has {len(data)} keys, not one")
    return it.text(data, *data)


@lru_cache(maxsize=8)  # once for each machine of a backup
def _parse(text: str, source: str) -> Policy:
    return Policy.of_document(_document(text), source)


def _document(text: str) -> Item:
    import yaml  # noqa: PLC0415 - 10 ms of every start, for the few backups that have policies

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(document, dict):
        raise ValueError("no YAML mapping")  # noqa: TRY004 - handled with what else is wrong
    return document


def _volume_policy(number: int, policy: Item, source: str) -> VolumePolicy:
    _check_known(policy, ("conditions", "action"), "field")
    action = it.mapping(policy, "action")
    _check_known(action, ("type", "parameters"), "field of action")
    kind, parameters = it.text(action, "type"), it.mapping(action, "parameters")
    if kind not in _ACTIONS:
        raise ValueError(f"{excerpt(kind)} is no type of action: there are {', '.join(_ACTIONS)}")
    is_own = snapshotter.is_asked_for(kind, parameters)
    fault = snapshotter.fault(kind, parameters)
    return VolumePolicy(
        tuple(_conditions(policy)),
        Fate.OWN if is_own else Fate(kind),
        is_grouped=is_own and parameters.get(snapshotter.GROUP) is True,
        source=source,
        fault=f"volumePolicies[{number}].action.parameters: {fault}" if fault else "",
    )


def _conditions(policy: Item) -> Iterator[Condition]:
    conditions = it.mapping(policy, "conditions")
    _check_known(conditions, _CONDITIONS, "condition")
    for name, wanted in conditions.items():
        if wanted is None and name in _NEVER_NULL:
            raise ValueError(f"{name} is null")
        if wanted is not None:
            yield _CONDITIONS[name](conditions, wanted)


def _capacity(conditions: Item, wanted: str) -> Condition:
    bounds = it.text(conditions, "capacity").split(",") if wanted else ["", ""]
    if len(bounds) != 2:
        raise ValueError(f"capacity is {wanted!r}, not two bounds with a comma between")
    low, high = (quantity.parse(bound.strip()) if bound.strip() else Decimal() for bound in bounds)
    if high < low and not (low and not high):
        raise ValueError(f"capacity is {wanted!r}: its bounds are in the wrong order")

    def is_within(_claim: Item, volume: Item) -> bool:
        size = quantity.parse(it.text(volume, "spec", "capacity", "storage") or "0")
        return (
            (not low and size <= high)
            or (not high and low <= size)
            or (bool(low and high) and low <= size <= high)
        )

    return is_within


def _storage_class(conditions: Item, _wanted: Any) -> Condition:
    wanted = it.texts(conditions, "storageClass")
    return lambda _claim, volume: (
        not wanted or (it.text(volume, "spec", "storageClassName") or None) in wanted
    )


def _nfs(conditions: Item, _wanted: Any) -> Condition:
    wanted = {name: it.text(conditions, "nfs", name) for name in it.mapping(conditions, "nfs")}
    _check_known(wanted, {"server", "path"}, "field of nfs")

    def is_from(_claim: Item, volume: Item) -> bool:
        share = it.mapping(volume, "spec").get("nfs")
        return share is not None and all(
            it.text(share, name) == value for name, value in wanted.items() if value
        )

    return is_from


def _csi(conditions: Item, _wanted: Any) -> Condition:
    wanted = it.mapping(conditions, "csi")
    _check_known(wanted, {"driver", "volumeAttributes"}, "field of csi")
    driver, attributes = it.text(wanted, "driver"), it.mapping(wanted, "volumeAttributes")
    if not driver and "volumeAttributes" in wanted and wanted["volumeAttributes"] is not None:
        raise ValueError("csi names volumeAttributes, but no driver")

    def is_of(_claim: Item, volume: Item) -> bool:
        source = it.mapping(volume, "spec").get("csi")
        if source is None or not driver:
            return source is not None
        found = it.mapping(source, "volumeAttributes")
        return (
            it.text(source, "driver") == driver
            and all(found.get(name, "") == _scalar(value) for name, value in attributes.items())
            and bool(found or not attributes)
        )

    return is_of


def _volume_types(conditions: Item, _wanted: Any) -> Condition:
    wanted = it.texts(conditions, "volumeTypes")
    return lambda _claim, volume: not wanted or _volume_type(volume) in wanted


def _labels(conditions: Item, _wanted: Any) -> Condition:
    wanted = {name: _scalar(value) for name, value in it.mapping(conditions, "pvcLabels").items()}
    return lambda claim, _volume: wanted.items() <= it.labels(claim).items()


def _phase(conditions: Item, _wanted: Any) -> Condition:
    wanted = it.texts(conditions, "pvcPhase")
    return lambda claim, _volume: (
        not wanted or (it.text(claim, "status", "phase") or None) in wanted
    )


def _volume_mode(conditions: Item, _wanted: Any) -> Condition:
    wanted = it.text(conditions, "pvcVolumeMode")
    return lambda claim, _volume: not wanted or it.text(claim, "spec", "volumeMode") == wanted


def _access_modes(conditions: Item, _wanted: Any) -> Condition:
    wanted = it.texts(conditions, "pvcAccessModes")

    def has_just(claim: Item, _volume: Item) -> bool:
        found = it.texts(claim, "spec", "accessModes")
        return not wanted or (len(found) == len(wanted) and set(found) == set(wanted))

    return has_just


_CONDITIONS: Mapping[str, Callable[[Item, Any], Condition]] = {
    "capacity": _capacity,
    "storageClass": _storage_class,
    "nfs": _nfs,
    "csi": _csi,
    "volumeTypes": _volume_types,
    "pvcLabels": _labels,
    "pvcPhase": _phase,
    "pvcVolumeMode": _volume_mode,
    "pvcAccessModes": _access_modes,
}

_NEVER_NULL = ("pvcLabels", "pvcVolumeMode", "pvcAccessModes")

_VOLUME_TYPES = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flocker",
    "flexVolume", "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs",
    "photonPersistentDisk", "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos",
    "vsphereVolume",
)  # fmt: skip
_VOLUME_TYPE_NAMES = {"storageos": "storageOS"}


def _volume_type(volume: Item) -> str:
    """The kind of a PersistentVolume: the field that says where the bytes are."""
    specification = it.mapping(volume, "spec")
    found = next((name for name in _VOLUME_TYPES if specification.get(name) is not None), "")
    return _VOLUME_TYPE_NAMES.get(found, found)


def _scalar(value: Any) -> str:
    """The value as a string, which YAML lets a person write without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_known(found: Collection[str], known: Collection[str], what: str) -> None:
    for name in found:
        if name not in known:
            raise ValueError(f"{name!r} is no {what}: there are {', '.join(sorted(known))}")
