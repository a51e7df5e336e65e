"""All that the files of a backup say, read once."""

from dataclasses import dataclass

from stillpoint.backup_files import archive, books
from stillpoint.backup_files.books import Books
from stillpoint.backup_files.files import Files
from stillpoint.backup_files.stored import StoredObjects, is_read
from stillpoint.model.item import Item


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a backup.

    Attributes:
        origin: where it lies, in words.
        backup: the Backup object; None if it is not there.
        books: Velero's, of volumes and operations.
        objects: None if there is no archive.
    """

    origin: str
    backup: Item | None
    books: Books
    objects: StoredObjects | None = None


def read(files: Files) -> Contents:
    """Reads the files of a backup.

    Raises:
        StillpointError: a file that is there cannot be read.
    """
    backup, objects = files.backup(), _objects(files)
    return Contents(files.origin, backup, books.read(files, backup), objects)


def _objects(files: Files) -> StoredObjects | None:
    with archive.members(files, is_read) as members:
        return None if members is None else StoredObjects(members)
