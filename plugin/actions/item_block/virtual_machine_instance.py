"""The block of an instance."""

from plugin.actions import surroundings
from plugin.model import item as it
from plugin.model.context import BackupContext
from plugin.model.item import Item
from plugin.model.outcome import Selector
from plugin.model.reference import Reference
from plugin.resources import (
    persistent_volume_claim,
    pod,
    virtual_machine,
    virtual_machine_instance,
    volume,
)

APPLIES_TO = Selector((str(virtual_machine_instance.RESOURCE),))


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """Its pods, its disks, and the machine that it belongs to."""
    namespace, _name = it.identify(item)
    launcher = surroundings.launcher_pod(context.cluster, item)
    pods = [it.name(launcher)] if launcher else []
    pods += virtual_machine_instance.attachment_pods(item)
    state = virtual_machine_instance.state_claims(item)
    machine = virtual_machine_instance.machine(item)
    return (
        *(pod.RESOURCE.named(namespace, name) for name in pods),
        *(virtual_machine.RESOURCE.named(namespace, name) for name in (machine,) if name),
        *volume.disks(virtual_machine_instance.volumes(item), namespace),
        *(persistent_volume_claim.RESOURCE.named(namespace, name) for name in state),
    )
