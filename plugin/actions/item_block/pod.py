"""The block of the pods of a virtual machine.

Velero takes pods before all else, so most blocks begin here. An attachment pod mounts a
hot-plugged disk; without this action it and its disk would be a block of their own, which no
freeze covers.
"""

from plugin.actions import block, surroundings
from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.outcome import Selector
from plugin.model.reference import Reference
from plugin.resources import pod

APPLIES_TO = Selector((str(pod.RESOURCE),), pod.OF_MACHINES)


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """Machine, instance, disks and the other pods; none for a pod that serves no guest."""
    namespace, _name = it.identify(item)
    names = list(pod.instances(item)) or [
        surroundings.instance_of_launcher(context.cluster, namespace, launcher)
        for launcher in pod.launchers(item)
    ]
    return block.of(namespace, names[0], context) if any(names) else ()
