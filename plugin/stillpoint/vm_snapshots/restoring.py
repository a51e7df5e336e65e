"""A restore of a machine from a snapshot by KubeVirt: what it would do, and the request for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.names import LONGEST_MACHINE_NAME, is_name
from stillpoint.model.reader import Reader
from stillpoint.model.reference import Resource
from stillpoint.resources.disks import volume
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.resources.vm_snapshots import (
    virtual_machine_restore,
    virtual_machine_snapshot,
    virtual_machine_snapshot_content,
)
from stillpoint.vm_snapshots import claim_names, creation, patches, waiting
from stillpoint.vm_snapshots.errors import WrongRequest
from stillpoint.vm_snapshots.requested import Kind, Outcome
from stillpoint.vm_snapshots.state import SnapshotState

_DATA_SOURCE = Resource("cdi.kubevirt.io", "v1beta1", "datasources", "DataSource")


@dataclass(frozen=True, slots=True)
class Override:
    """The new claim of a volume, as somebody wants it.

    Attributes:
        name: of the claim; empty for the policy's choice.
    """

    volume: str
    name: str = ""
    labels: Mapping[str, str] | None = None

    def as_object(self) -> Item:
        """The entry of `volumeRestoreOverrides`."""
        fields = {"volumeName": self.volume, "restoreName": self.name, "labels": self.labels}
        return {key: value for key, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class Wish:
    """A restore as it was asked for.

    Attributes:
        target: name of the machine; empty for the one that the snapshot is of.
        name: of the restore; empty for one of the target and the moment.
        patches: JSON patches, checked.
        ownership: `Vm`, `None`, or empty for KubeVirt's default.
    """

    target: str = ""
    name: str = ""
    readiness: str = virtual_machine_restore.FAIL_IMMEDIATE
    volume_policy: str = ""
    ownership: str = ""
    overrides: Sequence[Override] = ()
    patches: Sequence[str] = ()
    keeps_mac: bool = False
    keeps_uuid: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """DataSources that are not there, and those that the account may not read."""

    lost: Sequence[str]
    unread: Sequence[str]


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A restore that is to be made, with all that the cluster shows around it.

    Attributes:
        target: the machine that it writes; None if it makes a new one.
        instance: the target's guest; None if it is off.
        earlier: other restores of the namespace.
        claims: names of the namespace's claims.
        volume_snapshots: names of the namespace's VolumeSnapshots.
        sources: DataSources that templates of the snapshot name.
    """

    wish: Wish
    item: Item
    snapshot: SnapshotState
    target: Item | None
    instance: Item | None
    earlier: Sequence[Item]
    claims: frozenset[str]
    volume_snapshots: frozenset[str]
    sources: Sources

    @property
    def title(self) -> str:
        """`shop/db-20260101-120000`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    @property
    def target_name(self) -> str:
        """Name of the machine that the restore writes."""
        return virtual_machine_restore.target(self.item)

    @property
    def source(self) -> Item:
        """The machine in the snapshot; empty if the content is missing."""
        return source(self.snapshot)

    @property
    def is_copy(self) -> bool:
        """True if the target is not the machine that the snapshot was taken of."""
        uid = virtual_machine_snapshot.machine_uid(self.snapshot.item)
        return self.target is None or not uid or it.uid(self.target) != uid

    @property
    def not_restored(self) -> Sequence[str]:
        """Volumes with data in the machine of the snapshot, that the snapshot lacks."""
        taken = {disk.volume for disk in self.snapshot.disks}
        return [
            it.text(one, "name")
            for one in volumes(self.source)
            if it.text(one, "name") not in taken
            and (volume.disk_claim(one) or volume.unsaved_kind(one))
        ]

    @property
    def deleted(self) -> Sequence[str]:
        """DataVolumes of the target that are not in the snapshot, and that KubeVirt deletes.

        Not those that the restore replaces, which after an earlier restore have other names.
        """
        if self.target is None or not self.source:
            return ()
        taken = {disk.volume for disk in self.snapshot.disks}
        replaced = {
            volume.disk_claim(one) for one in volumes(self.target) if it.text(one, "name") in taken
        }
        kept = replaced.union(virtual_machine.data_volume_templates(self.source))
        now = virtual_machine.data_volume_templates(self.target)
        return [name for name in now if name not in kept]

    @property
    def own_claims(self) -> frozenset[str]:
        """Claims that the target has now."""
        return frozenset(volume.disk_claim(one) for one in volumes(self.target or {}))

    @property
    def new_claims(self) -> Sequence[str]:
        """Names of the claims that the wish gives to volumes; others get names of their own."""
        given = {one.volume: one.name for one in self.wish.overrides if one.name}
        is_by_target = self.wish.volume_policy == virtual_machine_restore.PREFIX_TARGET_NAME
        names = (
            given.get(disk.volume)
            or (is_by_target and claim_names.for_volume(self.target_name, disk.volume))
            for disk in self.snapshot.disks
        )
        return [name for name in names if name]

    @property
    def replaced(self) -> Sequence[str]:
        """Claims of the target whose data the restore replaces."""
        return [disk.claim for disk in self.snapshot.disks] if self.target is not None else ()


def source(snapshot: SnapshotState) -> Item:
    """The machine in a snapshot; empty if its content is missing."""
    content = snapshot.content
    return virtual_machine_snapshot_content.machine(content) if content else {}


def volumes(machine: Item) -> Sequence[Item]:
    """Volumes of a machine of a content, which may be empty."""
    return it.sequence(machine, "spec", "template", "spec", "volumes")


def plan(reader: Reader, namespace: str, snapshot: str, wish: Wish, now: datetime) -> RestorePlan:
    """The restore of a snapshot.

    Raises:
        NoSuchObject: there is no such snapshot.
        WrongRequest: no object can have the name, or an override names no volume of the snapshot.
        ReadFailed: a request failed.
    """
    state = waiting.state(reader, namespace, snapshot)
    target = wish.target or virtual_machine_snapshot.machine(state.item)
    name = wish.name or creation.name_for(target, now)
    for what, given, longest in (("machine", target, LONGEST_MACHINE_NAME), ("restore", name, 253)):
        if not is_name(given) or len(given) > longest:
            cause = f"no {what} has such a name"
            raise WrongRequest(f"{what} {given!r}", "cannot restore", cause, "see --help")
    item = virtual_machine_restore.manifest(
        namespace, name, target, snapshot, _specification(state, wish)
    )
    restores = reader.list(virtual_machine_restore.RESOURCE, namespace)
    return RestorePlan(
        wish,
        item,
        state,
        reader.get(virtual_machine.RESOURCE, namespace, target),
        reader.get(virtual_machine_instance.RESOURCE, namespace, target),
        tuple(restores),
        frozenset(map(it.name, reader.list(kinds.CLAIM, namespace))),
        frozenset(map(it.name, reader.list(kinds.VOLUME_SNAPSHOT, namespace))),
        _sources(reader, source(state), namespace),
    )


@dataclass(frozen=True, slots=True)
class RestoreState:
    """A restore as the cluster has it."""

    item: Item

    @property
    def title(self) -> str:
        """`shop/db-20260101-120000`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    @property
    def outcome(self) -> Outcome:
        """Complete, failed for good, or under way, also where KubeVirt tries again and again."""
        if virtual_machine_restore.has_failed(self.item):
            return Outcome.FAILED
        is_complete = virtual_machine_restore.is_complete(self.item)
        return Outcome.COMPLETE if is_complete else Outcome.UNDER_WAY


KIND = Kind(
    virtual_machine_restore.RESOURCE, "restore", RestoreState, virtual_machine_restore.trouble
)


def _specification(snapshot: SnapshotState, wish: Wish) -> Item:
    of_identity: Sequence[str] = ()
    if wish.target and wish.target != virtual_machine_snapshot.machine(snapshot.item):
        guest = it.mapping(source(snapshot), "spec", "template", "spec")
        of_identity = tuple(
            patches.of_identity(guest, keeps_mac=wish.keeps_mac, keeps_uuid=wish.keeps_uuid)
        )
    fields = {
        "targetReadinessPolicy": wish.readiness,
        "volumeRestorePolicy": wish.volume_policy,
        "volumeOwnershipPolicy": wish.ownership,
        "volumeRestoreOverrides": [one.as_object() for one in wish.overrides],
        "patches": [*of_identity, *wish.patches],
    }
    return {key: value for key, value in fields.items() if value}


def _sources(reader: Reader, machine: Item, namespace: str) -> Sources:
    """DataSources of templates: KubeVirt looks for them, and hangs without one."""
    lost, unread = [], []
    for template in it.sequence(machine, "spec", "dataVolumeTemplates"):
        name = it.text(template, "spec", "sourceRef", "name")
        where = it.text(template, "spec", "sourceRef", "namespace") or namespace
        try:
            if name and reader.get(_DATA_SOURCE, where, name) is None:
                lost.append(f"{where}/{name}")
        except Forbidden:
            unread.append(f"{where}/{name}")
    return Sources(lost, unread)
