"""Snapshots that this plugin takes itself for a backup, in place of Velero: each a single time."""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.velero import marks, own_objects

TAKEN_WITH = "stillpoint.dev/taken-with"
"""Label of the VolumeSnapshots that are taken side by side."""

_TAKEN_FOR = "stillpoint.dev/taken-for"
"""Label that tells Backups of one name apart. Not their uid, which makes the names of snapshots:
who reads the first one must not know, and take, the name of the next."""

_BACKUP = "stillpoint.dev/backup"
"""Annotation with namespace and name of the Backup; Velero's label has neither in full."""

SEAL = "stillpoint.dev/seal"
"""Annotation of a group, and of a member that its backup has freed: its value tells who has made
the one, and freed the other."""

_HANDLE = "velero.io/csi-volumesnapshot-handle"
"""Annotation of a VolumeSnapshot that Velero has put into its archive."""

MARK = "group.stillpoint.dev/"
"""Beginning of the labels by which a group snapshot selects its claims; each group has its own."""

_GENERATED = 58  # the API server's limit for what comes before a generated suffix of five letters
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of such suffixes


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot whose bytes are in the storage.

    Attributes:
        snapshot: the VolumeSnapshot, bound to its content.
        content: the VolumeSnapshotContent, with the handle of the storage.
    """

    snapshot: Item
    content: Item


class OwnSnapshots:
    """The snapshots that this process has begun for one backup, by the uid of their claim.

    Threads may share it. A process that Velero starts again begins with none; the names are the
    same, so that the snapshots of the former process are found.

    Attributes:
        no_thaw_in: namespaces in which the account was refused the right to thaw a guest.
        thawed: uids of the guests that this process has thawed.
        no_groups_of: drivers of which nobody takes group snapshots, as the first one has shown.
    """

    def __init__(self) -> None:
        self.no_thaw_in: set[str] = set()
        self.thawed: set[str] = set()
        self.no_groups_of: set[str] = set()
        self._lock = threading.Lock()
        self._begun: dict[str, Future[Item]] = {}
        self._taken: set[str] = set()
        self._bounds: dict[str, tuple[datetime | None, datetime]] = {}
        self._looked: set[str] = set()

    def begin(self, uids: Iterable[str]) -> Sequence[str]:
        """The uids that nobody has begun; from now on they are the caller's to end."""
        with self._lock:
            ours = [uid for uid in dict.fromkeys(uids) if uid not in self._begun]
            self._begun |= {uid: Future() for uid in ours}
        return ours

    def end(self, uid: str, outcome: Item | BaseException) -> None:
        """Gives the VolumeSnapshot, or why there is none, to everybody who waits for it."""
        if isinstance(outcome, BaseException):
            self._begun[uid].set_exception(outcome)
        else:
            self._begun[uid].set_result(outcome)

    def take(self, uids: Iterable[str]) -> None:
        """Says that the storage has the snapshots of these claims, which have yet to end."""
        with self._lock:
            self._taken |= set(uids)

    def note_bounds(self, uid: str, not_before: datetime | None, not_after: datetime) -> None:
        """Notes between which moments the snapshot of a claim was cut.

        Args:
            not_before: None if a former process may have asked for it.
        """
        self._bounds[uid] = not_before, not_after

    def bounds(self, uid: str) -> tuple[datetime | None, datetime] | None:
        """The moments between which the snapshot of a claim was cut, if this process took it."""
        return self._bounds.get(uid)

    def is_first_look(self, at: str) -> bool:
        """True once for each namespace, or whatever else is looked at once."""
        with self._lock:
            is_first = at not in self._looked
            self._looked.add(at)
        return is_first

    def has_begun(self, uid: str) -> bool:
        """True if somebody has begun the snapshot of this claim."""
        return uid in self._begun

    def has_ended(self, uid: str) -> bool:
        """True if the storage has taken the snapshot of this claim, or nobody waits any more."""
        return uid in self._taken or self.has_result(uid)

    def has_result(self, uid: str) -> bool:
        """True if nobody waits for the snapshot of this claim any more, taken or not."""
        return uid in self._begun and self._begun[uid].done()

    def result(self, uid: str) -> Item:
        """The VolumeSnapshot of a claim that somebody has begun, once it has ended.

        Raises:
            StillpointError: there is none.
        """
        return self._begun[uid].result()


def name(claim: Item, backup_uid: str) -> str:
    """The name of a claim's VolumeSnapshot: Velero's form, but the same in each attempt."""
    return f"velero-{it.name(claim)}-"[:_GENERATED] + digest(f"{backup_uid}/{it.uid(claim)}", 5)


def group(claim: Item, backup_uid: str) -> str:
    """The value of `TAKEN_WITH` for what is taken together with this claim."""
    return digest(f"{backup_uid}/{it.uid(claim)}", 10)


def new(claim: Item, backup: Item, snapshot_class: str, taken_with: str) -> Item:
    """A VolumeSnapshot of a claim as Velero makes it, with what we know it again by.

    Velero stores it with its claim alone: no other backup that lists the namespace has it.

    Source: createVolumeSnapshot in pkg/backup/actions/csi/pvc_action.go of Velero v1.18.
    """
    resource = kinds.VOLUME_SNAPSHOT
    return {
        "apiVersion": f"{resource.group}/{resource.version}",
        "kind": resource.kind,
        "metadata": {
            "name": name(claim, it.uid(backup)),
            "namespace": it.namespace(claim),
            "labels": {**without_marks(it.labels(claim)), **labels(backup, taken_with)},
            "annotations": annotations(backup),
        },
        "spec": {
            "source": {"persistentVolumeClaimName": it.name(claim)},
            "volumeSnapshotClassName": snapshot_class,
        },
    }


def without_marks(found: Item) -> Item:
    """Labels of a claim without those of groups, which it has only for a moment."""
    return {name: value for name, value in found.items() if not name.startswith(MARK)}


def labels(backup: Item, taken_with: str) -> Item:
    """Labels of what this plugin makes for a backup, by which Velero and we know it again."""
    return {
        marks.OF_BACKUP: marks.label_value(it.name(backup)),
        _TAKEN_FOR: digest(it.uid(backup), 10),
        TAKEN_WITH: taken_with,
        marks.EXCLUDED: "true",
    }


def annotations(backup: Item) -> Item:
    """Annotations of what this plugin makes for a backup."""
    return {_BACKUP: f"{it.namespace(backup)}/{it.name(backup)}"}


def backups(snapshot: Item) -> Iterable[str]:
    """Namespace and name of the Backup that a snapshot was taken for, as the only key."""
    return (it.text(snapshot, "metadata", "annotations", _BACKUP),)


def is_ours(snapshot: Item) -> bool:
    """True if this plugin says of the snapshot that it took it; so may others."""
    return TAKEN_WITH in it.labels(snapshot)


def was_in_group(snapshot: Item) -> bool:
    """True if a snapshot is said to be a freed member of a group; anybody can write that."""
    return SEAL in it.annotations(snapshot)


def is_of(snapshot: Item, backup: Item) -> bool:
    """True if the snapshot was taken for this Backup, not for one of the same name."""
    taken_for = it.labels(snapshot).get(_TAKEN_FOR)
    return is_ours(snapshot) and taken_for == digest(it.uid(backup), 10)


def is_archived(snapshot: Item) -> bool:
    """True if the archive of a backup has the snapshot."""
    return _HANDLE in it.annotations(snapshot)


def is_left(snapshot: Item, backup: Item | None) -> bool:
    """True if no archive has the snapshot, and none will have it.

    A backup that has failed as a whole has no archive, whatever is written on its snapshots.

    Args:
        backup: the Backup of the name that the snapshot was taken for, if there is one.
    """
    if backup and is_of(snapshot, backup):
        if own_objects.has_failed(backup):
            return True
        if not own_objects.has_ended(backup):
            return False
    return not is_archived(snapshot)


def digest(text: str, length: int) -> str:
    """Letters from which nobody learns the text."""
    found = hashlib.sha256(text.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in found[:length])
