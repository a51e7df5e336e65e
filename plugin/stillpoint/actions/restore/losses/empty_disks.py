"""Keeps a machine from starting on an empty disk, and reports lost data."""

from collections.abc import Sequence

from stillpoint.actions.restore.losses.lost_data import Loss
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.resources.machines import pending_start, virtual_machine
from stillpoint.velero import warning
from stillpoint.velero.context import RestoreContext


def report(
    machine: Item, losses: Sequence[Loss], context: RestoreContext
) -> tuple[Item, tuple[Reference, ...]]:
    """The machine, halted if a disk would be empty, and a warning of its losses."""
    if not losses:
        return machine, ()
    empty = [loss.claim for loss in losses if loss.is_empty]
    is_kept = bool(empty) and virtual_machine.starts_by_itself(machine)
    begin = f"{it.name(machine)} comes back without data: "
    if is_kept:
        machine = _halt(machine, empty, context)
        begin = f"{it.name(machine)} comes back without data and is not started: "
    return machine, _warn(begin, losses, context)


def report_instance(losses: Sequence[Loss], context: RestoreContext) -> tuple[Reference, ...]:
    """A warning of the losses of a lone instance, which starts when created.

    Raises:
        Refusal: a disk would be empty.
    """
    empty = [str(loss) for loss in losses if loss.is_empty]
    if empty:
        cause = f"it would start without the data of its disks: {listing(empty)}"
        hint = "create the instance by hand when they are filled"
        raise Refusal(it.describe(context.stored), "cannot be restored", cause, hint)
    return _warn(f"{it.name(context.stored)} comes back without data: ", losses, context)


def _warn(begin: str, losses: Sequence[Loss], context: RestoreContext) -> tuple[Reference, ...]:
    if not losses:
        return ()
    causes = list(map(str, losses))
    context.log.warning("%s%s", begin, ", ".join(causes))
    return (warning.listing(it.namespace(context.stored), begin, causes),)


def _halt(machine: Item, empty: Sequence[str], context: RestoreContext) -> Item:
    strategy = virtual_machine.run_strategy(machine)
    namespace = context.restore.namespace(it.namespace(context.stored))
    reason = (
        f"its disks {listing(empty)} come back empty; it was to run as {strategy}; HINT: fill "
        f"them, then virtctl start {it.name(machine)} -n {namespace}"
    )
    machine = virtual_machine.with_run_strategy(machine, virtual_machine.HALTED)
    return it.with_annotation(machine, pending_start.NOT_STARTED, reason)
