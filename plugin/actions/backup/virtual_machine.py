"""Backup of a VirtualMachine (rules 3.4 and 5.1)."""

from plugin.actions import freezable, graph, surroundings
from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.outcome import BackupOutcome, Selector
from plugin.resources import virtual_machine

APPLIES_TO = Selector((str(virtual_machine.RESOURCE),))


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Store the machine with its revisions pinned, and bring what it is made of.

    Raises:
        Refusal: its guest runs and cannot be frozen, but its disks are in the backup.
    """
    additional = graph.of_machine(item, context)
    if instance := surroundings.instance(context.cluster, item):
        freezable.check(item, instance, context)
    state = surroundings.state_claims(context.cluster, item)
    stored = virtual_machine.with_state_claims(item, list(map(it.name, state)))
    return BackupOutcome(virtual_machine.with_pinned_revisions(stored), additional)
