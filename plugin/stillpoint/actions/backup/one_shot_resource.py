"""Backup of snapshots, restores, clones, migrations, exports and backups of virtual machines."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources import one_shot_resource
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector(tuple(map(str, one_shot_resource.RESOURCES)))
DOES = "marked as carried out"


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Stores the object with a mark, for readers of the archive, that no restore replays it."""
    it.identify(item)
    return BackupOutcome(it.with_annotation(item, one_shot_resource.CARRIED_OUT, "true"))
