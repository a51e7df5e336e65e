"""The block of a virtual machine."""

from plugin.actions import block
from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.outcome import Selector
from plugin.model.reference import Reference
from plugin.resources import virtual_machine

APPLIES_TO = Selector((str(virtual_machine.RESOURCE),))


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """Instance, pods and disks of the machine."""
    return block.of(*it.identify(item), context)
