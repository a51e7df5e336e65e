"""Restore of a VirtualMachine (rules 4.1 and 5.3)."""

from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.model.outcome import RestoreOutcome, Selector
from plugin.resources import virtual_machine

APPLIES_TO = Selector((str(virtual_machine.RESOURCE),))


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Create the machine as it was, after what it is made of."""
    it.identify(item)
    return RestoreOutcome(item, tuple(dict.fromkeys(virtual_machine.references(context.stored))))
