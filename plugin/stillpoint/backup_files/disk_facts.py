"""Facts about the data of disks: is it there, is it whole, and is there a way back for it.

A report and the rehearsal of a restore ask them. Each takes disks and yields the names of those for
which it holds, with a reason where there is one.

Source: pkg/restore/actions/csi of Velero v1.18.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from stillpoint.backup_files.disk_data import DiskData, Method
from stillpoint.model import kinds
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import volume_snapshot
from stillpoint.resources.machines import pod
from stillpoint.velero.item_operation import ItemOperation
from stillpoint.velero.volumes import claim_data, data_upload

_COMPLETED = "Completed"

Disks = Iterable[DiskData]


def claims_missing(disks: Disks) -> Iterator[str]:
    """Disks whose claims the backup does not hold."""
    return (disk.claim.name for disk in disks if disk.item is None)


def without_data(disks: Disks) -> Iterator[str]:
    """Disks with a claim and no data."""
    for disk in _of(disks, Method.NONE):
        if disk.item is not None:
            yield disk.claim.name


def skipped(disks: Disks) -> Iterator[str]:
    """Disks that Velero skipped, with its reason."""
    by_reason: dict[str, list[str]] = {}
    for disk in _of(disks, Method.SKIPPED):
        why = disk.info.why_skipped.strip(" ;") if disk.info else ""
        by_reason.setdefault(why, []).append(disk.claim.name)
    for why, names in by_reason.items():
        yield f"{', '.join(names)} ({why})" if why else ", ".join(names)


def of_unknown_method(disks: Disks) -> Iterator[str]:
    """Disks of which nothing says whether and how their data was stored."""
    return (disk.claim.name for disk in _of(disks, Method.UNKNOWN))


def snapshots_missing(disks: Disks) -> Iterator[str]:
    """Disks whose claims name a VolumeSnapshot that the backup does not hold."""
    for disk in _of(disks, Method.SNAPSHOT):
        if disk.snapshot is None and disk.item is not None:
            yield f"{disk.claim.name} (VolumeSnapshot {claim_data.snapshot(disk.item)})"


def without_handle(disks: Disks) -> Iterator[str]:
    """Disks with a VolumeSnapshot whose content does not say where the storage has it.

    Velero 1.16 and newer restore by the status of the content that the VolumeSnapshot is bound to;
    1.15 went by an annotation of the VolumeSnapshot.
    """
    for disk in _of(disks, Method.SNAPSHOT):
        if disk.snapshot is not None and not disk.handle:
            yield disk.claim.name


def snapshots_failed(disks: Disks) -> Iterator[str]:
    """Disks whose snapshot failed, in the words of Velero or of the storage.

    The storage takes its words back when a snapshot becomes ready after all.
    """
    for disk in _of(disks, Method.SNAPSHOT, Method.NATIVE):
        error = _error(disk)
        if (disk.info and disk.info.has_failed) or (error and True not in _readiness(disk)):
            yield f"{disk.claim.name} ({error})" if error else disk.claim.name


def snapshots_not_ready(disks: Disks) -> Iterator[str]:
    """Disks whose snapshot the storage had not made ready when the backup ended."""
    for disk in _of(disks, Method.SNAPSHOT):
        said = _readiness(disk)
        if False in said and True not in said and not _error(disk):
            yield disk.claim.name


def uploads_missing(disks: Disks) -> Iterator[str]:
    """Disks that are to have been moved, without a DataUpload."""
    return (disk.claim.name for disk in _of(disks, Method.MOVED) if disk.upload is None)


def uploads_not_completed(disks: Disks) -> Iterator[str]:
    """Disks whose data was not moved wholly, or of which the repository has no name."""
    for disk in _of(disks, Method.MOVED):
        if disk.upload is not None and (why := data_upload.shortcoming(disk.upload)):
            yield f"{disk.claim.name} ({why})"


def uploads_of_one_claim(disks: Disks) -> Iterator[str]:
    """Disks that are to have been moved, with several DataUploads: Velero restores none of them."""
    for disk in _of(disks, Method.MOVED):
        if len(disk.uploads) > 1:
            yield f"{disk.claim.name} ({listing(disk.uploads)})"


def uploads_of_others(disks: Disks, uids: Collection[str]) -> Iterator[str]:
    """Disks whose DataUpload has the label of another Backup than that of these uids."""
    for disk in _of(disks, Method.MOVED):
        uid = data_upload.backup_uid(disk.upload) if disk.upload else ""
        if uid and uids and uid not in uids:
            yield disk.claim.name


def files_not_completed(disks: Disks) -> Iterator[str]:
    """Disks whose files were not copied wholly."""
    for disk in _of(disks, Method.FILES):
        if disk.info and disk.info.phase != _COMPLETED:
            yield f"{disk.claim.name} ({disk.info.phase or 'without a phase'})"


def without_way_back(disks: Disks) -> Iterator[str]:
    """Disks whose files were copied through a pod of the machine, which no restore brings back."""
    for disk in _of(disks, Method.FILES):
        if disk.info and pod.is_name_of_machine(disk.info.pod):
            yield disk.claim.name


def operations_failed(disks: Disks, failed: Mapping[Reference, ItemOperation]) -> Iterator[str]:
    """Disks that have data, and of which one of the failed operations of Velero is."""
    for disk in disks:
        names = [disk.claim]
        if disk.item is not None:
            snapshot = claim_data.snapshot(disk.item)
            names.append(kinds.VOLUME_SNAPSHOT.named(disk.claim.namespace, snapshot))
        of_disk = next(filter(None, map(failed.get, names)), None)
        if disk.is_taken and of_disk:
            yield f"{disk.claim.name} ({of_disk.error or of_disk.action})"


def in_storage(disks: Disks) -> Iterator[str]:
    """Disks whose snapshots stay with the storage."""
    return (disk.claim.name for disk in _of(disks, Method.SNAPSHOT, Method.NATIVE))


def _error(disk: DiskData) -> str:
    """The storage's message about a failure of the snapshot; empty if there is none."""
    holders = filter(None, (disk.snapshot, disk.content))
    return next(filter(None, map(volume_snapshot.error, holders)), "")


def _readiness(disk: DiskData) -> tuple[bool | None, ...]:
    """Readiness by the snapshot and by Velero's book; None of one that says nothing."""
    of_snapshot = volume_snapshot.is_ready(disk.snapshot) if disk.snapshot else None
    return of_snapshot, disk.info.is_ready if disk.info else None


def _of(disks: Disks, *methods: Method) -> Iterator[DiskData]:
    return (disk for disk in disks if disk.method in methods)
