"""Backup of snapshots, restores, clones, migrations, exports and backups of virtual machines."""

from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.outcome import BackupOutcome, Selector
from plugin.resources import action_object

APPLIES_TO = Selector(tuple(map(str, action_object.RESOURCES)))


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Store the object with a mark, for readers of the archive, that it is not to be replayed."""
    it.identify(item)
    return BackupOutcome(it.with_annotation(item, action_object.CARRIED_OUT, "true"))
