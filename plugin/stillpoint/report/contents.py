"""All that the files of a backup say, read once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stillpoint.backup_files import archive, books
from stillpoint.backup_files.books import Books
from stillpoint.backup_files.files import Files
from stillpoint.backup_files.stored import StoredObjects, is_read
from stillpoint.evidence import verified
from stillpoint.evidence.sealed import Key
from stillpoint.evidence.verified import Verification
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.velero import seal_secret


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a backup.

    Attributes:
        origin: where it lies, in words.
        backup: the Backup object; None if it is not there.
        books: Velero's, of volumes and operations.
        keys: of the seal on its evidence; none without its Backup object, as nobody knows then
            whether it has a secret, which its uid is no substitute for.
        objects: None if there is no archive.
        verifications: of machines that were restored for a test, by `shop/db`.
        verification_fault: why the Backup's annotation of these is none; empty if it is one.
    """

    origin: str
    backup: Item | None
    books: Books
    keys: tuple[Key, ...] = ()
    objects: StoredObjects | None = None
    verifications: Mapping[str, Verification] = field(default_factory=dict)
    verification_fault: str = ""


def read(files: Files) -> Contents:
    """Reads the files of a backup.

    Raises:
        StillpointError: a file that is there cannot be read.
    """
    backup, objects = files.backup(), _objects(files)
    verifications, fault = _verifications(backup or {})
    known = books.read(files, backup)
    keys = _keys(backup, known.uids)
    return Contents(files.origin, backup, known, keys, objects, verifications, fault)


def _keys(backup: Item | None, uids: Iterable[str]) -> tuple[Key, ...]:
    if backup is None:
        return ()
    secret = seal_secret.of(backup)
    return (Key(secret),) if secret else tuple(Key(uid, is_uid=True) for uid in sorted(uids))


def _verifications(backup: Item) -> tuple[Mapping[str, Verification], str]:
    """The verifications on a Backup; none, and why, if somebody else has written there."""
    try:
        return verified.of(backup), ""
    except MalformedItem as error:
        return {}, error.cause


def _objects(files: Files) -> StoredObjects | None:
    with archive.members(files, is_read) as members:
        return None if members is None else StoredObjects(members)
