"""Objects that a restore action has to name, because Velero would not restore them by itself.

For each item that an action names Velero requests the namespace from the API server, even if the
item is restored already. Nor is naming needed for the order: Velero restores claims, service
accounts, secrets and config maps early, and resources that its priorities do not list in the order
of the alphabet: controllerrevisions, datavolumes, then instances and machines. A server whose
`--restore-resource-priorities` put machines before their disks is not provided for.

Source: restoreItem and getOrderedResources in pkg/restore/restore.go of Velero v1.18, and its
pkg/cmd/server/config.
"""

from collections.abc import Iterable

from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.reference import Reference
from stillpoint.velero.context import RestoreContext


def of(needed: Iterable[Reference], context: RestoreContext) -> tuple[Reference, ...]:
    """The needed objects that a filter may leave out, or the backup lack: Velero warns of these."""
    return tuple(one for one in needed if not _comes_anyway(one, context))


def _comes_anyway(reference: Reference, context: RestoreContext) -> bool:
    try:
        is_stored = context.archive.holds(reference)
    except ArchiveUnreadable:
        return False
    return is_stored and context.restore.filters.surely_selects(reference)
