"""Restore of a VirtualMachine (rules 4.1 and 5.3)."""

from plugin.actions.restore import arrival, identity, target
from plugin.actions.restore.arrival import cancel, progress
from plugin.model import conditions
from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.model.outcome import RestoreOutcome, Selector
from plugin.resources import cluster_needs, held_machine, virtual_machine

__all__ = ["APPLIES_TO", "cancel", "execute", "progress"]

APPLIES_TO = Selector((str(virtual_machine.RESOURCE),))


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Create the machine under the restore's conditions, after what it is made of."""
    it.identify(item)
    stored = context.stored
    needed = (*virtual_machine.references(stored), *virtual_machine.state_claims(stored))
    item = cluster_needs.noted(virtual_machine.with_state_claims(item, ()), ())
    item = held_machine.released(item)
    strategy = context.restore.conditions.run_strategy.of(*it.identify(stored))
    if strategy != conditions.KEEP:
        context.log.info("run strategy %s, as the restore asks", strategy)
        item = virtual_machine.with_run_strategy(item, strategy)
    specification = identity.applied(virtual_machine.template(item), item, context)
    target.make_ready(item, context)
    item, operation = arrival.begun(virtual_machine.with_template(item, specification), context)
    return RestoreOutcome(item, tuple(dict.fromkeys(needed)), operation=operation)
