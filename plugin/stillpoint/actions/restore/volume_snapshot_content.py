"""Restore of a VolumeSnapshotContent: only with the snapshot that it is the content of.

Velero names it before this plugin leaves the snapshot out, and it would stay behind: nobody deletes
a content without its snapshot.

Source: pkg/restore/actions/csi/volumesnapshot_action.go of Velero v1.18.
"""

from stillpoint.actions.restore.selection import plan
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.model.reference import Reference
from stillpoint.resources import by_products
from stillpoint.resources.disks import (
    persistent_volume_claim,
    volume_snapshot,
    volume_snapshot_content,
)
from stillpoint.velero.context import RestoreContext

APPLIES_TO = Selector((str(volume_snapshot_content.RESOURCE),))
DOES = "only with its snapshot"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Leaves the content out if its snapshot is left out."""
    reference = volume_snapshot_content.snapshot(context.stored)
    made = plan.of(context, reference.namespace)
    snapshot = _snapshot(reference, context)
    if snapshot is None:
        return RestoreOutcome(item)
    name = volume_snapshot.claim(snapshot)
    claim = persistent_volume_claim.RESOURCE.named(reference.namespace, name)
    if why := made.why_left_out(claim) or by_products.why(snapshot):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    return RestoreOutcome(item)


def _snapshot(reference: Reference, context: RestoreContext) -> Item | None:
    """The snapshot in the backup; None if nobody can look, and then none is left out."""
    try:
        return context.archive.get(reference)
    except ArchiveUnreadable:
        return None
