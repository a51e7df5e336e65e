"""Deletes snapshots that this plugin has taken for a backup that has ended without them.

A server that is restarted takes its backup for failed, and a plugin's process that dies fails the
claim in its hands; nobody knows their snapshots then. The next backup that takes a snapshot in the
namespace deletes them, in the storage too, when its own are taken.

A snapshot that has reached an archive has Velero's annotation with the handle, and is Velero's to
delete, unless its backup has failed as a whole and so has no archive.

Labels and annotations can be written by whoever may write VolumeSnapshots, who may have no right to
delete what the class retains in the storage. The name, or the seal of a member of a group, is made
of the Backup's uid, which only Velero's namespace shows: without it the VolumeSnapshot goes, and
the class decides about the bytes. So it does in a namespace where Velero's own group snapshots show
the uid, too.
"""

from stillpoint.actions.backup.snapshots import discard, left_groups, own_group
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume_claim, volume_snapshot
from stillpoint.velero import own_objects
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import own_snapshots


def delete(namespace: str, context: BackupContext) -> None:
    """Deletes what former backups have left in a namespace; looks once in a backup.

    A failure is logged: the next backup looks again.
    """
    if not context.snapshots.is_first_look(namespace):
        return
    try:
        has_left = _delete_snapshots(namespace, context)
        left_groups.delete(namespace, context, is_likely=has_left)
    except StillpointError as error:
        context.log.warning("snapshots of former backups may be left behind: %s", error)


def _delete_snapshots(namespace: str, context: BackupContext) -> bool:
    """Deletes what was left of snapshots; true if there was one, deleted or not."""
    found = context.cluster.list_grouped(
        volume_snapshot.RESOURCE, namespace, own_snapshots.backups, own_snapshots.TAKEN_WITH
    )
    left = [
        _delete_if_left(snapshot, backup, context)
        for backup, snapshots in found.items()
        for snapshot in snapshots
    ]
    return any(left)


def _delete_if_left(snapshot: Item, backup: str, context: BackupContext) -> bool:
    """One that cannot be deleted keeps no other from it: who made it may have seen to that."""
    try:
        if not _is_left(snapshot, backup, context):
            return False
        discard.delete(snapshot, context, with_bytes=_is_proven(snapshot, backup, context))
        context.log.info("deleted %s, which backup %s has left behind", it.name(snapshot), backup)
    except StillpointError as error:
        context.log.warning("%s may be left behind: %s", it.describe(snapshot), error)
    return True


def _is_left(snapshot: Item, backup: str, context: BackupContext) -> bool:
    namespace, _slash, name = backup.partition("/")
    is_ours = namespace == context.backup.namespace  # there may be another Velero
    if not is_ours or not name or it.is_being_deleted(snapshot):
        return False
    if own_snapshots.is_of(snapshot, context.backup.asked):
        return False
    found = context.cluster.single(own_objects.BACKUP, namespace, name)
    return own_snapshots.is_left(snapshot, found)


def _is_proven(snapshot: Item, backup: str, context: BackupContext) -> bool:
    """True if that backup has given the snapshot its name, or its seal as a member of a group."""
    namespace, _slash, name = backup.partition("/")
    found = context.cluster.single(own_objects.BACKUP, namespace, name)
    resource, of = persistent_volume_claim.RESOURCE, volume_snapshot.claim(snapshot)
    claim = context.cluster.get(resource, it.namespace(snapshot), of) if of else None
    if (
        found is None
        or claim is None
        or left_groups.is_uid_shown(it.namespace(snapshot), found, context)
    ):
        return False
    uid = it.uid(found)
    is_named = it.name(snapshot) == own_snapshots.name(claim, uid)
    return is_named or own_group.is_sealed(snapshot, claim, uid)
