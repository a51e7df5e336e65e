"""Takes snapshots of single disks side by side.

All VolumeSnapshots are created first, and a watch says when the storage has each of them. A
snapshot has the same name in each attempt, so that a process that Velero starts again finds what
the former one has made, and no disk is taken twice.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime

from stillpoint.actions import policies
from stillpoint.actions.backup.snapshots import own_group, snapshot_class
from stillpoint.actions.backup.snapshots.discard import discard
from stillpoint.actions.backup.snapshots.taking import ATTEMPT, Taking
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import SnapshotFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.resources.disks import volume_snapshot
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import own_snapshots

_SIDE_BY_SIDE = 16
_UNSUPPORTED = "its driver takes no snapshots: let a volume policy copy its files: action fs-backup"


class SideBySide(Taking):
    """Snapshots of single disks.

    Args:
        taken_with: the value of their common label.
    """

    KIND = "single snapshots"
    HINT = (
        "look at the events of its VolumeSnapshot and at the log of the driver's csi-snapshotter; "
        "set csiSnapshotTimeout of the Backup where the storage is slow"
    )

    def __init__(self, claims: Sequence[Item], taken_with: str, context: BackupContext) -> None:
        super().__init__(claims, context)
        self._taken_with = taken_with
        self._asked: dict[str, datetime] = {}
        """When each was asked for, by its claim; not those that a former process asked for."""

    def begin(self) -> None:
        """See `Taking.begin`."""
        with ThreadPoolExecutor(min(len(self.claims), _SIDE_BY_SIDE)) as workers:
            self._wait(workers.map(self._create, self.claims))
        self.fail_left()

    def clean_up(self) -> None:
        """See `Taking.clean_up`."""
        for claim in self.failed:
            name = own_snapshots.name(claim, self.context.backup.uid)
            reference = volume_snapshot.RESOURCE.named(it.namespace(claim), name)
            discard(reference, it.name(claim), self.context)

    def _create(self, claim: Item) -> Item | StillpointError:
        """The claim's VolumeSnapshot, which may have been made by a former process."""
        context = self.context
        try:
            if freed := _freed(claim, context):
                return freed
            chosen = snapshot_class.of_claim(claim, context)
            new = own_snapshots.new(claim, context.backup.asked, chosen, self._taken_with)
            asked = context.clock.now()
            made = context.writer.create(volume_snapshot.RESOURCE, new)
            if made:
                self._asked[it.name(claim)] = asked
            return made or _existing(claim, new, context)
        except StillpointError as error:
            return error

    def _wait(self, made: Iterable[Item | StillpointError]) -> None:
        """Waits until the storage has each of them, or has failed, or the time is over."""
        values = set()
        for claim, snapshot in zip(list(self.left.values()), made, strict=True):
            if isinstance(snapshot, StillpointError):
                self.end(claim, snapshot)
            else:
                values.add(it.labels(snapshot)[own_snapshots.TAKEN_WITH])
        if values:
            self._watch(f"{own_snapshots.TAKEN_WITH} in ({', '.join(sorted(values))})")

    def _watch(self, labels: str) -> None:
        changes = self.context.cluster.changes(
            volume_snapshot.RESOURCE, self.namespace, labels, self.left_s(self.began)
        )
        with closing(changes):
            for change in changes:
                claim = self.left.get(volume_snapshot.claim(change.item))
                if claim and _is_of(change.item, claim, self.context):
                    self._note(claim, change)
                if not self.left:
                    return

    def _note(self, claim: Item, change: Change) -> None:
        if change.is_deleted or it.is_being_deleted(change.item):
            cause = f"somebody deletes VolumeSnapshot {it.name(change.item)}"
            self.end(claim, SnapshotFailed(it.describe(claim), ATTEMPT, cause))
        elif volume_snapshot.is_taken(change.item):
            asked = self._asked.get(it.name(claim))
            self.context.snapshots.note_bounds(it.uid(claim), asked, self.context.clock.now())
            self.end(claim, change.item)
        elif message := volume_snapshot.error(change.item):
            self.messages[it.name(claim)] = message
            if volume_snapshot.is_unsupported(message):
                self.end(claim, SnapshotFailed(it.describe(claim), ATTEMPT, message, _UNSUPPORTED))


def _freed(claim: Item, context: BackupContext) -> Item | None:
    """A member of a group snapshot that a former process of this backup has freed.

    It knows no item block: only a process that was started again takes such a claim alone.
    """
    is_known = context.blocks.of(kinds.CLAIM.named(*it.identify(claim))) is not None
    if is_known or not policies.fates(context).is_grouped(claim):
        return None
    found = context.cluster.list_grouped(
        volume_snapshot.RESOURCE,
        it.namespace(claim),
        volume_snapshot.claims,
        own_snapshots.TAKEN_WITH,
    )
    snapshots = found.get(it.name(claim), ())
    return next((one for one in snapshots if _is_of(one, claim, context)), None)


def _existing(claim: Item, new: Item, context: BackupContext) -> Item:
    """The VolumeSnapshot of this name, by another attempt.

    Raises:
        StillpointError: it is not ours, or gone.
    """
    namespace, name = it.identify(new)
    found = context.cluster.current(volume_snapshot.RESOURCE, namespace, name)
    if found and _is_of(found, claim, context):
        return found
    cause = f"VolumeSnapshot {name} exists, and is not of this backup"
    if found is None:
        cause = f"VolumeSnapshot {name} exists, and is gone"
    raise SnapshotFailed(it.describe(claim), ATTEMPT, cause, "back up again")


def _is_of(snapshot: Item, claim: Item, context: BackupContext) -> bool:
    """True if this backup has made the snapshot of this claim, or has freed it from a group."""
    uid = context.backup.uid
    is_named = it.name(snapshot) == own_snapshots.name(claim, uid)
    is_named = is_named or own_group.is_sealed(snapshot, claim, uid)
    is_of_backup = own_snapshots.is_of(snapshot, context.backup.asked)
    return is_named and is_of_backup and volume_snapshot.claim(snapshot) == it.name(claim)
