"""Backup of a PersistentVolumeClaim, whoever uses it (rules 3.1 and 3.2)."""

from stillpoint.actions import uid_label
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.velero import marks
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(persistent_volume_claim.RESOURCE),))
DOES = "labelled with its uid, marked as populated or as being populated"


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Labels the claim with its uid, and marks if CDI has not populated the claim.

    A claim with a memory dump is left out where the backup wants none.
    """
    it.identify(item)
    if persistent_volume_claim.is_memory_dump(item) and not context.backup.has_memory_dumps:
        context.log.info("left out: a memory dump, which the backup does not want")
        return BackupOutcome(it.with_annotation(item, marks.SKIPPED, "true"))
    labelled = uid_label.set_to(item, it.uid(item), persistent_volume_claim.ORIGINAL_UID)
    return BackupOutcome(_with_population(labelled, context))


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
