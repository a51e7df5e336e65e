"""The block of an instance: that of its virtual machine, which has its name."""

from plugin.actions import block
from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.outcome import Selector
from plugin.model.reference import Reference
from plugin.resources import virtual_machine_instance

APPLIES_TO = Selector((str(virtual_machine_instance.RESOURCE),))


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """Machine, pods and disks of the instance."""
    return block.of(*it.identify(item), context)
