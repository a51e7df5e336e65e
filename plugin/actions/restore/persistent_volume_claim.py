"""Restore of a PersistentVolumeClaim (rule 4.3)."""

from plugin.actions import uid_label
from plugin.actions.restore import target
from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.model.outcome import RestoreOutcome, Selector
from plugin.resources import persistent_volume_claim

APPLIES_TO = Selector((str(persistent_volume_claim.RESOURCE),))


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Create the claim without the backup's uid label; leave out one that was being filled."""
    it.identify(item)
    if persistent_volume_claim.is_in_progress(item):
        context.log.info("not restored: its DataVolume was still filling it, and will again")
        return RestoreOutcome(item, skip=True)
    target.await_deletion(persistent_volume_claim.RESOURCE, item, context)
    return RestoreOutcome(uid_label.given_back(item, persistent_volume_claim.ORIGINAL_UID))
