"""Restore of a VirtualMachinePool."""

from stillpoint.actions.restore.changes import repair
from stillpoint.actions.restore.selection import plan, unselected
from stillpoint.actions.restore.waiting import membership
from stillpoint.actions.restore.waiting.membership import cancel, progress
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.resources.machines import virtual_machine_pool
from stillpoint.velero import warning
from stillpoint.velero.context import RestoreContext

__all__ = ["APPLIES_TO", "DOES", "cancel", "execute", "progress"]

APPLIES_TO = Selector((str(virtual_machine_pool.RESOURCE),))
DOES = "paused until its machines are its own again ([owners](restore/owners.md))"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Creates the pool paused, until the machines in the backup are its own again.

    Its template is repaired as each of its machines is.

    Raises:
        Refusal: the restore asks for what cannot be.
        ArchiveUnreadable: the machines that the pool takes back are unknown.
    """
    it.identify(item)
    reference = virtual_machine_pool.RESOURCE.named(*it.identify(context.stored))
    made = plan.of(context, reference.namespace)
    if why := made.why_left_out(reference):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    item = virtual_machine_pool.without_marks(item)
    item = virtual_machine_pool.with_template(item, lambda one: repair.of_template(one, context))
    item, operation, why = membership.begin(item, made, context)
    additional = unselected.of(membership.revisions(context), context)
    if why:
        context.log.warning(why)
        additional = (*additional, warning.of(reference.namespace, why))
    return RestoreOutcome(item, additional, operation=operation)
