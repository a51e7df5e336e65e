"""The prospects of a stored machine at a target, as the plugin's own rules see them."""

from dataclasses import dataclass

from stillpoint.actions.restore.losses import lost_data, missing
from stillpoint.model.reference import Reference
from stillpoint.velero.context import RestoreContext


@dataclass(frozen=True, slots=True)
class Outlook:
    """The prospects of a machine.

    Attributes:
        losses: claims of the backup whose data the restore does not bring, each with the cause.
        needs: objects that the target has to have, as they are called there.
    """

    losses: tuple[lost_data.Loss, ...] = ()
    needs: tuple[Reference, ...] = ()


def of(context: RestoreContext) -> Outlook:
    """The prospects of the stored machine, or lone instance, of a context.

    Raises:
        MalformedItem: it cannot be read.
    """
    losses = tuple(lost_data.of_machine(context))
    recreated = [loss.claim for loss in losses if loss.is_made_by_cdi]
    _, lacking = missing.needs(context.stored, context.archive, recreated)
    return Outlook(losses, tuple(missing.at_target(one, context) for one in lacking))
