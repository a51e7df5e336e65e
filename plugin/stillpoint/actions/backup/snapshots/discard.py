"""Takes back a snapshot that no backup will hold."""

from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import volume_snapshot, volume_snapshot_content
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import own_snapshots


def discard(snapshot: Reference, claim: str, context: BackupContext) -> None:
    """Deletes the VolumeSnapshot of a claim in this backup, and its bytes in the storage.

    What has this name and is another's stays.

    A failure is logged: the reason why the snapshot is discarded matters more.
    """
    try:
        found = context.cluster.current(volume_snapshot.RESOURCE, snapshot.namespace, snapshot.name)
        is_of_backup = own_snapshots.is_of(found or {}, context.backup.asked)
        if found and is_of_backup and volume_snapshot.claim(found) == claim:
            delete(found, context, with_bytes=True)
    except StillpointError as error:
        context.log.error("%s may be left behind: %s", snapshot, error)  # noqa: TRY400


def delete(snapshot: Item, context: BackupContext, *, with_bytes: bool) -> None:
    """Deletes this VolumeSnapshot, and no other that has got its name since.

    Source: CleanupVolumeSnapshot in pkg/util/csi/volume_snapshot.go of Velero v1.18.

    Args:
        with_bytes: its bytes in the storage go too, even if the class retains them.

    Raises:
        ReadFailed: it may be left.
    """
    resource, name = volume_snapshot_content.RESOURCE, volume_snapshot.content(snapshot)
    content = context.cluster.current(resource, "", name) if name else None
    if content and volume_snapshot_content.is_bound_to(content, snapshot):
        release(content, context, with_bytes=with_bytes)
    identity, uid = it.identify(snapshot), it.uid(snapshot)
    context.writer.delete(volume_snapshot.RESOURCE, *identity, uid=uid)


def release(content: Item, context: BackupContext, *, with_bytes: bool) -> None:
    """Lets the bytes in the storage go with the VolumeSnapshot, if the class does not retain them.

    Those of a member of a group would stay whatever the class says.

    Args:
        with_bytes: even if the class retains them.
    """
    resource, name = volume_snapshot_content.RESOURCE, it.name(content)
    if not volume_snapshot_content.is_deleted_with_snapshot(content):
        if not with_bytes:
            return
        context.writer.patch(resource, "", name, volume_snapshot_content.deletion_with_snapshot())
    if volume_snapshot_content.is_in_group(content):
        context.writer.patch(resource, "", name, volume_snapshot_content.without_group(), "status")
