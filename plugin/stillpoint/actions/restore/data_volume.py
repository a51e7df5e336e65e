"""Restore of a DataVolume."""

from stillpoint.actions.restore.changes import repair
from stillpoint.actions.restore.losses import lost_data
from stillpoint.actions.restore.selection import plan, unselected
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.velero.context import RestoreContext

APPLIES_TO = Selector((str(data_volume.RESOURCE),))
DOES = "after its claim; marked only where the data of its disk comes back"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Creates a DataVolume after its claim, if the claim's bytes come back.

    The mark from the backup says that the claim is populated: CDI would wait for it for ever.
    """
    it.identify(item)
    reference = data_volume.RESOURCE.named(*it.identify(context.stored))
    made = plan.of(context, reference.namespace)
    if why := made.why_left_out(reference):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    claim = persistent_volume_claim.RESOURCE.named(reference.namespace, reference.name)
    loss = lost_data.of(claim, context) if data_volume.is_populated(context.stored) else None
    if loss:
        context.log.warning("not marked as filled: %s", loss)
    is_filled = data_volume.is_populated(context.stored) and loss is None
    item = repair.of_data_volume(item, context, is_filled=is_filled)
    if reference in made.names:
        item = data_volume.renamed(item, made.name(reference))
    if not data_volume.is_prepopulated(item):
        return RestoreOutcome(item)
    return RestoreOutcome(item, unselected.of([claim], context))
