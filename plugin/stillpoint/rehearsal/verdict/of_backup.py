"""Facts about a finished backup: is it whole and there to stay, and has it the data of each disk.

`stillpoint report` asks the same of the backup alone. Sources: pkg/restore/actions/csi and
pkg/restore/actions/dataupload_retrieve_action.go of Velero v1.18.
"""

from collections.abc import Iterator, Sequence

from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.rehearsal.velero_steps.restore import RestoreResult
from stillpoint.rehearsal.verdict.case import Case, Disk, once
from stillpoint.rehearsal.verdict.ended_backup import EndedBackup
from stillpoint.resources.disks import volume_snapshot
from stillpoint.velero import backup_status, own_objects
from stillpoint.velero.volumes import claim_data, data_upload


def _ended(case: Case) -> EndedBackup:
    if case.around.ended is None:
        raise ValueError("a backup that is rehearsed has not ended")
    return case.around.ended


def failed(case: Case) -> Iterator[str]:
    """The phase of a backup that failed as a whole, with Velero's reason."""
    backup = _ended(case).backup or {}
    if own_objects.phase(backup) in ("Failed", "FailedValidation"):
        yield own_objects.failure(backup) or own_objects.phase(backup)


def being_deleted(case: Case) -> Sequence[str]:
    """One empty word if Velero deletes the backup."""
    return ("",) if own_objects.phase(_ended(case).backup or {}) == "Deleting" else ()


def going_on(case: Case) -> Iterator[str]:
    """The phase of a backup that has not ended."""
    backup = _ended(case).backup
    if backup is not None and not own_objects.has_ended(backup) and not being_deleted(case):
        yield own_objects.phase(backup) or "New"


def expired(case: Case) -> Sequence[str]:
    """One empty word if the backup has expired."""
    expires = backup_status.expires(_ended(case).backup or {})
    return ("",) if expires and expires < _ended(case).now else ()


def without_object(case: Case) -> Sequence[str]:
    """One empty word if the Backup is neither beside its archive nor in the target."""
    return ("",) if _ended(case).backup is None else ()


def uploads_missing(case: Case) -> Iterator[str]:
    """Disks whose data was to be moved, without the DataUpload that their claims name."""
    return (disk.name for disk, upload in _uploads(case) if upload is None)


def uploads_not_completed(case: Case) -> Iterator[str]:
    """Disks whose data was not moved wholly."""
    for disk, upload in _uploads(case):
        if upload is not None and (why := data_upload.shortcoming(upload)):
            yield f"{disk.name} ({why})"


def uploads_of_one_claim(case: Case) -> Iterator[str]:
    """Disks whose data was to be moved, with several DataUploads: Velero restores none of them."""
    for disk, _upload in _uploads(case):
        names = _ended(case).uploads.get(disk.claim, ())
        if len(names) > 1:
            yield f"{disk.name} ({listing(names)})"


def snapshots_failed(case: Case) -> Iterator[str]:
    """Disks whose snapshot failed, in the words of the storage."""
    for disk, snapshot, content in snapshots(case):
        errors = map(volume_snapshot.error, (snapshot, content))
        error = next(filter(None, errors), "")
        if error and not volume_snapshot.is_ready(snapshot):
            yield f"{disk.name} ({error})"


def snapshots_not_ready(case: Case) -> Iterator[str]:
    """Disks whose snapshot the storage had not made ready when the backup ended."""
    failures = {one.partition(" ")[0] for one in snapshots_failed(case)}
    for disk, snapshot, _content in snapshots(case):
        if volume_snapshot.is_ready(snapshot) is False and disk.name not in failures:
            yield disk.name


@once
def snapshots(case: Case) -> Sequence[tuple[Disk, Item, Item]]:
    """Disks that the restore makes of snapshots in the storage, each with snapshot and content.

    What the archive lacks has no fields.
    """
    stored, found = case.around.backup.stored, []
    for disk, claim in _new(case):
        name = claim_data.snapshot(claim)
        if name and not claim_data.is_uploaded(claim):
            snapshot = stored.get(kinds.VOLUME_SNAPSHOT.named(disk.claim.namespace, name), {})
            content = kinds.VOLUME_SNAPSHOT_CONTENT.named("", volume_snapshot.content(snapshot))
            found.append((disk, snapshot, stored.get(content, {})))
    return found


def _uploads(case: Case) -> Iterator[tuple[Disk, Item | None]]:
    """Disks that the restore makes of moved data, each with the DataUpload that its claim names."""
    for disk, claim in _new(case):
        if claim_data.is_uploaded(claim):
            upload = data_upload.RESOURCE.named(*claim_data.upload_place(claim))
            yield disk, case.around.backup.stored.get(upload)


def _new(case: Case) -> Iterator[tuple[Disk, Item]]:
    """Disks whose claims the restore creates, each with the stored claim."""
    for disk in case.disks:
        claim = case.around.backup.stored.get(disk.claim)
        result = case.around.restored.get(disk.claim)
        if claim and result is not None and result.result is RestoreResult.CREATED:
            yield disk, claim
