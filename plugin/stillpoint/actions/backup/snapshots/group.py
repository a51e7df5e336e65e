"""Takes the disks of a guest on one driver as one group snapshot, of one moment in the storage.

The claims get a label, which the group selects, and which they lose when the storage has the group.
Then its members are freed, and the group is deleted without their bytes, so that each snapshot is
one that Velero stores, restores and deletes as any other. Velero does so too (v1.18:
pkg/backup/actions/csi/pvc_action.go), for claims that their users have labelled.

A claim that cannot be labelled, or loses its label, fails alone. The others are a group as a whole,
or each of them fails and nothing of it is left. If the driver has no call for groups, nothing was
taken, and the claims are given back.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime

from stillpoint.actions.backup.snapshots import snapshot_class
from stillpoint.actions.backup.snapshots.members import Members
from stillpoint.actions.backup.snapshots.own_group import OwnGroup
from stillpoint.actions.backup.snapshots.taking import ATTEMPT, Taking
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Forbidden, SnapshotFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.resources.disks import volume_group_snapshot, volume_snapshot
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import own_snapshots, volume_snapshot_class

_SIDE_BY_SIDE = 16


class GroupSnapshot(Taking):
    """A group snapshot of claims of one driver."""

    KIND = "a group snapshot"
    HINT = (
        "look at the events of its VolumeGroupSnapshot and at the log of the driver's "
        "csi-snapshotter, which needs --feature-gates=CSIVolumeGroupSnapshot=true, as the "
        "snapshot-controller does; without group: true of the volume policy disks are taken side "
        "by side"
    )

    def __init__(
        self, claims: Sequence[Item], group: OwnGroup, group_class: Item, context: BackupContext
    ) -> None:
        super().__init__(claims, context)
        self._group = group
        self._class = group_class
        self._resource = volume_group_snapshot.resource(volume_group_snapshot.version(group_class))
        self._found: Item = {}  # the group as it was last seen
        self._marked: Sequence[Item] = ()
        self._given_back: Sequence[Item] = ()
        self._members: Members | None = None

    def begin(self) -> None:
        """See `Taking.begin`."""
        self._marked = self.claims
        self._mark()
        self._found = self._group.new(self.namespace, self.context.backup.asked, self._class)
        asked = self.context.clock.now()
        try:
            made = self.context.writer.create(self._resource, self._found)
        except Forbidden as error:
            self._found = {}
            self._give_back(str(error))
            return
        self._found = made or self._existing()
        self._wait(volume_group_snapshot.is_taken, self.left_s(self.began))
        if volume_group_snapshot.is_taken(self._found):
            self._note_taken(asked if made else None)
        elif unsupported := self._unsupported:
            self._give_back(unsupported)
        else:
            self._note_if_silent()
            self.fail_left()

    @property
    def _unsupported(self) -> str:
        """The driver's message that it knows no groups; empty if it has not said so."""
        said = (one for one in self.messages.values() if volume_snapshot.is_unsupported(one))
        return next(said, "")

    def _note_if_silent(self) -> None:
        """Spares the other guests of this backup the wait, if the driver's side never spoke.

        An error of the storage is no reason: it may be of this guest alone.
        """
        if not self.messages:
            self.context.snapshots.no_groups_of.add(self._driver)

    def given_back(self) -> Sequence[Item]:
        """See `Taking.given_back`."""
        return self._given_back

    @property
    def _driver(self) -> str:
        [driver] = volume_snapshot_class.drivers(self._class)
        return driver

    def _give_back(self, cause: str) -> None:
        """Leaves the claims to others: nothing was taken."""
        snapshot_class.warn_of_no_group(self._driver, cause, self.context)
        self.context.snapshots.no_groups_of.add(self._driver)
        self._given_back, self.left = list(self.left.values()), {}
        self.claims = self.failed

    def _note_taken(self, asked: datetime | None) -> None:
        snapshots, now = self.context.snapshots, self.context.clock.now()
        for claim in self.left.values():
            snapshots.note_bounds(it.uid(claim), asked, now)
        snapshots.take(it.uid(claim) for claim in self.left.values())

    def conclude(self) -> None:
        """Frees the members, and ends each claim with its own.

        Raises:
            StillpointError: some member is not free.
        """
        self._unmark()
        if not self.left:
            return
        self._await_members()
        self._members = Members(self._found, self._group, self.claims, self.context)
        freed = self._members.free()
        for claim in list(self.left.values()):
            self.end(claim, freed.get(it.name(claim)) or self._lacks(claim))

    def _await_members(self) -> None:
        """Waits until the controller leaves members alone: it would take a freed one once more.

        Raises:
            SnapshotFailed: it does not within the Backup's limit.
        """
        longest_s = self.left_s(self.context.clock.now())
        if not volume_group_snapshot.is_ready(self._found):
            self._wait(volume_group_snapshot.is_ready, longest_s)
        if not volume_group_snapshot.is_ready(self._found):
            message = volume_group_snapshot.error(self._found)
            said = f", the storage's last message: {message}" if message else ""
            cause = f"not ready {longest_s:g} s (csiSnapshotTimeout) after it was taken{said}"
            raise SnapshotFailed(it.describe(self._found), ATTEMPT, cause, self.HINT)

    def clean_up(self) -> None:
        """Deletes the group: without the bytes of its members, or all of it where it failed."""
        if not self._found:
            return
        members = self._members or Members(self._found, self._group, self.claims, self.context)
        if self.taken:
            members.delete_group()
        else:
            members.abandon()

    def _mark(self) -> None:
        """Labels the claims; one that cannot be labelled fails alone.

        Raises:
            StillpointError: none could be labelled.
        """
        change = self._group.mark(self.context.backup.asked)

        def mark(claim: Item) -> StillpointError | None:
            try:
                self.context.writer.patch(kinds.CLAIM, *it.identify(claim), change)
            except StillpointError as error:
                return error
            return None

        with ThreadPoolExecutor(_SIDE_BY_SIDE) as workers:
            errors = list(workers.map(mark, self.claims))
        for claim, error in zip(self.claims, errors, strict=True):
            if error and len(self.left) == 1:
                raise error
            if error:
                self.end(claim, error)

    def _unmark(self) -> None:
        """Takes the labels off; one that stays is taken off by the next backup."""
        for claim in self._marked:
            try:
                self.context.writer.patch(kinds.CLAIM, *it.identify(claim), self._group.unmark())
            except StillpointError as error:
                text = "%s keeps the label %s until the next backup: %s"
                self.context.log.warning(text, it.describe(claim), self._group.label, error)

    def _existing(self) -> Item:
        """The group of this name, made by a request whose response was lost.

        Raises:
            SnapshotFailed: it is not ours, or gone.
        """
        name = self._group.name
        found = self.context.cluster.current(self._resource, self.namespace, name)
        if found and own_snapshots.is_of(found, self.context.backup.asked):
            return found
        cause = f"VolumeGroupSnapshot {name} exists, and is not of this backup"
        subject = f"namespace {self.namespace}"
        raise SnapshotFailed(subject, ATTEMPT, cause, "back up again")

    def _wait(self, is_over: Callable[[Item], bool], longest_s: float) -> None:
        """Waits until the group is as it has to be, or the time is over.

        Raises:
            SnapshotFailed: somebody deletes the group.
        """
        labels = f"{own_snapshots.TAKEN_WITH}={self._group.taken_with}"
        changes = self.context.cluster.changes(self._resource, self.namespace, labels, longest_s)
        with closing(changes):
            for change in changes:
                if it.uid(change.item) != it.uid(self._found):
                    continue
                if change.is_deleted or it.is_being_deleted(change.item):
                    cause = "somebody deletes its VolumeGroupSnapshot"
                    raise SnapshotFailed(it.describe(change.item), ATTEMPT, cause)
                self._found = change.item
                if is_over(change.item):
                    return
                if message := volume_group_snapshot.error(change.item):
                    self.messages |= dict.fromkeys(self.left, message)
                    if volume_snapshot.is_unsupported(message):
                        return

    def _lacks(self, claim: Item) -> SnapshotFailed:
        cause = "the group snapshot lacks it: somebody has taken its label off, or plugged it in"
        return SnapshotFailed(it.describe(claim), ATTEMPT, cause, "back up again")
