"""Pods through which Velero would write files over the disk of a guest that runs.

Velero leaves a claim of the target as it is, but where it creates a pod through which files of the
claim were copied (fs-backup), it puts these into the claim that is there. The pod of a Deployment
has another name after each rollout, so a restore into a living namespace creates that of the backup
beside it; and the guest would go on with half of the former bytes of its disk.

Source: restorePodVolumeBackups in pkg/restore/restore.go of Velero v1.15 to v1.18.
"""

from collections.abc import Sequence

from stillpoint.actions.restore.losses import lost_data
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, Refusal
from stillpoint.model.item import Item
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import pod_volume


def refuse(context: RestoreContext) -> None:
    """Refuses the pod that is being restored if files would go through it into a disk in use.

    Lists no more than instances where none that runs has a claim of the pod.

    Raises:
        Refusal: Velero would overwrite a disk.
        ReadFailed: it is not known whether it would; but without the right it is as if not.
    """
    is_left_out = pod.is_of_machine(context.stored)
    if is_left_out or any(map(context.restore.refuses, lost_data.TO_BRING)):
        return
    try:
        found = _overwritten(context)
    except Forbidden as error:
        context.log.debug("not known whether files are put into disks in use: %s", error)
        return
    if found:
        claim, guest = found
        cause = (
            f"Velero would write the files of the backup over those of {claim}, a disk of {guest}, "
            "which runs"
        )
        hint = "stop that machine first, or leave the pod out of the restore"
        raise Refusal(it.describe(context.stored), "cannot be restored", cause, hint)


def _overwritten(context: RestoreContext) -> tuple[str, str] | None:
    """A claim that would be overwritten, and the name of the instance that uses it."""
    mounted = list(pod.claims(context.stored))
    if not mounted:
        return None
    namespace, name = it.identify(context.stored)
    target = context.restore.namespace(namespace)
    instances = context.cluster.list_grouped(
        virtual_machine_instance.RESOURCE, target, virtual_machine_instance.disk_claims
    )
    used = {claim: guests for claim in mounted if (guests := _running(instances.get(claim, ())))}
    if not used or context.cluster.single(pod.RESOURCE, target, name):
        return None
    copies = pod_volume.of_restored(context.cluster, context.restore.asked)
    for claim, guests in used.items():
        for copy in copies.get(f"{namespace}/{claim}", ()):
            if pod_volume.pod(copy) == name and pod_volume.has_files(copy):
                return claim, it.name(guests[0])
    return None


def _running(instances: Sequence[Item]) -> Sequence[Item]:
    return [one for one in instances if virtual_machine_instance.is_under_way(one)]
