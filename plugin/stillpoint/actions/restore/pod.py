"""Restore of virt-launcher and attachment pods: never; KubeVirt recreates them (rule 4.5)."""

from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.resources.machines import pod
from stillpoint.velero.context import RestoreContext

APPLIES_TO = Selector((str(pod.RESOURCE),), pod.OF_MACHINES)
DOES = "left out: KubeVirt recreates them"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Leaves the pod out."""
    context.log.info("not restored: KubeVirt recreates it")
    return RestoreOutcome(item, skip=True)
