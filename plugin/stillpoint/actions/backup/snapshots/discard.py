"""Takes back a snapshot that no backup will hold."""

from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import volume_snapshot, volume_snapshot_content
from stillpoint.velero import marks
from stillpoint.velero.context import BackupContext


def discard(snapshot: Reference, claim: str, context: BackupContext) -> None:
    """Deletes the VolumeSnapshot of a claim in this backup, and its bytes in the storage.

    What has this name and is another's stays.

    A failure is logged: the reason why the snapshot is discarded matters more.

    Source: CleanupVolumeSnapshot in pkg/util/csi/volume_snapshot.go of Velero v1.18.
    """
    try:
        _delete(snapshot, claim, context)
    except StillpointError as error:
        context.log.error("%s may be left behind: %s", snapshot, error)  # noqa: TRY400


def _delete(snapshot: Reference, claim: str, context: BackupContext) -> None:
    namespace, name = snapshot.namespace, snapshot.name
    found = context.cluster.current(volume_snapshot.RESOURCE, namespace, name)
    is_of_backup = it.labels(found or {}).get(marks.OF_BACKUP_UID) == context.backup.uid
    if found is None or not is_of_backup or volume_snapshot.claim(found) != claim:
        return
    resource, content = volume_snapshot_content.RESOURCE, volume_snapshot.content(found)
    bound = context.cluster.current(resource, "", content) if content else None
    if bound and not volume_snapshot_content.is_deleted_with_snapshot(bound):
        change = volume_snapshot_content.deletion_with_snapshot()
        context.writer.patch(resource, "", content, change)
    context.writer.delete(volume_snapshot.RESOURCE, namespace, name)
