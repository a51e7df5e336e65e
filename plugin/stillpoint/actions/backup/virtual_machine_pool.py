"""Backup of a VirtualMachinePool.

The pool does not bring its machines: a block of them all would freeze each guest for the time of
all their disks. They are backed up as any other, where the backup selects them.
"""

from stillpoint.actions import policies
from stillpoint.actions.backup.related import graph
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources.machines import virtual_machine, virtual_machine_pool
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(virtual_machine_pool.RESOURCE),))
DOES = "brings what its template needs and its revisions"


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Brings what the pool makes and recognizes machines by, and warns of machines not selected."""
    namespace, name = it.identify(item)
    machines = context.cluster.list_grouped(
        virtual_machine.RESOURCE, namespace, virtual_machine_pool.of_machine
    )
    filters = policies.filters(context)
    if not filters.has_policy:  # what a policy of names and labels selects is not followed
        missing = [
            it.name(machine)
            for machine in machines.get(name, ())
            if not filters.selects(virtual_machine.RESOURCE, machine)
        ]
        if missing:
            context.log.warning("the backup does not select its machines %s", listing(missing))
    revisions = map(virtual_machine_pool.revision, machines.get(name, ()))
    needed = (
        *virtual_machine_pool.references(item),
        *(kinds.CONTROLLER_REVISION.named(namespace, each) for each in revisions if each),
    )
    return BackupOutcome(item, graph.of_template(item, needed, context))
