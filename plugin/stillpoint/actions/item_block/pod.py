"""The block of the pods of a virtual machine.

Velero takes pods before all else, so most blocks begin here. An attachment pod mounts a hot-plugged
disk; without this action pod and disk would be a block of their own, which no freeze covers.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import Selector
from stillpoint.model.reference import Reference
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(pod.RESOURCE),), pod.OF_MACHINES)
DOES = "the instance of a launcher pod; the launcher pod of one that attaches a hot-plugged disk"


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The instance of a launcher pod, the launcher pod of an attachment pod."""
    namespace, _name = it.identify(item)
    if pod.is_over(item):  # the source of a live migration that has ended
        return ()
    return (
        *(virtual_machine_instance.RESOURCE.named(namespace, name) for name in pod.instances(item)),
        *(pod.RESOURCE.named(namespace, name) for name in pod.launchers(item)),
    )
