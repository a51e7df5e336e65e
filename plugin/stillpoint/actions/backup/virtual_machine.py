"""Backup of a VirtualMachine (rules 3.4 and 5.1)."""

from stillpoint.actions import surroundings
from stillpoint.actions.backup.checks import freezable, saved
from stillpoint.actions.backup.evidence import machine as evidence
from stillpoint.actions.backup.related import graph
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Progress, Selector
from stillpoint.resources import cluster_needs
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import virtual_machine
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(virtual_machine.RESOURCE),))
DOES = (
    "pins the revisions of instancetype and preference, and the firmware UUID in effect; brings "
    "instance, DataVolumes, claims, vTPM and EFI state, Secrets, ConfigMaps, ServiceAccounts, "
    "namespaced instancetypes; names what else the cluster must have; concludes how consistent its "
    "disks are"
)


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Stores the machine with its revisions and identity pinned, and brings its parts.

    The operation concludes how consistent its disks are.

    Raises:
        Refusal: its guest runs and cannot be frozen, but its disks are in the backup; or the
            machine would come back without a disk.
    """
    if not context.backup.has_memory_dumps:
        item = virtual_machine.without_memory_dumps(item)
    additional = graph.of_machine(item, context)
    instance = surroundings.instance(context.cluster, item)
    if instance:
        freezable.check(item, instance, context)
    saved.check_machine(item, instance, context)
    stored = virtual_machine.with_pinned_revisions(_with_marks(item, instance, context))
    stored = virtual_machine.with_identity_in_effect(stored, instance)
    return BackupOutcome(stored, additional, operation=evidence.begin(item, instance, context))


def progress(operation: str, context: BackupContext) -> Progress:
    """The evidence of a machine, which is concluded when all is taken."""
    return evidence.conclude(operation, context)


def cancel(operation: str, context: BackupContext) -> None:
    """Does nothing: evidence takes no time."""


def _with_marks(machine: Item, instance: Item | None, context: BackupContext) -> Item:
    """The machine, marked with the names that a restore cannot find by itself."""
    state = surroundings.state_claims(context.cluster, machine, instance)
    names = [
        reference.name
        for reference in virtual_machine.references(machine)
        if reference.is_of(persistent_volume_claim.RESOURCE)
    ]
    disks = surroundings.claims(context.cluster, it.namespace(machine), names)
    machine = virtual_machine.with_state_claims(machine, list(map(it.name, state)))
    return cluster_needs.with_mark(machine, cluster_needs.of_machine(machine, (*disks, *state)))
