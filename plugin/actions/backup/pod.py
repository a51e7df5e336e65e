"""Backup of a virt-launcher or attachment pod.

The pods are stored for what they tell and never restored. One that is selected without its
instance brings it, so that a backup by the pod's label holds what the pod is about.
"""

from plugin.actions import graph, surroundings
from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.outcome import BackupOutcome, Selector
from plugin.resources import pod

APPLIES_TO = Selector((str(pod.RESOURCE),), pod.OF_MACHINES)


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Store the pod as it is, and bring the instance whose guest it runs."""
    namespace, _name = it.identify(item)
    for name in pod.instances(item):
        if instance := surroundings.instance(context.cluster, namespace, name):
            return BackupOutcome(item, graph.of_pod(instance, context))
    return BackupOutcome(item)
