"""Backup of a VolumeSnapshot (rule 3.3)."""

from stillpoint.actions import uid_label
from stillpoint.actions.backup.evidence import cuts
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources.disks import persistent_volume_claim, volume_snapshot
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(volume_snapshot.RESOURCE),))
DOES = "labelled with the uid of its claim; marked with when it was taken, for evidence"


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Labels the snapshot with the uid of its claim, and stores when it was cut."""
    namespace, _name = it.identify(item)
    source = volume_snapshot.claim(item)
    if not source:
        return BackupOutcome(item)
    claim = context.cluster.get(persistent_volume_claim.RESOURCE, namespace, source)
    if claim is None:
        context.log.warning("its claim %s is gone; stored without the claim's uid", source)
        return BackupOutcome(item)
    cuts.note_snapshot(item, claim, context)
    return BackupOutcome(uid_label.set_to(item, it.uid(claim), volume_snapshot.ORIGINAL_UID))
