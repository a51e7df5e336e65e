"""Backup of a DataVolume (rule 3.1)."""

from stillpoint.actions import policies
from stillpoint.actions.backup.related import graph
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Selector
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.velero.context import BackupContext

APPLIES_TO = Selector((str(data_volume.RESOURCE),))
DOES = "a populated one is marked so that CDI does not fill its disk again"


def execute(item: Item, context: BackupContext) -> BackupOutcome:
    """Marks a populated DataVolume so that CDI does not fill its claim again, and brings the claim.

    A DataVolume whose claim is left out gets no mark: CDI is to populate another.
    """
    namespace, name = it.identify(item)
    # The claim's action sees this item: both must mark one claim alike.
    seen = context.cluster.get(data_volume.RESOURCE, namespace, name) or item
    if not data_volume.is_populated(seen):
        return BackupOutcome(item, graph.of_filling(item, context))
    additional = graph.of_data_volume(item, context)
    if data_volume.is_prepopulated(item) or _is_claim_left_out(namespace, name, context):
        return BackupOutcome(item, additional)
    return BackupOutcome(it.with_annotation(item, data_volume.PREPOPULATED, name), additional)


def _is_claim_left_out(namespace: str, name: str, context: BackupContext) -> bool:
    claim = context.cluster.get(persistent_volume_claim.RESOURCE, namespace, name)
    filters = policies.filters(context)
    return claim is not None and bool(filters.bars(persistent_volume_claim.RESOURCE, claim))
