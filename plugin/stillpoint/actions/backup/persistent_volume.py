"""Backup of a PersistentVolume: the last call before Velero takes the snapshot of its claim.

Velero's own actions for a claim come in this order: one brings the volume, which is backed up at
once, one takes the snapshot (executeActions in pkg/backup/item_backupper.go of Velero v1.18, which
lists actions of version 1 first). So the call is after the freeze, and before the snapshot.
"""

from stillpoint.actions.backup.evidence import cuts
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources.disks import persistent_volume
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(persistent_volume.RESOURCE),))
DOES = "as it was; when Velero came to it bounds the moment of its claim's snapshot, for evidence"


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Leaves the volume as it is, and notes that the snapshot of its claim is yet to be taken."""
    it.require_mapping(item, "metadata")
    cuts.note_volume(item, context)
    return BackupOutcome(item)
