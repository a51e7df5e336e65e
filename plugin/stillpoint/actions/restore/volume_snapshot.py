"""Restore of a VolumeSnapshot (rule 4.4)."""

from stillpoint.actions import uid_label
from stillpoint.actions.restore.selection import plan
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.resources import by_products
from stillpoint.resources.disks import persistent_volume_claim, volume_snapshot
from stillpoint.velero.context import RestoreContext

APPLIES_TO = Selector((str(volume_snapshot.RESOURCE),))
DOES = "label taken off"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Creates the snapshot without the backup's uid label, unless the plan leaves it out."""
    it.identify(item)
    claim = volume_snapshot.claim(context.stored)
    reference = persistent_volume_claim.RESOURCE.named(it.namespace(context.stored), claim)
    made = plan.of(context, reference.namespace)
    if why := made.why_left_out(reference) or by_products.why(context.stored):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    return RestoreOutcome(uid_label.restore_label(item, volume_snapshot.ORIGINAL_UID))
