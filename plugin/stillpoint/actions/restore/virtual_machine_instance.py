"""Restore of a VirtualMachineInstance (rule 4.2)."""

from stillpoint.actions.restore.changes import identity
from stillpoint.actions.restore.losses import empty_disks, files_to_come, lost_data, missing
from stillpoint.actions.restore.selection import plan
from stillpoint.actions.restore.waiting import arrival
from stillpoint.actions.restore.waiting.arrival import progress_of_instance as progress
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome, Selector
from stillpoint.resources import cluster_needs, finalizers
from stillpoint.resources.machines import guest, virtual_machine, virtual_machine_instance
from stillpoint.velero.context import RestoreContext

__all__ = ["APPLIES_TO", "DOES", "cancel", "execute", "progress"]

APPLIES_TO = Selector((str(virtual_machine_instance.RESOURCE),))
DOES = "owned: left out; standing alone: without the labels of its last run"


def execute(item: Item, context: RestoreContext) -> RestoreOutcome:
    """Leaves an owned instance to its owner; creates a lone instance as if it never ran.

    Raises:
        Refusal: the instance cannot come back as the restore asks; no part of it is created then.
    """
    it.identify(item)
    # An archive from before this plugin has no mark; what is stored has its owners still.
    marked = it.annotations(item).get(virtual_machine_instance.IS_OWNED) == "true"
    if marked or virtual_machine_instance.is_owned(context.stored):
        context.log.info("not restored: its owner recreates it")
        return RestoreOutcome(item, skip=True)
    reference = virtual_machine_instance.RESOURCE.named(*it.identify(context.stored))
    made = plan.of(context, reference.namespace)
    if refusal := made.refused.get(reference.name):
        raise refusal
    if why := made.why_left_out(reference):
        context.log.info(why)
        return RestoreOutcome(item, skip=True)
    item = _as_new(item)
    if reference in made.names:
        item = virtual_machine_instance.renamed(item, made.name(reference), made.parts)
    specification = identity.apply(it.require_mapping(item, "spec"), item, context)
    specification = guest.with_namespaces(specification, context.restore.namespace)
    item = it.with_value(item, specification, "spec")
    losses = lost_data.of_machine(context)
    coming = files_to_come.coming(context)
    files_to_come.refuse(coming, context)
    warnings = (*empty_disks.report_instance(losses, context), *coming.warnings)
    recreated = [loss.claim for loss in losses if loss.is_made_by_cdi]
    additional = missing.additional(context.stored, context, recreated)
    return RestoreOutcome(item, (*additional, *warnings), operation=arrival.owners(item, context))


def cancel(operation: str, context: RestoreContext) -> None:
    """Does nothing: there is no waiting that could be stopped."""
    del operation, context


def _as_new(item: Item) -> Item:
    item = finalizers.without_orphaned(item)
    for label in virtual_machine_instance.OF_THIS_RUN:
        item = it.without(item, "metadata", "labels", label)
    return cluster_needs.with_mark(virtual_machine.with_state_claims(item, ()), ())
