"""Backup of a VirtualMachineInstanceReplicaSet, which recreates its instances."""

from stillpoint.actions.backup.related import graph
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources.machines import virtual_machine_instance_replica_set
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(virtual_machine_instance_replica_set.RESOURCE),))
DOES = "brings what its template needs"


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Brings what the template of its instances needs."""
    it.identify(item)
    needed = virtual_machine_instance_replica_set.references(item)
    return BackupOutcome(item, graph.of_template(item, needed, context))
