"""Backup of a PersistentVolumeClaim, whoever uses it (rules 3.1 and 3.2)."""

from stillpoint.actions import policies, uid_label
from stillpoint.actions.backup.evidence import cuts
from stillpoint.actions.backup.snapshots import by_velero, moved, own_group, take
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Progress, Selector
from stillpoint.resources.disks import (
    data_volume,
    persistent_volume_claim,
    volume_snapshot,
    volume_snapshot_content,
)
from stillpoint.velero import marks
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import claim_data, fates
from stillpoint.velero.volumes.own_snapshots import Taken

APPLIES_TO = Selector((str(persistent_volume_claim.RESOURCE),))
DOES = (
    "labelled with its uid, marked as populated or as being populated; its snapshot, where the "
    "backup leaves that to the plugin"
)


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Labels the claim with its uid, and marks if CDI has not populated the claim.

    A claim with a memory dump is left out where the backup wants none. A claim whose volume the
    backup leaves to this plugin is stored with its snapshot, and without the label by which a group
    snapshot may have selected it.

    Raises:
        StillpointError: there is no such snapshot, or nobody has taken one that policies ask for.
    """
    it.identify(item)
    for mark, _value in own_group.marks(item):
        item = it.without(item, "metadata", "labels", mark)
    if persistent_volume_claim.is_memory_dump(item) and not context.backup.has_memory_dumps:
        context.log.info("left out: a memory dump, which the backup does not want")
        return BackupOutcome(it.with_annotation(item, marks.SKIPPED, "true"))
    labelled = uid_label.set_to(item, it.uid(item), persistent_volume_claim.ORIGINAL_UID)
    stored = _with_population(labelled, context)
    if context.backup.is_finalizing:
        return BackupOutcome(stored)
    if not policies.fates(context).is_own(item):
        by_velero.check(item, context)
        cuts.note_upload(item, context)
        return BackupOutcome(stored)
    if fates.moves_data(context.backup.asked):
        return moved.outcome(stored, moved.upload(item, context) or _upload(item, context), context)
    return _with_snapshot(stored, take.of_claim(item, context), context)


def progress(operation: str, context: BackupContext) -> Progress:
    """The progress of the data mover with a claim's data."""
    return moved.progress(operation, context)


def cancel(operation: str, context: BackupContext) -> None:
    """Stops the data mover's work for a claim."""
    moved.cancel(operation, context)


def _upload(claim: Item, context: BackupContext) -> Item:
    moved.check_mover(claim, context)
    return moved.begin(claim, take.of_claim(claim, context), context)


def _with_snapshot(claim: Item, taken: Taken, context: BackupContext) -> BackupOutcome:
    """Stores the claim as Velero does with a snapshot; Velero's action for that does the rest."""
    snapshot = it.name(taken.snapshot)
    size = volume_snapshot_content.restore_bytes(taken.content)
    stored = claim_data.with_snapshot(claim, snapshot, context.backup.name, size)
    return BackupOutcome(stored, (volume_snapshot.RESOURCE.named(it.namespace(claim), snapshot),))


def _with_population(claim: Item, context: BackupContext) -> Item:
    owner = persistent_volume_claim.data_volume(claim)
    if not owner:
        return claim
    filled_by = context.cluster.get(data_volume.RESOURCE, it.namespace(claim), owner)
    if filled_by is None:
        context.log.warning("its DataVolume %s is gone; stored without a note about it", owner)
        return claim
    if data_volume.is_populated(filled_by):
        return it.with_annotation(claim, persistent_volume_claim.POPULATED_FOR, owner)
    return it.with_annotation(claim, persistent_volume_claim.IN_PROGRESS, owner)
