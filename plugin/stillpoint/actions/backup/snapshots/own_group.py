"""Group snapshots that this plugin takes for a backup: their names, and how members become free.

A group selects claims by a label, which the plugin gives to them for the moment. All names are made
of the Backup's uid, which only Velero's namespace shows, so that nobody joins a group beforehand or
makes one of its name; and they are the same in each attempt.

A member is a VolumeSnapshot that the snapshot controller has made: under a name of its own, without
labels, and bound to the group, which it would go with. Freed, it is as any other of this backup.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.seal import Seal
from stillpoint.resources.disks import volume_group_snapshot, volume_snapshot
from stillpoint.velero.volumes import own_snapshots
from stillpoint.velero.volumes.own_snapshots import digest

_IN_GROUP = "snapshot.storage.kubernetes.io/volumesnapshot-in-group-protection"
_AS_SOURCE = "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection"


@dataclass(frozen=True, slots=True)
class OwnGroup:
    """A group snapshot of disks of one driver.

    Attributes:
        name: of the VolumeGroupSnapshot.
        label: of its claims, while the storage takes them.
        taken_with: the value of `own_snapshots.TAKEN_WITH` of the group and its members.
    """

    name: str
    label: str
    taken_with: str

    @classmethod
    def of(cls, guests: Iterable[Item], driver: str, backup: Item) -> "OwnGroup":
        """The group of all disks that guests have on a driver."""
        identity = "/".join((it.uid(backup), driver, *sorted(map(it.uid, guests))))
        return cls(
            f"velero-group-{digest(f'{identity}/name', 20)}",
            f"{own_snapshots.MARK}{digest(f'{identity}/label', 20)}",
            digest(f"{identity}/with", 10),
        )

    def mark(self, backup: Item) -> Item:
        """The merge patch that puts a claim into the group."""
        return {"metadata": {"labels": {self.label: _owner(backup)}}}

    def unmark(self) -> Item:
        """The merge patch that takes a claim out of the group."""
        return {"metadata": {"labels": {self.label: None}}}

    def new(self, namespace: str, backup: Item, group_class: Item) -> Item:
        """The VolumeGroupSnapshot, in the version of its class."""
        version = volume_group_snapshot.version(group_class)
        seal = Seal(it.uid(backup)).on("group", namespace, self.name)
        return {
            "apiVersion": f"{kinds.GROUP_SNAPSHOTS}/{version}",
            "kind": volume_group_snapshot.KIND,
            "metadata": {
                "name": self.name,
                "namespace": namespace,
                "labels": own_snapshots.labels(backup, self.taken_with),
                "annotations": {**own_snapshots.annotations(backup), own_snapshots.SEAL: seal},
            },
            "spec": {
                "volumeGroupSnapshotClassName": it.name(group_class),
                "source": {"selector": {"matchLabels": {self.label: _owner(backup)}}},
            },
        }

    def freed(self, member: Item, claim: Item, backup: Item, snapshot_class: str) -> Item:
        """The merge patch that makes a member a VolumeSnapshot of its own.

        Without its finalizer as a source the controller sets that again; when it has, it knows
        that the member has left the group. It looks at none that is in no group and has no class.
        """
        finalizers = it.texts(member, "metadata", "finalizers")
        made = own_snapshots.labels(backup, self.taken_with)
        seal = {own_snapshots.SEAL: Seal(it.uid(backup)).on(*_sealed(member, claim))}
        return {
            "metadata": {
                "labels": {**own_snapshots.without_marks(it.labels(claim)), **made},
                "annotations": {**own_snapshots.annotations(backup), **seal},
                "ownerReferences": None,
                "finalizers": [one for one in finalizers if one not in (_IN_GROUP, _AS_SOURCE)],
            },
            "spec": {"volumeSnapshotClassName": snapshot_class},
        }


def without_group() -> Item:
    """The merge patch of a member's status by which the controller gives it no owner again.

    Source: NeedToAddVolumeGroupSnapshotOwnership in pkg/utils/vgs.go of external-snapshotter v8.6.
    """
    return {"status": {"volumeGroupSnapshotName": None}}


def can_be_freed(member: Item, group: Item) -> bool:
    """True if a snapshot is a member of the group, and complete.

    An incomplete one without an owner is a new one to the controller, which takes it once more.
    """
    is_complete = volume_snapshot.is_taken(member) and it.flag(member, "status", "readyToUse")
    is_known = _AS_SOURCE in it.texts(member, "metadata", "finalizers")
    return is_complete and is_known and is_member(member, group)


def is_member(snapshot: Item, group: Item) -> bool:
    """True if a snapshot is said to be of the group; anybody can write that."""
    return any(
        it.text(owner, "uid") == it.uid(group)
        for owner in it.owners(snapshot)
        if it.text(owner, "kind") == volume_group_snapshot.KIND
    )


def is_free(snapshot: Item) -> bool:
    """True if the controller knows that a freed member has left its group."""
    return not it.owners(snapshot) and _AS_SOURCE in it.texts(snapshot, "metadata", "finalizers")


def is_made_by(group: Item, backup_uid: str) -> bool:
    """True if the backup has made the group of this name."""
    mark = str(it.annotations(group).get(own_snapshots.SEAL, ""))
    return Seal(backup_uid).is_on(mark, "group", *it.identify(group))


def is_sealed(snapshot: Item, claim: Item, backup_uid: str) -> bool:
    """True if the backup has freed this very snapshot of the claim."""
    mark = str(it.annotations(snapshot).get(own_snapshots.SEAL, ""))
    return Seal(backup_uid).is_on(mark, *_sealed(snapshot, claim))


def marks(claim: Item) -> Iterable[tuple[str, str]]:
    """Labels of groups on a claim, with their values."""
    labels = it.labels(claim).items()
    return [(name, str(value)) for name, value in labels if name.startswith(own_snapshots.MARK)]


def is_of_velero(value: str, namespace: str) -> bool:
    """True if the value of a claim's label is of a backup of the Velero in this namespace."""
    return value.partition(".")[0] == digest(namespace, 10)


def is_of_backup(value: str, backup: Item) -> bool:
    """True if the value of a claim's label is of this backup."""
    return value == _owner(backup)


def _owner(backup: Item) -> str:
    return f"{digest(it.namespace(backup), 10)}.{digest(it.uid(backup), 10)}"


def _sealed(snapshot: Item, claim: Item) -> Sequence[str]:
    return "free", it.uid(claim), it.uid(snapshot)
