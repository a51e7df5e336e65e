"""Restore of a VirtualMachineInstance (rule 4.2)."""

from plugin.actions.restore import identity
from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.model.outcome import RestoreOutcome, Selector
from plugin.resources import virtual_machine, virtual_machine_instance

APPLIES_TO = Selector((str(virtual_machine_instance.RESOURCE),))


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Leave an owned instance to its owner; create one that stands alone as if it never ran."""
    it.identify(item)
    # An archive from before this plugin has no mark; what is stored has its owners still.
    marked = it.annotations(item).get(virtual_machine_instance.IS_OWNED) == "true"
    if marked or virtual_machine_instance.is_owned(context.stored):
        context.log.info("not restored: its owner makes it anew")
        return RestoreOutcome(item, skip=True)
    for label in virtual_machine_instance.OF_THIS_RUN:
        item = it.without(item, "metadata", "labels", label)
    specification = identity.applied(it.required(item, "spec"), item, context)
    item = it.with_value(item, specification, "spec")
    item = virtual_machine.with_state_claims(item, ())
    needed = (
        *virtual_machine_instance.references(context.stored),
        *virtual_machine.state_claims(context.stored),
    )
    return RestoreOutcome(item, tuple(dict.fromkeys(needed)))
