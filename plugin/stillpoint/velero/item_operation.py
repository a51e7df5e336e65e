"""Velero's book of the operations of a backup that go on beside it, such as moves of data.

Source: pkg/itemoperation of Velero v1.18.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference


@dataclass(frozen=True, slots=True)
class ItemOperation:
    """An operation.

    Attributes:
        item: that it is about.
        action: name of the action that began it, for instance `stillpoint.dev/...`.
        backup_uid: of the Backup.
        has_failed: true if it ended with an error.
        error: empty unless it has failed.
        description: the action's own words; may be empty.
    """

    item: Reference
    action: str
    backup_uid: str
    has_failed: bool
    error: str
    description: str


def read(entries: Iterable[Item]) -> Iterator[ItemOperation]:
    """The operations in their order.

    Raises:
        MalformedItem: an entry has a field of the wrong type.
    """
    for entry in entries:
        asked, status = it.mapping(entry, "spec"), it.mapping(entry, "status")
        item = it.mapping(asked, "resourceIdentifier")
        names = (it.text(item, field) for field in ("Group", "Resource", "Namespace", "Name"))
        yield ItemOperation(
            item=Reference(*names),
            action=it.text(asked, "backupItemAction"),
            backup_uid=it.text(asked, "backupUID"),
            has_failed=it.text(status, "phase") == "Failed",
            error=it.text(status, "error"),
            description=it.text(status, "description"),
        )
