"""Facts about the data of disks: is there any, and would a snapshot hold it?

Source: pkg/backup/actions/csi/pvc_action.go of Velero v1.18.
"""

from collections.abc import Iterator, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.rehearsal.verdict.case import Case, Disk, Role, once
from stillpoint.resources.disks import (
    data_volume,
    persistent_volume,
    persistent_volume_claim,
    storage_class,
    volume,
)
from stillpoint.velero.request import Backup
from stillpoint.velero.volumes import snapshotter, volume_snapshot_class
from stillpoint.velero.volumes.policy import Fate


def missing(case: Case) -> Iterator[str]:
    """Claims that do not exist."""
    knows = case.around.known.covers(persistent_volume_claim.RESOURCE)
    return (disk.name for disk in case.disks if knows and case.claim(disk) is None)


def unknown(case: Case) -> Iterator[str]:
    """Disks of which something that decides is not known."""
    for disk in case.disks:
        claim = case.claim(disk)
        if claim is None:
            if not case.around.known.covers(persistent_volume_claim.RESOURCE):
                yield f"{disk.name} (its claim)"
        elif not persistent_volume_claim.has_status(claim):
            yield f"{disk.name} (the status of its claim)"
        elif _needs_snapshot(case, claim) and (what := _not_known(case, claim)):
            yield f"{disk.name} (its {what})"


def exclusions(case: Case) -> Iterator[str]:
    """Claims that exist and that the backup would not hold."""
    for disk in case.disks:
        claim = case.claim(disk)
        if claim is None or it.text(claim, "metadata", "deletionTimestamp"):
            continue
        one = case.around.backup.items.get(disk.claim)
        if one is None or (one.stored is None and not one.error):
            yield disk.name


def being_deleted(case: Case) -> Iterator[str]:
    """Claims that are on their way out: Velero passes over them."""
    for disk, claim in claims(case):
        if it.text(claim, "metadata", "deletionTimestamp"):
            yield disk.name


def not_bound(case: Case) -> Iterator[str]:
    """Claims without a volume, except those that CDI is filling: a reason of their own."""
    being_filled = {name for name, _filler in _disks_without_data(case)}
    for disk, claim in claims(case):
        is_known = persistent_volume_claim.has_status(claim) and disk.name not in being_filled
        if is_known and not persistent_volume_claim.is_bound(claim):
            yield f"{disk.name} ({persistent_volume_claim.phase(claim)})"


def not_populated(case: Case) -> Iterator[str]:
    """Disks that do not hold their bytes yet, and that CDI could not fill again by itself."""
    for name, filler in _disks_without_data(case):
        if not _begins_again(case, filler):
            yield f"{name} ({_phase(filler)})"


def being_filled(case: Case) -> Iterator[str]:
    """Disks that CDI is filling, and fills again after a restore."""
    for name, filler in _disks_without_data(case):
        if _begins_again(case, filler):
            yield f"{name} ({_phase(filler)})"


def _begins_again(case: Case, filler: Item) -> bool:
    """True if the DataVolume is restored, and CDI can fill its claim by itself."""
    stored = data_volume.RESOURCE.named(*it.identify(filler)) in case.around.backup.stored
    is_refused = case.around.restore.refuses(data_volume.RESOURCE)
    return stored and not is_refused and data_volume.is_imported_again(filler)


@once
def _disks_without_data(case: Case) -> Sequence[tuple[str, Item]]:
    found = []
    for disk in case.disks:
        filler = case.around.cluster.get(
            data_volume.RESOURCE.named(disk.claim.namespace, disk.name)
        )
        if filler is not None and not data_volume.is_populated(filler):
            found.append((disk.name, filler))
    return found


def _phase(filler: Item) -> str:
    return it.text(filler, "status", "phase") or "no status"


def not_csi(case: Case) -> Iterator[str]:
    """Disks on volumes that no CSI driver serves."""
    for disk, claim in _snapshots(case):
        found = _volume(case, claim)
        if found is not None and not persistent_volume.csi_driver(found):
            yield disk.name


def no_storage_class(case: Case) -> Iterator[str]:
    """Disks whose StorageClass is not named, or does not exist: Velero refuses their claims."""
    for disk, claim in _snapshots(case):
        name = persistent_volume_claim.storage_class(claim)
        reference = storage_class.RESOURCE.named("", name)
        knows = case.around.known.covers(storage_class.RESOURCE)
        if not name or (knows and reference not in case.around.cluster):
            yield disk.name


def no_snapshot_class(case: Case) -> Iterator[str]:
    """Disks whose driver has no VolumeSnapshotClass."""
    return (disk.name for disk, classes in with_classes(case) if not classes)


def snapshot_class_not_chosen(case: Case) -> Iterator[str]:
    """Disks whose driver has several classes, none of them marked: Velero takes none."""
    for disk, classes in with_classes(case):
        claim = case.claim(disk) or {}
        if classes and not volume_snapshot_class.choose(claim, case.around.request, classes):
            yield disk.name


def several_snapshot_classes(case: Case) -> Iterator[str]:
    """Disks whose driver has several labelled classes: Velero takes the first."""
    for disk, classes in with_classes(case):
        claim = case.claim(disk) or {}
        labelled = volume_snapshot_class.with_label(classes)
        if len(labelled) > 1 and not _is_named(case, claim, classes):
            yield f"{disk.name} ({listing(map(it.name, labelled))})"


def has_snapshots(case: Case) -> bool:
    """True if a disk's data is taken at one moment, by Velero, the plugin or a custom action.

    A machine without disks has none to lose; a claim that was not read may get a snapshot.
    """
    if not case.disks:
        return True
    if not case.around.known.covers(persistent_volume_claim.RESOURCE):
        return _takes_snapshots(case)
    return any(
        disk.claim in case.around.backup.stored
        and case.around.fates.of(claim) in (Fate.SNAPSHOT, Fate.OWN, Fate.CUSTOM)
        for disk, claim in claims(case)
    )


def without_snapshots(case: Case) -> Iterator[str]:
    """Disks that nobody takes, of a backup without snapshots that was not asked for that."""
    if _takes_snapshots(case) or metadata_only(case):
        return
    found = case.around.fates
    for disk in case.disks:
        claim = case.claim(disk)
        if claim is None or (found.by_policy(claim) is None and found.of(claim) is Fate.SKIP):
            yield disk.name


def metadata_only(case: Case) -> tuple[str, ...]:
    """The backup was asked for no data, by a label of kubevirt-velero-plugin."""
    is_of_metadata = Backup.parse(case.around.request).is_of_metadata
    return ("",) if is_of_metadata and not _takes_snapshots(case) else ()


def _takes_snapshots(case: Case) -> bool:
    """True if somebody takes snapshots of disks that nothing else decides about."""
    request = case.around.request
    return snapshotter.takes_snapshots(request) or snapshotter.takes_rest(request)


def file_copies(case: Case) -> Iterator[str]:
    """Disks that Velero would copy file by file, while the guest writes to them."""
    for disk, claim in claims(case) if case.instance is not None else ():
        if case.around.fates.of(claim) is Fate.FILE_SYSTEM:
            yield disk.name


def policy_skips(case: Case) -> Iterator[str]:
    """Disks that a volume policy of the backup passes over."""
    return _with_fate(case, Fate.SKIP)


def custom_actions(case: Case) -> Iterator[str]:
    """Disks that a volume policy leaves to an action that is not Velero's own."""
    return _with_fate(case, Fate.CUSTOM)


def _with_fate(case: Case, fate: Fate) -> Iterator[str]:
    for disk, claim in claims(case):
        if case.around.fates.by_policy(claim) is fate:
            yield disk.name


def unknown_policies(case: Case) -> tuple[str, ...]:
    """ConfigMaps with policies of the backup that were not read."""
    return case.around.selection.unknown_policies


def not_lasting(case: Case) -> Iterator[str]:
    """Hot-plugged disks that the machine's specification does not name."""
    for disk in case.disks:
        if disk.role is Role.HOT_PLUGGED and not disk.is_lasting:
            yield disk.name


def unsaved_volumes(case: Case) -> Iterator[str]:
    """Volumes of a kind that no snapshot covers."""
    for entry in case.volumes:
        if kind := volume.unsaved_kind(entry):
            yield f"{it.text(entry, 'name')} ({kind})"


def claims(case: Case) -> Iterator[tuple[Disk, Item]]:
    """Disks whose claim is known, each with the claim."""
    for disk in case.disks:
        if claim := case.claim(disk):
            yield disk, claim


def mounting(case: Case, claim: Item) -> Sequence[Item]:
    """The pods that mount a claim."""
    return case.around.mounting.get(persistent_volume_claim.RESOURCE.named(*it.identify(claim)), ())


def _needs_snapshot(case: Case, claim: Item) -> bool:
    return persistent_volume_claim.is_bound(claim) and case.around.fates.of(claim).is_snapshot


@once
def _snapshots(case: Case) -> Sequence[tuple[Disk, Item]]:
    """Disks that Velero or the plugin would take snapshots of, if their storage can."""
    return [(disk, claim) for disk, claim in claims(case) if _needs_snapshot(case, claim)]


def _volume(case: Case, claim: Item) -> Item | None:
    name = persistent_volume_claim.volume(claim)
    return case.around.cluster.get(persistent_volume.RESOURCE.named("", name))


def storage_class_of(case: Case, claim: Item) -> Item | None:
    """The StorageClass of a claim; None if it is not known."""
    name = persistent_volume_claim.storage_class(claim)
    return case.around.cluster.get(storage_class.RESOURCE.named("", name))


def csi_driver(case: Case, claim: Item) -> str:
    """The driver of a claim's volume, or else of its StorageClass; empty if neither is known."""
    found = _volume(case, claim)
    return persistent_volume.csi_driver(found) if found else _driver(case, claim)


def _driver(case: Case, claim: Item) -> str:
    """The driver for Velero's snapshot classes: the provisioner of the StorageClass."""
    found = storage_class_of(case, claim)
    return storage_class.provisioner(found) if found else ""


def _not_known(case: Case, claim: Item) -> str:
    """The unknown link between a claim and its snapshot."""
    if _volume(case, claim) is None:
        return "PersistentVolume"
    if storage_class_of(case, claim) is None and not case.around.known.covers(
        storage_class.RESOURCE
    ):
        return "StorageClass"
    if not case.around.known.covers(volume_snapshot_class.RESOURCE):
        return "VolumeSnapshotClass"
    return ""


@once
def with_classes(case: Case) -> Sequence[tuple[Disk, Sequence[Item]]]:
    """Disks of which all is known, each with the snapshot classes of its driver."""
    all_classes = case.around.all_of(volume_snapshot_class.RESOURCE)
    found = []
    for disk, claim in _snapshots(case):
        volume_of_claim, driver = _volume(case, claim), _driver(case, claim)
        is_csi = volume_of_claim is not None and persistent_volume.csi_driver(volume_of_claim)
        if is_csi and driver and not _not_known(case, claim):
            found.append((disk, volume_snapshot_class.of_driver(all_classes, driver)))
    return found


def _is_named(case: Case, claim: Item, classes: Sequence[Item]) -> bool:
    driver = _driver(case, claim)
    return volume_snapshot_class.is_named(claim, case.around.request, classes, driver)
