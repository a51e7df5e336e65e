"""All that the files of a backup say, read once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stillpoint.backup_files import archive, books, log
from stillpoint.backup_files.books import Books
from stillpoint.backup_files.files import Files
from stillpoint.backup_files.stored import StoredObjects, is_read
from stillpoint.evidence import verified
from stillpoint.evidence.sealed import Key
from stillpoint.evidence.verified import Verification
from stillpoint.model.errors import MalformedItem, StillpointError
from stillpoint.model.item import Item
from stillpoint.velero import backup_status, hook_log, seal_secret
from stillpoint.velero.hook_log import Failures, TooManyHooks


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
        hooks: that failed, by Velero's log; None where nobody knows, or none failed.
        hooks_fault: why the log says nothing of them; empty if it does, or none failed.
        verifications: of machines that were restored for a test, by `shop/db`.
        verification_fault: why the Backup's annotation of these is none; empty if it is one.
    """

    origin: str
    backup: Item | None
    books: Books
    keys: tuple[Key, ...] = ()
    objects: StoredObjects | None = None
    hooks: Failures | None = None
    hooks_fault: str = ""
    verifications: Mapping[str, Verification] = field(default_factory=dict)
    verification_fault: str = ""


def read(files: Files, *, with_log: bool = True) -> Contents:
    """Reads the files of a backup.

    Args:
        with_log: reads the log too, if hooks failed.

    Raises:
        StillpointError: a file that is there cannot be read.
    """
    backup, objects = files.backup(), _objects(files)
    verifications, fault = _verifications(backup or {})
    known = books.read(files, backup)
    keys = _keys(backup, known.uids)
    hooks, hooks_fault = _hooks(files, backup or {}) if with_log else (None, "")
    return Contents(
        files.origin, backup, known, keys, objects, hooks, hooks_fault, verifications, fault
    )


def _hooks(files: Files, backup: Item) -> tuple[Failures | None, str]:
    """The hooks that failed, by the log of the backup, which is large: read only if any did."""
    if not backup_status.hooks_failed(backup):
        return None, ""
    try:
        lines = log.lines(files)
        if lines is None:
            return None, "its log is not there"
        return hook_log.failures(lines), ""
    except TooManyHooks as error:
        return None, f"its log cannot be read: {error}"
    except StillpointError as error:
        return None, str(error)


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
