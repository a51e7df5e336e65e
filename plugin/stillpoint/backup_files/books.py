"""Velero's books of a backup: the files beside the archive."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from stillpoint.backup_files import compressed
from stillpoint.backup_files.files import Files, Kind
from stillpoint.model import item as it
from stillpoint.model.errors import ArchiveUnreadable, MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.velero import item_operation
from stillpoint.velero.item_operation import ItemOperation
from stillpoint.velero.volumes import volume_info
from stillpoint.velero.volumes.volume_info import VolumeInfo

Read = TypeVar("Read")

Claim = tuple[str, str]
"""Namespace and name."""

_OWN = "stillpoint.dev/"
"""The names of this plugin's actions begin with it."""


@dataclass(frozen=True, slots=True)
class Books:
    """Velero's books of a backup.

    Attributes:
        volumes: what Velero did with each claim; None if no file says so.
        uids: that the backup may have. A Backup that Velero found in the object store of another
            cluster has a uid of its own; the book of operations keeps that of the backup.
        failed: operations of Velero and its plugins that ended with an error, by their item.
        said: words of this plugin's own operations, by their item.
    """

    volumes: Mapping[Claim, VolumeInfo] | None = None
    uids: frozenset[str] = frozenset()
    failed: Mapping[Reference, ItemOperation] = field(default_factory=dict)
    said: Mapping[Reference, str] = field(default_factory=dict)


def read(files: Files, backup: Item | None) -> Books:
    """Reads the books.

    Args:
        backup: the Backup object.

    Raises:
        StillpointError: a book that is there cannot be read.
    """
    volumes = _entries(files, Kind.VOLUMES, volume_info.read)
    operations = _entries(files, Kind.OPERATIONS, _operations) or ()
    return Books(
        volumes,
        _uids(backup, operations),
        failed={one.item: one for one in operations if one.has_failed},
        said={one.item: one.description for one in operations if one.action.startswith(_OWN)},
    )


def _uids(backup: Item | None, operations: Iterable[ItemOperation]) -> frozenset[str]:
    return frozenset({it.uid(backup or {}), *(one.backup_uid for one in operations)} - {""})


def _operations(entries: Sequence[Item]) -> Sequence[ItemOperation]:
    return tuple(item_operation.read(entries))


def _entries(files: Files, kind: Kind, read: Callable[[Sequence[Item]], Read]) -> Read | None:
    """The entries of a book; one in it has no name, so an error has that of the file."""
    stream = files.open(kind)
    if stream is None:
        return None
    with stream:
        value = compressed.json_value(stream, kind)
    try:
        return read(it.sequence({"entries": value}, "entries"))
    except MalformedItem as error:
        raise ArchiveUnreadable(f"{kind} of the backup", "cannot read it", error.cause) from error
