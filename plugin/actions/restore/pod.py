"""Restore of virt-launcher and attachment pods: never; KubeVirt makes them anew (rule 4.5)."""

from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.model.outcome import RestoreOutcome, Selector
from plugin.resources import pod

APPLIES_TO = Selector((str(pod.RESOURCE),), pod.OF_MACHINES)


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Leave the pod out."""
    context.log.info("not restored: KubeVirt makes it anew")
    return RestoreOutcome(item, skip=True)
