"""A finished backup as a whole, common to all of its machines."""

from dataclasses import dataclass
from datetime import datetime

from stillpoint.backup_files.books import Books
from stillpoint.backup_files.uploads import Objects
from stillpoint.model.item import Item


@dataclass(frozen=True, slots=True)
class EndedBackup:
    """Facts about a finished backup.

    Attributes:
        backup: the Backup; None if it is neither among the files nor in the target.
        now: by which it expires.
        objects: all that it holds.
        books: Velero's, of volumes and operations.
    """

    backup: Item | None
    now: datetime
    objects: Objects
    books: Books
