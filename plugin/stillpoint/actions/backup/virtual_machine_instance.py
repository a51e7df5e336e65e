"""Backup of a VirtualMachineInstance (rules 3.5 and 5.2)."""

from stillpoint.actions import surroundings
from stillpoint.actions.backup.checks import freezable, saved
from stillpoint.actions.backup.evidence import machine as evidence
from stillpoint.actions.backup.related import graph
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Progress, Selector
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(virtual_machine_instance.RESOURCE),))
DOES = (
    "marked if an owner will recreate it; brings its launcher pod and what its volumes are made of"
)


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Stores the instance, marked if its owner will recreate it, and brings its parts.

    Raises:
        Refusal: its guest runs and cannot be frozen, but its disks are in the backup; or the
            instance stands alone and would come back without a disk.
    """
    additional = graph.of_instance(item, context)
    context.blocks.add(virtual_machine_instance.RESOURCE.named(*it.identify(item)), additional)
    freezable.check(item, item, context)
    operation = evidence.begin(item, item, context)
    if not virtual_machine_instance.machine(item):
        saved.check_instance(item, context)
    if virtual_machine_instance.is_owned(item):
        item = it.with_annotation(item, virtual_machine_instance.IS_OWNED, "true")
        return BackupOutcome(item, additional, operation=operation)
    state = surroundings.state_claims(context.cluster, item, item)
    stored = virtual_machine.with_state_claims(item, list(map(it.name, state)))
    return BackupOutcome(stored, additional, operation=operation)


def progress(operation: str, context: BackupContext) -> Progress:
    """The evidence of an instance that no machine owns."""
    return evidence.conclude(operation, context)


def cancel(operation: str, context: BackupContext) -> None:
    """Does nothing: evidence takes no time."""
