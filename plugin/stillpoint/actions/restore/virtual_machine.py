"""Restore of a VirtualMachine (rules 4.1 and 5.3)."""

from stillpoint.actions.restore.changes import identity, repair
from stillpoint.actions.restore.losses import (
    empty_disks,
    files_to_come,
    first_use,
    lost_data,
    missing,
)
from stillpoint.actions.restore.selection import plan
from stillpoint.actions.restore.waiting import arrival, membership, target
from stillpoint.actions.restore.waiting.arrival import cancel, progress
from stillpoint.model import conditions
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.resources import cluster_needs
from stillpoint.resources.machines import pending_start, virtual_machine
from stillpoint.velero.context import RestoreContext

__all__ = ["APPLIES_TO", "DOES", "cancel", "execute", "progress"]

APPLIES_TO = Selector((str(virtual_machine.RESOURCE),))
DOES = "as it was, after what it is made of"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Creates the machine under the restore's conditions, after its parts.

    Raises:
        Refusal: the machine cannot come back as the restore asks; no part of it is created then.
    """
    it.identify(item)
    reference = virtual_machine.RESOURCE.named(*it.identify(context.stored))
    made = plan.of(context, reference.namespace)
    if refusal := made.refused.get(reference.name):
        raise refusal
    if why := made.why_left_out(reference):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    losses = lost_data.of_machine(context)
    recreated = [loss.claim for loss in losses if loss.is_made_by_cdi]
    additional = missing.additional(context.stored, context, recreated)
    item = repair.of_machine(_without_marks(item), context)
    if reference in made.names:
        item = virtual_machine.renamed(item, made.name(reference), made.parts)
    item, pool_warnings = membership.join(item, made, context)
    item, loss_warnings = empty_disks.report(_under_conditions(item, context), losses, context)
    target.make_ready(item, context)
    coming = files_to_come.coming(context)
    item, operation = arrival.begin(item, context, coming.through)
    reported = first_use.report(item, context)
    warnings = (*pool_warnings, *loss_warnings, *coming.warnings, *reported)
    return RestoreOutcome(item, (*additional, *warnings), operation=operation)


def _without_marks(item: Item) -> Item:
    item = cluster_needs.with_mark(virtual_machine.with_state_claims(item, ()), ())
    return pending_start.without_marks(item)


def _under_conditions(item: Item, context: RestoreContext) -> Item:
    strategy = context.restore.conditions.run_strategy.of(*it.identify(context.stored))
    if strategy != conditions.KEEP:
        context.log.info("run strategy %s, as the restore asks", strategy)
        item = virtual_machine.with_run_strategy(item, strategy)
    item = identity.in_effect(item, context)
    specification = identity.apply(virtual_machine.template(item), item, context)
    return virtual_machine.with_template(item, specification)
