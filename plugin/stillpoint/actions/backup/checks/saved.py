"""Reports disks whose data the backup does not save (rules 3.4 and 3.5, `RestorePossible`).

A machine whose disk is left out, and would not be populated again, is refused unless the backup is
for metadata. All else is the choice of whoever made the backup: a warning, which Velero counts.
Data is saved if a restore can bring the data back; files copied through a pod of KubeVirt cannot
come back.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from stillpoint.actions import policies
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.resources.disks import data_volume, persistent_volume_claim, storage_class, volume
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import fates, snapshotter, volume_snapshot_class
from stillpoint.velero.volumes.policy import Fate

_HINT = (
    "include it; if its data is not wanted, give the backup the label "
    "velero.kubevirt.io/metadataBackup"
)


def check_machine(machine: Item, instance: Item | None, context: BackupContext) -> None:
    """Checks the disks of a machine, hot-plugged ones of its instance too.

    Raises:
        Refusal: a disk is left out that no template of the machine would populate again; or what
            the backup asks of this plugin's own snapshots cannot be obeyed.
    """
    own = _claims(virtual_machine.volumes(machine))
    plugged = _claims(virtual_machine_instance.volumes(instance)) if instance else ()
    refilled = set(virtual_machine.data_volume_templates(machine))
    needed = [name for name in own if name not in refilled]
    _check(machine, needed, dict.fromkeys((*own, *plugged)), context)


def check_instance(instance: Item, context: BackupContext) -> None:
    """Checks the disks of an instance that no machine owns.

    Raises:
        Refusal: the instance stands alone, and a disk of it is left out; or what the backup asks of
            this plugin's own snapshots cannot be obeyed.
    """
    names = _claims(virtual_machine_instance.volumes(instance))
    is_recreated = virtual_machine_instance.is_owned(instance)
    _check(instance, () if is_recreated else names, names, context)


def _claims(volumes: Sequence[Item]) -> Sequence[str]:
    return [name for name in map(volume.disk_claim, volumes) if name]


def _check(
    item: Item, needed: Sequence[str], disks: Collection[str], context: BackupContext
) -> None:
    snapshotter.check(context.backup.asked)
    claims = {name: _claim(it.namespace(item), name, context) for name in disks}
    left_out = dict(_exclusions(claims, context))
    for name in () if context.backup.is_of_metadata else needed:
        if name in left_out:
            cause = f"its disk {name} is {left_out[name]}"
            raise Refusal(it.describe(item), "cannot be restored from this backup", cause, _HINT)
    unsaved = left_out | {
        name: why
        for name, claim in claims.items()
        if name not in left_out
        and (why := _why_not_saved(it.namespace(item), name, claim, context))
    }
    if unsaved:
        text = listing((f"{name} is {why}" for name, why in unsaved.items()), "; ")
        context.log.warning("the data of disks is not saved: %s", text)


def _claim(namespace: str, name: str, context: BackupContext) -> Item | None:
    return context.cluster.get(persistent_volume_claim.RESOURCE, namespace, name)


def _exclusions(
    claims: Mapping[str, Item | None], context: BackupContext
) -> Iterator[tuple[str, str]]:
    filters = policies.filters(context)
    for name, claim in claims.items():
        if claim and (reason := filters.bars(persistent_volume_claim.RESOURCE, claim)):
            yield name, f"left out {reason}"


def _why_not_saved(namespace: str, name: str, claim: Item | None, context: BackupContext) -> str:
    """The reason why nobody saves the data of a claim in the backup; empty if somebody does."""
    if claim is None:  # CDI makes it when it has something to populate it from
        is_coming = context.cluster.get(data_volume.RESOURCE, namespace, name)
        return "" if is_coming else "missing: there is no such claim"
    fate = policies.fates(context).of(claim)
    if fate is Fate.SKIP:
        return "skipped by the backup's settings or policies"
    if fate is Fate.FILE_SYSTEM:
        return _not_copied(claim, context)
    if fate.is_snapshot:
        return _not_snapshot(claim, context)
    return ""


def _not_copied(claim: Item, context: BackupContext) -> str:
    """The reason why a claim's files are not copied, or never put back; empty if they are."""
    if persistent_volume_claim.is_block(claim):
        return "to be copied file by file, but it is a block device"
    if policies.has_way_back(claim, context):
        return ""
    if policies.is_mounted(claim, context):
        return "copied file by file through its launcher pod, which no restore brings back"
    return "to be copied file by file, but no pod that runs mounts it"


def _not_snapshot(claim: Item, context: BackupContext) -> str:
    """The reason why a claim has no snapshot, or only a part of its volume; empty if none."""
    classes = _snapshot_classes(claim, context)
    if classes is None:
        return ""
    if not classes:
        return "without a VolumeSnapshotClass for its driver"
    backup = context.backup.asked
    if not any(map(volume_snapshot_class.lives_with_volume, classes)) or fates.moves_data(backup):
        return ""
    chosen = volume_snapshot_class.choose(claim, backup, classes)
    if chosen and volume_snapshot_class.lives_with_volume(chosen):
        return f"taken as a snapshot that goes with its volume ({it.name(chosen)}), and not moved"
    return ""


def _snapshot_classes(claim: Item, context: BackupContext) -> Sequence[Item] | None:
    """Snapshot classes of a claim's driver; None if unknown, or if another plugin may act."""
    name = persistent_volume_claim.storage_class(claim)
    found = context.cluster.get(storage_class.RESOURCE, "", name) if name else None
    if found is None or it.texts(context.backup.asked, "spec", "volumeSnapshotLocations"):
        return None
    by_driver = context.cluster.list_grouped(
        volume_snapshot_class.RESOURCE, "", volume_snapshot_class.drivers
    )
    return by_driver.get(storage_class.provisioner(found), ())
