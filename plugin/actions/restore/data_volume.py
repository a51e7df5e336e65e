"""Restore of a DataVolume."""

from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.model.outcome import RestoreOutcome, Selector
from plugin.resources import data_volume, persistent_volume_claim

APPLIES_TO = Selector((str(data_volume.RESOURCE),))


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Create a DataVolume after the claim that it was filled into.

    Without its claim CDI would wait for it: the mark from the backup says that it is filled.
    """
    _namespace, name = it.identify(item)
    if not data_volume.is_prepopulated(item):
        return RestoreOutcome(item)
    claim = persistent_volume_claim.RESOURCE.named(it.namespace(context.stored), name)
    return RestoreOutcome(item, (claim,))
