"""Facts about the restore of a disk's data: its way back, and what the data outlives.

Source: pkg/restore/restore.go, pkg/restore/actions/csi/pvc_action.go and pkg/util/kube/pvc_pv.go of
Velero v1.18.
"""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps import file_copies
from stillpoint.rehearsal.velero_steps.restore import RestoreResult
from stillpoint.rehearsal.verdict import disks, of_backup
from stillpoint.rehearsal.verdict.case import Case, Disk, once
from stillpoint.resources.disks import data_volume, persistent_volume_claim, storage_class
from stillpoint.resources.machines import pending_start, pod, virtual_machine
from stillpoint.velero.volumes import data_upload, fates, volume_snapshot_class
from stillpoint.velero.volumes.policy import Fate


def without_way_back(case: Case) -> Iterator[str]:
    """Disks that are copied file by file, if at all, through no pod that a restore brings back."""
    for disk, claim in disks.claims(case):
        if case.around.fates.of(claim) is not Fate.FILE_SYSTEM:
            continue
        if persistent_volume_claim.is_block(claim):
            yield f"{disk.name} (a block device, of which no files can be copied)"
        elif not any(disks.mounting(case, claim)):
            yield f"{disk.name} (no pod that runs mounts it)"
        elif not _has_pod_that_comes_back(case, claim):
            yield disk.name


def _has_pod_that_comes_back(case: Case, claim: Item) -> bool:
    if case.around.restore.refuses(pod.RESOURCE):
        return False
    return _copied_through(case, claim) is not None


def _copied_through(case: Case, claim: Item) -> Item | None:
    """The pod through which a rehearsed backup copies the files of a claim; None if none."""
    around = case.around
    pods = disks.mounting(case, claim)
    return file_copies.through(claim, pods, around.backup.stored, around.fates)


def files_to_come(case: Case) -> Iterator[str]:
    """Disks into which Velero puts files back before the machine starts, each with the pod."""
    result = case.around.restored.get(case.reference)
    is_started_later = result and result.item and pending_start.start_as(result.item)
    for claim, name in _copied(case) if is_started_later else ():
        through = case.around.restored.get(pod.RESOURCE.named(claim.namespace, name))
        if through is not None and through.result is RestoreResult.CREATED:
            yield f"{claim.name} (pod {name})"


def _copied(case: Case) -> Iterator[tuple[Reference, str]]:
    """Claims of whose files the backup has copies, each with the name of the pod of the copy."""
    if case.around.ended:
        for data in of_backup.saved_as_files(case):
            yield data.claim, data.info.pod if data.info else ""
        return
    for disk, claim in disks.claims(case):
        if through := _copied_through(case, claim):
            yield disk.claim, it.name(through)


def not_restored(case: Case) -> Iterator[str]:
    """Disks that the backup has and the Restore does not bring, into a target without them."""
    for disk, claim in _disks_with_data(case):
        cause = _why_not_restored(case, claim)
        if cause and not _is_there(case, disk):
            yield f"{disk.name} ({cause})"


def _why_not_restored(case: Case, claim: Item) -> str:
    restore = case.around.restore
    if restore.refuses(persistent_volume_claim.RESOURCE):
        return "the Restore leaves persistentvolumeclaims out"
    if not case.around.fates.of(claim).is_snapshot:
        return ""
    if not restore.has_volumes:
        return "restorePVs: false"
    is_moved = fates.moves_data(case.around.request)
    is_upload_left_out = is_moved and restore.refuses(data_upload.RESOURCE)
    return f"the Restore leaves {data_upload.RESOURCE} out" if is_upload_left_out else ""


def stays_as_it_is(case: Case) -> Iterator[str]:
    """Disks of the target that Velero updates the objects of, and none of their bytes."""
    if case.around.restore.is_updating:
        yield from (disk.name for disk, _claim in _disks_with_data(case) if _is_there(case, disk))


def waits_for_consumer(case: Case) -> Iterator[str]:
    """Disks into which a data mover brings nothing before a pod uses them, which none will."""
    is_moved = fates.moves_data(case.around.request) and case.around.restore.has_volumes
    for disk, claim in _disks_with_data(case) if is_moved else ():
        if not case.around.fates.of(claim).is_snapshot or _is_there(case, disk):
            continue
        found = disks.storage_class_of(case, claim)
        is_delayed = found is not None and storage_class.binds_at_first_use(found)
        if is_delayed and not (disk.is_lasting and _starts(case)):
            yield disk.name


@once
def _starts(case: Case) -> bool:
    """True if the restore starts the machine, as far as is known."""
    result = case.around.restored.get(case.reference)
    if case.is_instance or result is None or result.item is None:
        return True
    return virtual_machine.starts_by_itself(result.item) or bool(
        pending_start.start_as(result.item)
    )


def snapshots_in_volume(case: Case) -> Iterator[str]:
    """Disks whose snapshots are part of the volume, and are not moved."""
    for disk, chosen in _snapshots_not_moved(case):
        if chosen is not None and volume_snapshot_class.lives_with_volume(chosen):
            yield f"{disk.name} (VolumeSnapshotClass {it.name(chosen)})"


def snapshots_in_storage(case: Case) -> Iterator[str]:
    """Disks whose snapshots stay with the storage, and outlive the volume."""
    for disk, chosen in _snapshots_not_moved(case):
        if chosen is None or not volume_snapshot_class.lives_with_volume(chosen):
            yield disk.name


def _snapshots_not_moved(case: Case) -> Iterator[tuple[Disk, Item | None]]:
    if fates.moves_data(case.around.request):
        return
    for disk, classes in disks.with_classes(case):
        if classes and disk.claim in case.around.backup.stored:
            claim = case.claim(disk) or {}
            yield disk, volume_snapshot_class.choose(claim, case.around.request, classes)


def _disks_with_data(case: Case) -> Iterator[tuple[Disk, Item]]:
    """Disks that the backup holds and that were filled."""
    for disk, claim in disks.claims(case):
        filler = case.around.cluster.get(
            data_volume.RESOURCE.named(disk.claim.namespace, disk.name)
        )
        is_filled = filler is None or data_volume.is_populated(filler)
        if disk.claim in case.around.backup.stored and is_filled:
            yield disk, claim


def _is_there(case: Case, disk: Disk) -> bool:
    """True if the target has a claim of the disk's restored name."""
    return _target(case, disk) in case.around.target


def _target(case: Case, disk: Disk) -> Reference:
    result = case.around.restored.get(disk.claim)
    namespace = case.around.restore.namespace(disk.claim.namespace)
    name = result.renamed.rpartition("/")[2] if result and result.renamed else disk.name
    return persistent_volume_claim.RESOURCE.named(namespace, name)
