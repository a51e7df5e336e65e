"""The block of a DataVolume: its claim, through which Velero finds the claim's pods.

Without this action a DataVolume that was selected by its label would bring its claim in a block of
its own, with a snapshot before the guest is frozen.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import Selector
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(data_volume.RESOURCE),))
DOES = "its claim"


def related_items(item: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The claim of the DataVolume, populated or not."""
    related = (persistent_volume_claim.RESOURCE.named(*it.identify(item)),)
    context.blocks.add(data_volume.RESOURCE.named(*it.identify(item)), related)
    return related
