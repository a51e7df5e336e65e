"""Restore of a PersistentVolumeClaim (rule 4.3)."""

from stillpoint.actions import uid_label
from stillpoint.actions.restore.changes import claim_source, download
from stillpoint.actions.restore.changes.download import cancel, progress
from stillpoint.actions.restore.losses import lost_data
from stillpoint.actions.restore.losses.lost_data import Loss
from stillpoint.actions.restore.selection import plan
from stillpoint.actions.restore.waiting import target
from stillpoint.model import item as it
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.model.reference import Reference
from stillpoint.resources import by_products, finalizers, named_in_annotations
from stillpoint.resources.disks import data_volume, persistent_volume_claim, volume_snapshot
from stillpoint.velero import warning
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import claim_data

__all__ = ["APPLIES_TO", "DOES", "cancel", "execute", "progress"]

APPLIES_TO = Selector((str(persistent_volume_claim.RESOURCE),))
DOES = (
    "label taken off; one that was being populated is left out, so is one without its data that "
    "CDI fills again; vTPM and EFI state is its machine's again"
)


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Creates the claim without the backup's marks, under its new name if the restore gives one.

    Left out are claims that were being populated, claims that no wanted machine needs, and claims
    without their bytes where CDI populates another in their place.
    """
    it.identify(item)
    reference = persistent_volume_claim.RESOURCE.named(*it.identify(context.stored))
    made = plan.of(context, reference.namespace)
    lost_data.see_target(reference.namespace, context)
    why = made.why_left_out(reference) or by_products.why(context.stored)
    if not why and _is_being_filled(item, context):
        why = "not restored: its DataVolume was still filling it, and will again"
    loss = None if why else _loss(reference, item, context)
    if loss and loss.is_made_by_cdi:
        why = f"not restored: {loss}"
    if why:
        context.log.info(why)
        download.call_off(context, why)
        return RestoreOutcome(item, skip=True)
    item = finalizers.without_orphaned(item)
    item = persistent_volume_claim.without_mark(item) if loss else item
    item = named_in_annotations.with_namespaces(item, context.restore.namespace)
    item = uid_label.restore_label(item, persistent_volume_claim.ORIGINAL_UID)
    if reference not in made.names:
        target.await_deletion(persistent_volume_claim.RESOURCE, item, context)
        return RestoreOutcome(claim_source.repair(item, context), _warn(item, context))
    item, additional = claim_source.of_renamed(item, context)
    item = persistent_volume_claim.renamed(item, made.name(reference), made.machines)
    target.await_deletion(persistent_volume_claim.RESOURCE, item, context)
    if not claim_data.is_uploaded(context.stored) or not context.restore.has_volumes:
        return RestoreOutcome(item, additional)
    item, operation = download.bring(item, made.name(reference), context)
    return RestoreOutcome(item, additional, operation=operation)


def _is_being_filled(item: Item, context: RestoreContext) -> bool:
    """True if CDI was populating the claim: by our mark, or by its DataVolume without marks."""
    if persistent_volume_claim.is_in_progress(item):
        return True
    filler = persistent_volume_claim.data_volume(context.stored)
    if not filler or persistent_volume_claim.POPULATED_FOR in it.annotations(item):
        return False
    namespace = it.namespace(context.stored)
    try:
        found = context.archive.get(data_volume.RESOURCE.named(namespace, filler))
    except ArchiveUnreadable:
        return False
    return found is not None and data_volume.is_being_filled(found)


def _loss(claim: Reference, item: Item, context: RestoreContext) -> Loss | None:
    """The loss of a claim of CDI; losses of others are reported for the machines that use them."""
    is_marked = persistent_volume_claim.POPULATED_FOR in it.annotations(item)
    is_of_cdi = is_marked or lost_data.has_filler(claim, context)
    return lost_data.of(claim, context) if is_of_cdi else None


def _warn(item: Item, context: RestoreContext) -> tuple[Reference, ...]:
    """A warning of a claim that would wait for its snapshot for ever."""
    is_refused = context.restore.refuses(volume_snapshot.RESOURCE)
    if not is_refused or not claim_data.snapshot(context.stored):
        return ()
    if not claim_data.waits_for_left_out(item, context.restore.uid, context.stored):
        return ()
    namespace, name = it.identify(context.stored)
    text = f"{name} waits for its snapshot: the Restore leaves volumesnapshots out"
    context.log.warning(text)
    return (warning.of(namespace, text),)
