"""The block of a virtual machine."""

from stillpoint.actions import surroundings
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import Selector
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import persistent_volume_claim, volume
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(virtual_machine.RESOURCE),))
DOES = "its instance, disks and state"


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The machine's instance, disks, and claims with state."""
    namespace, name = it.identify(item)
    instances = [name] if virtual_machine.has_instance(item) else []
    state = surroundings.state_claims(context.cluster, item)
    related = (
        *(virtual_machine_instance.RESOURCE.named(namespace, each) for each in instances),
        *volume.disks(virtual_machine.volumes(item), namespace),
        *(persistent_volume_claim.RESOURCE.named(namespace, it.name(claim)) for claim in state),
    )
    context.blocks.add(virtual_machine.RESOURCE.named(namespace, name), related)
    return related
