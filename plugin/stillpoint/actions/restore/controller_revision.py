"""Restore of a ControllerRevision: of instancetypes and preferences, of pools, and of starts."""

from stillpoint.actions.restore.changes import repair
from stillpoint.actions.restore.selection import machines, plan
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.model.reference import Reference
from stillpoint.resources import by_products
from stillpoint.resources.machines import virtual_machine, virtual_machine_pool
from stillpoint.velero.context import RestoreContext

APPLIES_TO = Selector((str(kinds.CONTROLLER_REVISION),))
DOES = "under the name that its machine or pool asks for; left out if nobody would ask for it"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Creates the revision under the name that its machines or its pool come back with.

    A revision that nobody would use any more, nor delete, is left out.
    """
    it.identify(item)
    reference = kinds.CONTROLLER_REVISION.named(*it.identify(context.stored))
    made = plan.of(context, reference.namespace)
    pool = virtual_machine_pool.of_revision(context.stored)
    pool_reference = virtual_machine_pool.RESOURCE.named(reference.namespace, pool)
    if pool and made.wanted is None:
        return RestoreOutcome(_of_pool(item, pool, context))
    why = by_products.why(context.stored) or _why_unused(reference, context)
    why = why or made.why_left_out(pool_reference if pool else reference)
    if why:
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    if reference in made.names:
        item = it.with_value(item, made.name(reference), "metadata", "name")
    return RestoreOutcome(item)


def _of_pool(item: Item, pool: str, context: RestoreContext) -> Item:
    """The revision of a pool, changed as the template is, so that machines stay current."""
    item = virtual_machine_pool.with_changed_revision(
        item, lambda machine: repair.of_template(machine, context)
    )
    name = virtual_machine_pool.restored_revision(it.name(item), pool)
    return it.with_value(item, name, "metadata", "name")


def _why_unused(reference: Reference, context: RestoreContext) -> str:
    """The reason for a revision whose machine is not in the backup; empty for any other."""
    machine = it.owner(context.stored, virtual_machine.RESOURCE.kind)
    owner = virtual_machine.RESOURCE.named(reference.namespace, machine)
    try:
        if not machine or context.archive.holds(owner):
            return ""
        found = machines.of_namespace(context.archive, reference.namespace)
        is_used = any(reference in one.needs for one in found)
        is_used |= reference.name in machines.pool_revisions(context.archive, reference.namespace)
    except ArchiveUnreadable:
        return ""
    return "" if is_used else f"not restored: the backup does not hold its machine {machine}"
