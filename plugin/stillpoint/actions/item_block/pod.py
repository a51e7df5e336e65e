"""The block of the pods of a virtual machine.

Velero takes pods before all else, so most blocks begin here. An attachment pod mounts a hot-plugged
disk; without this action pod and disk would be a block of their own, which no freeze covers.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import Selector
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(pod.RESOURCE),), pod.OF_MACHINES)
DOES = "the instance of a launcher pod; the launcher pod of one that attaches a hot-plugged disk"


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The instance of a launcher pod, the launcher pod of an attachment pod.

    Velero itself adds the claims that a pod mounts, and the running pods that mount a claim.
    """
    namespace, name = it.identify(item)
    if pod.is_over(item):  # the source of a live migration that has ended
        return ()
    related = (
        *(virtual_machine_instance.RESOURCE.named(namespace, each) for each in pod.instances(item)),
        *(pod.RESOURCE.named(namespace, each) for each in pod.launchers(item)),
    )
    claims = [persistent_volume_claim.RESOURCE.named(namespace, each) for each in pod.claims(item)]
    joined_by = claims if pod.is_running(item) else ()
    context.blocks.add(pod.RESOURCE.named(namespace, name), (*related, *claims), joined_by)
    return related
