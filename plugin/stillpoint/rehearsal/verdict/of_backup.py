"""Facts about a finished backup: is it whole and there to stay, and has it the data of each disk.

`stillpoint report` asks the same of the backup alone. Sources: pkg/restore/actions/csi and
pkg/restore/actions/dataupload_retrieve_action.go of Velero v1.18.
"""

from collections.abc import Callable, Iterator, Sequence

from stillpoint.backup_files import disk_data, disk_facts
from stillpoint.backup_files.disk_data import DiskData, Method
from stillpoint.backup_files.disk_facts import Disks
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from stillpoint.rehearsal.verdict.case import Case, Disk, once
from stillpoint.rehearsal.verdict.ended_backup import EndedBackup
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.velero import backup_status, own_objects

Fact = Callable[[Case], Iterator[str]]


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


def _of_new(fact: Callable[[Disks], Iterator[str]]) -> Fact:
    """The fact about the disks whose claims the restore creates."""
    return lambda case: fact(data for _disk, data in new_disks(case))


snapshots_missing = _of_new(disk_facts.snapshots_missing)
snapshots_failed = _of_new(disk_facts.snapshots_failed)
snapshots_not_ready = _of_new(disk_facts.snapshots_not_ready)
without_handle = _of_new(disk_facts.without_handle)
uploads_missing = _of_new(disk_facts.uploads_missing)
uploads_not_completed = _of_new(disk_facts.uploads_not_completed)
uploads_of_one_claim = _of_new(disk_facts.uploads_of_one_claim)
files_not_completed = _of_new(disk_facts.files_not_completed)
without_way_back = _of_new(disk_facts.without_way_back)


def uploads_of_others(case: Case) -> Iterator[str]:
    """See `disk_facts`."""
    data = (one for _disk, one in new_disks(case))
    return disk_facts.uploads_of_others(data, _ended(case).books.uids)


def operations_failed(case: Case) -> Iterator[str]:
    """See `disk_facts`."""
    data = (one for _disk, one in new_disks(case))
    return disk_facts.operations_failed(data, _ended(case).books.failed)


@once
def new_disks(case: Case) -> Sequence[tuple[Disk, DiskData]]:
    """Disks whose claims the restore creates, each with its data in the backup."""
    return [
        (disk, data)
        for disk, data, result in _disks(case)
        if result.result is RestoreResult.CREATED
    ]


def saved_as_files(case: Case) -> Iterator[DiskData]:
    """Disks of which the backup has files that Velero puts back into a claim."""
    for _disk, data, _result in _disks(case):
        if data.method is Method.FILES and data.info and data.info.handle:
            yield data


def data(case: Case, claim: Reference) -> DiskData:
    """The data of a claim in the backup."""
    ended = _ended(case)
    return disk_data.of(claim, ended.objects, ended.books)


def has_object(case: Case) -> bool:
    """True if the Backup is beside its archive or in the target."""
    return _ended(case).backup is not None


def untaken(case: Case, *methods: Method) -> Iterator[DiskData]:
    """Data of disks, kept in one of these ways, that had bytes when they were backed up.

    Their claims are created by the restore, or by CDI, to which the plugin leaves them.
    """
    for _disk, data, result in _disks(case):
        is_new = result.result is RestoreResult.CREATED or bool(result.skipped_by)
        if is_new and data.method in methods and data.item and _had_bytes(data.item):
            yield data


@once
def _disks(case: Case) -> Sequence[tuple[Disk, DiskData, RestoredItem]]:
    """Disks whose claims the backup has, each with its data and the result for its claim."""
    ended = _ended(case)
    return [
        (disk, disk_data.of(disk.claim, ended.objects, ended.books), result)
        for disk in case.disks
        if (result := case.around.restored.get(disk.claim)) is not None
    ]


def _had_bytes(claim: Item) -> bool:
    is_filled = not persistent_volume_claim.is_in_progress(claim)
    return persistent_volume_claim.is_bound(claim) and is_filled
