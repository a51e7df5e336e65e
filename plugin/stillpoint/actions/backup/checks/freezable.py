"""Refuses a running guest whose disks are in the backup, but not what its freeze needs.

Velero would take snapshots unfrozen and report Completed (rules 3.4 and 3.5; the cases are those of
kubevirt-velero-plugin's own matrix). A paused guest writes nothing and needs no freeze.
"""

from stillpoint.actions import policies, surroundings
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume_claim, volume
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero.context import BackupContext

_HINT = "include it, leave the disks out as well, or stop or pause the virtual machine"


def check(item: Item, instance: Item, context: BackupContext) -> None:
    """Checks that a guest can be frozen in the backup.

    Args:
        item: the machine or the instance that is being backed up.
        instance: the guest's instance.

    Raises:
        Refusal: the guest runs, and its instance or pod is left out.
    """
    if not virtual_machine_instance.is_live(instance) or virtual_machine_instance.is_paused(
        instance
    ):
        return
    filters = policies.filters(context)
    if reason := filters.bars(virtual_machine_instance.RESOURCE, instance):
        raise _refusal(item, f"its instance is left out {reason}")
    if not _holds_disk(instance, context):
        return
    launcher = surroundings.launcher_pod(context.cluster, instance)
    if launcher is None:
        raise _refusal(item, "no launcher pod of it runs")
    if reason := filters.bars(pod.RESOURCE, launcher):
        raise _refusal(item, f"its launcher pod {it.name(launcher)} is left out {reason}")
    is_reported_once = item is not instance or not virtual_machine_instance.machine(instance)
    if virtual_machine_instance.is_migrating(instance) and is_reported_once:
        context.log.warning("it is being migrated: KubeVirt refuses to freeze it until that ends")


def _holds_disk(instance: Item, context: BackupContext) -> bool:
    filters = policies.filters(context)
    names = map(volume.disk_claim, virtual_machine_instance.volumes(instance))
    resource, namespace = persistent_volume_claim.RESOURCE, it.namespace(instance)
    claims = (context.cluster.get(resource, namespace, name) for name in names if name)
    return any(claim and filters.admits(resource, claim) for claim in claims)


def _refusal(item: Item, cause: str) -> Refusal:
    return Refusal(it.describe(item), "cannot back up a guest that runs", cause, _HINT)
