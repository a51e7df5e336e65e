"""Restore of a VolumeSnapshot (rule 4.4)."""

from plugin.actions import uid_label
from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.model.outcome import RestoreOutcome, Selector
from plugin.resources import volume_snapshot

APPLIES_TO = Selector((str(volume_snapshot.RESOURCE),))


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Create the snapshot without the backup's uid label."""
    it.identify(item)
    return RestoreOutcome(uid_label.given_back(item, volume_snapshot.ORIGINAL_UID))
