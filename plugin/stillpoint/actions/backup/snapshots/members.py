"""The members of a group snapshot, which become VolumeSnapshots of their own.

The snapshot controller takes all members with their group, and tells them by owner and status. So a
member is freed in this order: its group's bytes are kept (`Retain`), the group goes from its status
and its owner from its metadata, the controller has seen that, and only then the group is deleted.

Anybody may write a VolumeSnapshot that calls itself a member. Which ones are, the group's content
says, which no tenant can write: it has the storage's names of the snapshots.

Source: pkg/common-controller/snapshot_controller.go of external-snapshotter v8.6.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from stillpoint.actions.backup.snapshots import discard, own_group, snapshot_class
from stillpoint.actions.backup.snapshots.own_group import OwnGroup
from stillpoint.actions.backup.snapshots.taking import ATTEMPT
from stillpoint.model import item as it
from stillpoint.model.errors import SnapshotFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reader import Change
from stillpoint.resources.disks import (
    persistent_volume,
    persistent_volume_claim,
    volume_group_snapshot,
    volume_snapshot,
    volume_snapshot_content,
)
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import own_snapshots

_HINT = "look at the events of the VolumeSnapshots and at the log of the snapshot-controller"


class Members:
    """The VolumeSnapshots of a group that the storage has taken.

    Args:
        group: the VolumeGroupSnapshot, as it was when it was taken.
        claims: those that were asked for.
    """

    def __init__(
        self, group: Item, own: OwnGroup, claims: Sequence[Item], context: BackupContext
    ) -> None:
        self._group = group
        self._own = own
        self._asked = claims
        self._claims: dict[str, Item] = {}  # by the storage's name of the volume
        self._context = context
        self._resource = volume_group_snapshot.contents(volume_group_snapshot.version(group))
        self._content: Item | None = None
        self._left: dict[str, Item] = {}  # claims by the storage's name of the snapshot
        self._freed: dict[str, tuple[str, Item]] = {}  # those names, and VolumeSnapshots, by uid
        self._free: dict[str, Item] = {}  # VolumeSnapshots by claim
        self._strangers: list[Item] = []  # VolumeSnapshots that nobody asked for, freed

    def free(self) -> Mapping[str, Item]:
        """Frees all members.

        Returns:
            The VolumeSnapshots of the asked claims by the name of the claim.

        Raises:
            StillpointError: some is not free.
        """
        self._claims = {self._volume_handle(claim): claim for claim in self._asked}
        self._content = content_of(self._group, self._context)
        if self._content is None:
            raise self._failed("its content is not bound to it")
        handles = volume_group_snapshot.snapshot_handles(self._content)
        self._left = {handles[volume]: self._claims.get(volume, {}) for volume in handles}
        if strangers := [one for one in handles if one not in self._claims]:
            text = "the group snapshot has volumes that nobody asked for, discarded: %s"
            self._context.log.warning(text, listing(strangers))
        self._patch_content(self._content, "Retain")
        self._watch()
        return self._free

    def delete_group(self) -> None:
        """Deletes the group, whose members are free, and strangers; a failure is logged."""
        for snapshot in self._strangers:
            self._discard(snapshot)
        try:
            delete_group(self._group, self._content, self._context)
        except StillpointError as error:
            self._context.log.warning("%s may be left behind: %s", self._subject, error)

    def abandon(self) -> None:
        """Deletes the group with all of its bytes; a failure is logged."""
        resource = volume_group_snapshot.resource(self._resource.version)
        try:
            now = self._context.cluster.current(resource, *it.identify(self._group))
            if now is None or not own_snapshots.is_of(now, self._context.backup.asked):
                return
            content = content_of(now, self._context)
            if content:
                self._release(content, now)
            for _handle, snapshot in self._freed.values():
                discard.delete(snapshot, self._context, with_bytes=True)
            self._context.writer.delete(resource, *it.identify(now), uid=it.uid(now))
        except StillpointError as error:
            self._context.log.error("%s may be left behind: %s", self._subject, error)  # noqa: TRY400

    def _volume_handle(self, claim: Item) -> str:
        name = persistent_volume_claim.volume(claim)
        volume = self._context.cluster.get(persistent_volume.RESOURCE, "", name)
        return persistent_volume.csi_handle(volume or {})

    def _release(self, content: Item, group: Item) -> None:
        """Lets bytes and contents go with the group, even if its class retains them."""
        if not volume_group_snapshot.is_deleted_with_group(content):
            self._patch_content(content, "Delete")
        change = volume_snapshot_content.deletion_with_snapshot()
        for member in contents_of_members(group, content, self._context):
            if not volume_snapshot_content.is_deleted_with_snapshot(member):
                resource = volume_snapshot_content.RESOURCE
                self._context.writer.patch(resource, "", it.name(member), change)

    def _discard(self, snapshot: Item) -> None:
        try:
            discard.delete(snapshot, self._context, with_bytes=True)
        except StillpointError as error:
            self._context.log.warning("%s may be left behind: %s", it.describe(snapshot), error)

    @property
    def _subject(self) -> str:
        return it.describe(self._group)

    def _failed(self, cause: str) -> SnapshotFailed:
        return SnapshotFailed(self._subject, ATTEMPT, cause, _HINT)

    def _patch_content(self, content: Item, policy: str) -> None:
        change = volume_group_snapshot.deletion(policy)
        self._context.writer.patch(self._resource, "", it.name(content), change)

    def _watch(self) -> None:
        limit_s = self._context.backup.snapshot_timeout.total_seconds()
        namespace = it.namespace(self._group)
        changes = self._context.cluster.changes(volume_snapshot.RESOURCE, namespace, "", limit_s)
        with closing(changes):
            for change in changes:
                self._see(change)
                if not self._left:
                    return
        names = listing([it.name(claim) or "a stranger" for claim in self._left.values()])
        raise self._failed(f"after {limit_s:g} s (csiSnapshotTimeout) not all are ready: {names}")

    def _see(self, change: Change) -> None:
        snapshot = change.item
        if it.uid(snapshot) not in self._freed:
            self._free_one(snapshot)
            return
        handle, freed = self._freed[it.uid(snapshot)]
        is_gone = change.is_deleted or it.is_being_deleted(snapshot)
        if is_gone and freed not in self._strangers:
            raise self._failed(f"somebody deletes VolumeSnapshot {it.name(snapshot)}")
        if is_gone or own_group.is_free(snapshot):
            claim = self._left.pop(handle, None)
            if claim:
                self._free[it.name(claim)] = snapshot

    def _free_one(self, snapshot: Item) -> None:
        """Frees a member that is ready."""
        if not own_group.can_be_freed(snapshot, self._group):
            return
        handle = self._handle(snapshot)
        claim = self._left.get(handle)
        if claim is None:
            return
        where = (volume_snapshot.RESOURCE, *it.identify(snapshot))
        one_of_driver = claim or next(iter(self._claims.values()))
        chosen = snapshot_class.of_claim(one_of_driver, self._context)
        change = self._own.freed(snapshot, claim, self._context.backup.asked, chosen)
        self._context.writer.patch(*where, own_group.without_group(), "status")
        self._context.writer.patch(*where, change)
        self._freed[it.uid(snapshot)] = handle, snapshot
        if not claim:
            self._strangers.append(snapshot)

    def _handle(self, snapshot: Item) -> str:
        """The storage's name of a snapshot; empty if its content is another's.

        Raises:
            ReadFailed: its content was not read.
        """
        name = volume_snapshot.content(snapshot)
        content = self._context.cluster.current(volume_snapshot_content.RESOURCE, "", name)
        if content and volume_snapshot_content.is_bound_to(content, snapshot):
            return volume_snapshot_content.handle(content)
        return ""


def content_of(group: Item, context: BackupContext) -> Item | None:
    """The content of a group, if that says so too; None without one."""
    name = volume_group_snapshot.content(group)
    if not name:
        return None
    resource = volume_group_snapshot.contents(volume_group_snapshot.version(group))
    content = context.cluster.current(resource, "", name)
    return content if content and volume_group_snapshot.is_bound_to(content, group) else None


def contents_of_members(group: Item, content: Item, context: BackupContext) -> Iterator[Item]:
    """The VolumeSnapshotContents of members, as the group's content says, which no tenant writes.

    Raises:
        ReadFailed: one was not read.
    """
    for volume, handle in volume_group_snapshot.snapshot_handles(content).items():
        name = volume_group_snapshot.member_content(group, volume)
        found = context.cluster.current(volume_snapshot_content.RESOURCE, "", name)
        if found and handle and volume_snapshot_content.handle(found) == handle:
            yield found


def delete_group(group: Item, content: Item | None, context: BackupContext) -> None:
    """Deletes a group with its content; the bytes of members go as the content says.

    Raises:
        ReadFailed: it may be left.
    """
    version = volume_group_snapshot.version(group)
    if content:
        resource = volume_group_snapshot.contents(version)
        context.writer.delete(resource, "", it.name(content), uid=it.uid(content))
    resource = volume_group_snapshot.resource(version)
    context.writer.delete(resource, *it.identify(group), uid=it.uid(group))
