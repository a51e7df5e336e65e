"""The wait for files that Velero puts back into disks through pods: see `losses.files_to_come`.

Velero asks about operations when it has created all objects and waited for its PodVolumeRestores,
until they have ended or its time-out is over.

Source: runValidatedRestore in pkg/controller/restore_controller.go of Velero v1.15 to v1.18.
"""

from collections.abc import Sequence

from stillpoint.actions.restore.waiting import disks
from stillpoint.actions.restore.waiting.disks import DiskState
from stillpoint.actions.restore.waiting.operation import FILES, Arrival
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import pod_volume


def states(machine: Item, arrival: Arrival, context: RestoreContext) -> Sequence[DiskState]:
    """The states of the disks that an arrival waits for, those that files come into first."""
    namespace = it.namespace(machine)
    filled = [_state(namespace, *one, context) for one in arrival.files]
    if arrival.wait == FILES:
        return filled
    names = {disk.claim for disk in filled}
    others = disks.of_machine(machine, context.cluster)
    return [*filled, *(disk for disk in others if disk.claim not in names)]


def _state(namespace: str, claim: str, through: str, context: RestoreContext) -> DiskState:
    """The state of a claim that files come into.

    Velero has created all objects by now: of what is not there, nothing is to come.
    """
    found = context.cluster.current(persistent_volume_claim.RESOURCE, namespace, claim)
    if found is None:
        return DiskState(claim, "does not exist", is_lost=True)
    try:
        copies = _copies(found, context)
    except Forbidden as error:
        return DiskState(claim, f"may lack its files: {error}", is_lost=True)
    if not copies:
        lacks = f"lacks its files: Velero has made no PodVolumeRestore for pod {through}"
        return DiskState(claim, lacks, is_lost=True)
    for copy in copies:
        if pod_volume.has_failed(copy):
            lacks = f"lacks files of pod {through}: PodVolumeRestore {pod_volume.state(copy)}"
            return DiskState(claim, lacks, is_lost=True)
    for copy in copies:
        if not pod_volume.is_done(copy):
            lacks = f"is filled through pod {through}: PodVolumeRestore {pod_volume.state(copy)}"
            return DiskState(claim, lacks)
    return DiskState(claim)


def _copies(claim: Item, context: RestoreContext) -> Sequence[Item]:
    """The PodVolumeRestores of a claim: those of this restore, else the last one."""
    namespace = it.namespace(context.restore.asked)
    by_claim = context.cluster.list_grouped(pod_volume.RESTORE, namespace, pod_volume.filled_claims)
    found = by_claim.get(it.uid(claim), ())
    ours = [one for one in found if pod_volume.is_of_restore(one, context.restore.uid)]
    return ours or sorted(found, key=_created)[-1:]


def _created(copy: Item) -> str:
    return it.text(copy, "metadata", "creationTimestamp")
