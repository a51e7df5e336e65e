"""Reports disks whose data mover waits for a pod that will not come.

Where a storage class binds at first use, Velero's data mover brings the bytes of a claim only when
a pod that uses the claim has been scheduled; else it times out, and the claim stays without them.
So a machine that is not started waits for its bytes, and they for the machine.

Source: WaitPVCConsumed in pkg/util/kube/pvc_pv.go of Velero v1.18.
"""

from collections.abc import Iterator

from stillpoint.actions.restore.changes import repair
from stillpoint.actions.restore.losses import lost_data
from stillpoint.model import item as it
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import persistent_volume_claim, storage_class
from stillpoint.resources.machines import pending_start, virtual_machine
from stillpoint.velero import warning
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import claim_data

_HINT = (
    "start it while the restore goes on, or set restorePVC.ignoreDelayBinding: true in the "
    "configuration of Velero's node agent"
)


def report(machine: Item, context: RestoreContext) -> tuple[Reference, ...]:
    """A warning of the disks that wait for the start of a machine that is created halted."""
    is_started = virtual_machine.starts_by_itself(machine) or pending_start.start_as(machine)
    if is_started or not context.restore.has_volumes:
        return ()
    try:
        waiting = list(_waiting(context))
    except ArchiveUnreadable as error:
        context.log.debug("not said whether its data waits for a start: %s", error)
        return ()
    if not waiting:
        return ()
    name = it.name(machine)
    begin = f"{name} is not started, and a data mover waits for that to fill "
    context.log.warning("%s%s; HINT: %s", begin, ", ".join(waiting), _HINT)
    return (warning.listing(it.namespace(context.stored), begin, waiting),)


def _waiting(context: RestoreContext) -> Iterator[str]:
    for claim in lost_data.disks(context.stored, context):
        stored = context.archive.get(claim)
        is_moved = stored is not None and claim_data.is_uploaded(stored)
        if not is_moved or lost_data.is_there_already(claim, context):
            continue
        if stored and _binds_at_first_use(stored, context):
            yield claim.name


def _binds_at_first_use(stored: Item, context: RestoreContext) -> bool:
    name = persistent_volume_claim.storage_class(stored)
    name = repair.storage_classes(context).get(name, name)
    found = context.cluster.get(storage_class.RESOURCE, "", name) if name else None
    return found is not None and storage_class.binds_at_first_use(found)
