"""Takes back what a group snapshot of a backup has left: labels of claims, and the group itself.

A plugin's process that is killed in between leaves them, and the next backup of the namespace finds
them. Whether the bytes of members go with a group is what its content says: until a process frees
the members, that is the class's word, from then on `Retain`.
"""

from collections.abc import Iterator, Mapping, Sequence

from stillpoint.actions import policies
from stillpoint.actions.backup.snapshots import discard, members, own_group
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.resources.disks import (
    volume_group_snapshot,
    volume_snapshot,
    volume_snapshot_content,
)
from stillpoint.velero import own_objects
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import fates, own_snapshots


def delete(namespace: str, context: BackupContext, *, is_likely: bool) -> None:
    """Takes labels off and deletes groups in a namespace that no process needs any more.

    One that cannot be changed keeps no other from it; a failure is logged.

    Args:
        is_likely: groups are looked for even where no label is left and no policy asks for them.

    Raises:
        StillpointError: the namespace could not be read.
    """
    marks = list(_left_marks(namespace, context))
    for claim, label in marks:
        _unmark(claim, label, context)
    if marks or is_likely or policies.fates(context).policy.asks_for_groups:
        for backup, groups in _groups(namespace, context).items():
            for group in groups:
                _delete_if_left(group, backup, context)


def _unmark(claim: Item, label: str, context: BackupContext) -> None:
    change = {"metadata": {"labels": {label: None}}}
    try:
        context.writer.patch(kinds.CLAIM, *it.identify(claim), change)
    except StillpointError as error:
        context.log.warning("%s keeps the label %s: %s", it.describe(claim), label, error)
        return
    context.log.info("took the label %s of a former group snapshot off %s", label, it.name(claim))


def _left_marks(namespace: str, context: BackupContext) -> Iterator[tuple[Item, str]]:
    """Claims with the label of a group that is over, and the label."""
    claims = context.cluster.list_grouped(kinds.CLAIM, namespace, it.names)
    for [claim] in claims.values():
        for label, value in own_group.marks(claim):
            if not _is_needed(value, context):
                yield claim, label


def _is_needed(value: str, context: BackupContext) -> bool:
    """True if the value of a claim's label is of another Velero, or of a backup that goes on."""
    velero = context.backup.namespace
    if not own_group.is_of_velero(value, velero):
        return True
    found = context.cluster.list_grouped(own_objects.BACKUP, velero, it.names)
    backups = (one for each in found.values() for one in each)
    return any(
        own_group.is_of_backup(value, one) for one in backups if not own_objects.has_ended(one)
    )


def _groups(namespace: str, context: BackupContext) -> Mapping[str, Sequence[Item]]:
    """Groups of this plugin's backups, by namespace and name of the Backup."""
    for version in kinds.GROUP_SNAPSHOT_VERSIONS:
        found = context.cluster.list_grouped(
            volume_group_snapshot.resource(version),
            namespace,
            own_snapshots.backups,
            own_snapshots.TAKEN_WITH,
        )
        if found:
            return found  # the other version has the same ones
    return {}


def _is_left(group: Item, backup: str, context: BackupContext) -> bool:
    namespace, _slash, name = backup.partition("/")
    if namespace != context.backup.namespace or not name or it.is_being_deleted(group):
        return False
    if own_snapshots.is_of(group, context.backup.asked):
        return False
    found = context.cluster.single(own_objects.BACKUP, namespace, name)
    return not found or not own_snapshots.is_of(group, found) or own_objects.has_ended(found)


def _delete_if_left(group: Item, backup: str, context: BackupContext) -> None:
    try:
        if _is_left(group, backup, context):
            _delete(group, context)
            context.log.info("deleted %s, which a backup has left behind", it.describe(group))
    except StillpointError as error:
        context.log.warning("%s may be left behind: %s", it.describe(group), error)


def _delete(group: Item, context: BackupContext) -> None:
    """Deletes a group; members that nobody has freed go with it, in the storage too.

    Labels and annotations are anybody's to write. Without the seal of its Backup only the
    VolumeGroupSnapshot goes, and its class decides about the rest.
    """
    content = members.content_of(group, context) if _is_proven(group, context) else None
    if content:
        for member in members.contents_of_members(group, content, context):
            where = volume_snapshot_content.snapshot(member)
            snapshot = context.cluster.current(
                volume_snapshot.RESOURCE, where.namespace, where.name
            )
            if snapshot and own_group.is_member(snapshot, group):
                discard.release(member, context, with_bytes=True)
    members.delete_group(group, content, context)


def _is_proven(group: Item, context: BackupContext) -> bool:
    [backup] = own_snapshots.backups(group)
    namespace, _slash, name = backup.partition("/")
    found = context.cluster.single(own_objects.BACKUP, namespace, name)
    if found is None or is_uid_shown(it.namespace(group), found, context):
        return False
    return own_group.is_made_by(group, it.uid(found))


def is_uid_shown(namespace: str, backup: Item, context: BackupContext) -> bool:
    """True if Velero's own group snapshots may show the backup's uid in a namespace.

    Then neither a seal nor a name that is made of it proves anything there.

    Raises:
        ReadFailed: a read failed.
    """
    claims = context.cluster.list_grouped(kinds.CLAIM, namespace, it.names)
    return any(fates.shows_uid(backup, claim) for each in claims.values() for claim in each)
