"""Velero's Backup and Restore, parsed once at the edge.

Source: the CRDs of velero.io/v1 as of Velero v1.18.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stillpoint.model import duration
from stillpoint.model import item as it
from stillpoint.model.conditions import Conditions
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.model.switch import is_on
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes.policy import Policy

_OPERATION_TIMEOUT = timedelta(hours=4)
"""Velero's own default."""

_SNAPSHOT_TIMEOUT = timedelta(minutes=10)
"""Velero's own default, which it writes into the Backup."""

_METADATA_ONLY = "velero.kubevirt.io/metadataBackup"
POLICIES_OF_ALL = "velero.io/global-backup-volume-policy-configmap"
"""Annotation that the server writes: the ConfigMap with policies of all its backups."""

_MEMORY_DUMPS = "stillpoint.dev/memory-dumps"


@dataclass(frozen=True, slots=True)
class Backup:
    """A running backup.

    Attributes:
        uid: differs between two backups of the same name.
        started: when Velero began, before it lists objects. None if not set.
        policies: names of the ConfigMaps with its resource policies, in its namespace; earlier ones
            take precedence.
        is_of_metadata: true with the label of kubevirt-velero-plugin by which disks may be missing;
            as there, whatever the label's value is.
        asked: the Backup object.
    """

    name: str
    uid: str
    started: datetime | None
    filters: Filters
    policies: Sequence[str]
    is_of_metadata: bool
    asked: Item

    @classmethod
    def parse(cls, backup: Item) -> "Backup":
        """Parses a Backup object. An empty object selects everything, and has no name.

        Raises:
            MalformedItem: a field has the wrong type.
        """
        return cls(
            it.name(backup),
            it.uid(backup),
            it.time(backup, "status", "startTimestamp"),
            Filters.parse(backup),
            tuple(_policies(backup)),
            _METADATA_ONLY in it.labels(backup),
            backup,
        )

    @property
    def has_memory_dumps(self) -> bool:
        """True if dumps of guests' memory are stored: large, full of secrets, wanted by default.

        Raises:
            Refusal: the annotation is neither yes nor no.
        """
        return is_on(self.asked, it.annotations(self.asked), _MEMORY_DUMPS, default=True)

    @property
    def namespace(self) -> str:
        """The namespace of Velero."""
        return it.namespace(self.asked)

    @property
    def is_finalizing(self) -> bool:
        """True if Velero stores items again after its operations have ended."""
        return it.text(self.asked, "status", "phase").startswith("Finalizing")

    @property
    def snapshot_timeout(self) -> timedelta:
        """Time for the storage to take a snapshot."""
        timeout = it.text(self.asked, "spec", "csiSnapshotTimeout")
        return duration.parse(timeout) or _SNAPSHOT_TIMEOUT

    def policy(self, config_map: Callable[[str], Item | None]) -> Policy:
        """The backup's policies, joined as Velero joins them; empty without any.

        The backup's own come first, and of those for all backups only volume policies count
        (velero-io/velero#9928). A ConfigMap that is not there may have said anything of objects.

        Args:
            config_map: gives one of `policies`.

        Raises:
            Refusal: a ConfigMap has policies that Velero refuses.
        """
        joined = Policy()
        for name in self.policies:
            is_own, found = name == _own_policy(self.asked), config_map(name)
            if found is None:
                joined = replace(joined, has_other_filters=joined.has_other_filters or is_own)
            else:
                joined = (
                    Policy.parse(found) if is_own else joined.with_fallback(Policy.parse(found))
                )
        return joined


def _own_policy(backup: Item) -> str:
    is_known = it.text(backup, "spec", "resourcePolicy", "kind").lower() == "configmap"
    return it.text(backup, "spec", "resourcePolicy", "name") if is_known else ""


def _policies(backup: Item) -> Iterator[str]:
    if own := _own_policy(backup):
        yield own
    if of_all_backups := it.text(backup, "metadata", "annotations", POLICIES_OF_ALL):
        yield of_all_backups


@dataclass(frozen=True, slots=True, eq=False)
class Restore:
    """A running restore.

    Compared by identity, so that results can be cached by the object.

    Attributes:
        filters: parsed like those of a Backup, whose fields and meaning they have.
        asked: the Restore object; its `conditions` are parsed when they are needed.
    """

    name: str
    uid: str
    filters: Filters
    asked: Item

    @classmethod
    def parse(cls, restore: Item) -> "Restore":
        """Parses a Restore object.

        Raises:
            MalformedItem: a field has the wrong type.
        """
        return cls(it.name(restore), it.uid(restore), Filters.parse(restore), restore)

    @property
    def start_time(self) -> datetime | None:
        """The time at which Velero began, or else of the request; None if neither is set.

        Raises:
            MalformedItem: the value is not a time.
        """
        return it.time(self.asked, "status", "startTimestamp") or it.creation_time(self.asked)

    @property
    def operation_timeout(self) -> timedelta:
        """Time for which Velero polls an operation; Velero writes it into the Restore."""
        timeout = it.text(self.asked, "spec", "itemOperationTimeout")
        return duration.parse(timeout) or _OPERATION_TIMEOUT

    @property
    def is_updating(self) -> bool:
        """True if Velero changes objects that exist, instead of leaving them as they are."""
        return it.text(self.asked, "spec", "existingResourcePolicy") == "update"

    @property
    def has_volumes(self) -> bool:
        """True if Velero brings the data of claims back."""
        return it.mapping(self.asked, "spec").get("restorePVs") is not False

    def refuses(self, resource: Resource) -> bool:
        """True if Velero restores no object of this namespaced resource, even if an action asks."""
        return not self.filters.resources.collects(str(resource), is_namespaced=True)

    def namespace(self, stored: str) -> str:
        """The target namespace of a stored namespace."""
        return it.text(self.asked, "spec", "namespaceMapping", stored) or stored

    @property
    def conditions(self) -> Conditions:
        """The conditions under which virtual machines come back.

        A label without meaning fails machines and no claim: other workloads would go on without
        their data, on new and empty claims.

        Raises:
            Refusal: the restore asks for what cannot be.
        """
        return _conditions(self)


@functools.lru_cache(maxsize=8)  # needed ten times per item; a refusal is not cached
def _conditions(restore: Restore) -> Conditions:
    return Conditions.parse(restore.asked)
