"""The objects of a guest that a backup is meant to have.

A block brings launcher pod and instance to a disk that was selected alone, for the freeze. Neither
is a reason to back up the machine's other disks. (Disks that the launcher pod mounts come all the
same: Velero's own action for pods names them.)
"""

from stillpoint.actions import policies
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import data_volume, persistent_volume_claim, volume
from stillpoint.resources.machines import pod, virtual_machine, virtual_machine_instance
from stillpoint.velero.context import BackupContext


def is_guest_meant(instance: Item, context: BackupContext) -> bool:
    """True if the backup selects the instance, or its machine."""
    filters = policies.filters(context)
    if filters.has_policy or filters.selects(virtual_machine_instance.RESOURCE, instance):
        return True  # what a policy of names and labels selects is not followed
    name = virtual_machine_instance.machine(instance)
    machine = name and context.cluster.get(virtual_machine.RESOURCE, it.namespace(instance), name)
    return bool(machine and filters.selects(virtual_machine.RESOURCE, machine))


def is_pod_meant(found: Item, context: BackupContext) -> bool:
    """True if the backup selects the pod."""
    filters = policies.filters(context)
    return filters.has_policy or filters.selects(pod.RESOURCE, found)  # as above


def selected_disks(instance: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The disks of the instance that the backup selects, by their claim or their DataVolume."""
    volumes = virtual_machine_instance.volumes(instance)
    disks = tuple(volume.disks(volumes, it.namespace(instance)))
    selected = {each.name for each in disks if _is_selected(each, context)}
    return tuple(each for each in disks if each.name in selected)


def _is_selected(disk: Reference, context: BackupContext) -> bool:
    filters = policies.filters(context)
    for resource in (persistent_volume_claim.RESOURCE, data_volume.RESOURCE):
        if disk.is_of(resource):
            found = context.cluster.get_listed(resource, disk.namespace, disk.name)
            return bool(found and filters.selects(resource, found))
    return False
