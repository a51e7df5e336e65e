"""The block of an instance."""

from stillpoint.actions import reach, surroundings
from stillpoint.actions.watching import guests
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import Selector
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import persistent_volume_claim, volume
from stillpoint.resources.machines import pod, virtual_machine, virtual_machine_instance
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(virtual_machine_instance.RESOURCE),))
DOES = (
    "its launcher pod, without which nothing freezes; where the backup is to hold the whole "
    "guest, its machine, all disks and state"
)


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The instance's launcher pod, without which nothing freezes; all parts, if selected.

    Else the instance came for the freeze of a disk that was selected alone, and brings no other
    disk. Velero's item is of when the backup began; a disk that was hot-plugged since is in the
    cluster's. A disk that is plugged after this comes when the instance is backed up, in the same
    freeze. From now on the guest is watched, for evidence: the hook that freezes it comes next.
    """
    namespace, name = it.identify(item)
    seen = surroundings.latest_instance(context.cluster, item) or item
    launcher = surroundings.launcher_pod(context.cluster, seen)
    pods = tuple(pod.RESOURCE.named(namespace, it.name(each)) for each in (launcher,) if each)
    if reach.is_guest_meant(item, context):
        related = tuple(dict.fromkeys((*pods, *_all_of(item), *_all_of(seen))))
    else:
        related = pods + reach.selected_disks(seen, context)
    context.blocks.add(virtual_machine_instance.RESOURCE.named(namespace, name), related)
    guests.begin(seen, launcher, context)
    return related


def _all_of(item: Item) -> tuple[Reference, ...]:
    namespace = it.namespace(item)
    pods = virtual_machine_instance.attachment_pods(item)
    machine = virtual_machine_instance.machine(item)
    state = virtual_machine_instance.state_claims(item)
    return (
        *(pod.RESOURCE.named(namespace, name) for name in pods),
        *(virtual_machine.RESOURCE.named(namespace, name) for name in (machine,) if name),
        *volume.disks(virtual_machine_instance.volumes(item), namespace),
        *(persistent_volume_claim.RESOURCE.named(namespace, name) for name in state),
    )
