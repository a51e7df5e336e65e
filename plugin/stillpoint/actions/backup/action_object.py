"""Backup of snapshots, restores, clones, migrations, exports and backups of virtual machines."""

from stillpoint.model import item as it
from stillpoint.model.context import BackupContext
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources import action_object

APPLIES_TO = Selector(tuple(map(str, action_object.RESOURCES)))


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Store the object with a mark, for readers of the archive, that it is not to be replayed."""
    it.identify(item)
    return BackupOutcome(it.with_annotation(item, action_object.CARRIED_OUT, "true"))
