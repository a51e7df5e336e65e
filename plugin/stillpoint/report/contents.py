"""All that the files of a backup say, read once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from stillpoint.backup_files import compressed, tar_stream
from stillpoint.backup_files.files import Files, Kind
from stillpoint.backup_files.local import LocalFiles
from stillpoint.backup_files.stored import StoredObjects, is_read
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
class Contents:
    """The contents of a backup.

    Attributes:
        origin: where it lies, in words.
        backup: the Backup object; None if it is not there.
        uids: that the backup may have. A Backup that Velero found in the object store of another
            cluster has a uid of its own; the book of operations keeps that of the backup.
        objects: None if there is no archive.
        volumes: what Velero did with each claim; None if no file says so.
        failed: operations of Velero and its plugins that ended with an error, by their item.
        said: words of this plugin's own operations, by their item.
    """

    origin: str
    backup: Item | None
    uids: frozenset[str] = frozenset()
    objects: StoredObjects | None = None
    volumes: Mapping[Claim, VolumeInfo] | None = None
    failed: Mapping[Reference, ItemOperation] = field(default_factory=dict)
    said: Mapping[Reference, str] = field(default_factory=dict)


def read(files: Files) -> Contents:
    """Reads the files of a backup.

    Raises:
        StillpointError: a file that is there cannot be read.
    """
    backup, objects = files.backup(), _objects(files)
    volumes = _entries(files, Kind.VOLUMES, volume_info.read)
    operations = _entries(files, Kind.OPERATIONS, _operations) or ()
    return Contents(
        origin=files.origin,
        backup=backup,
        uids=_uids(backup, operations),
        objects=objects,
        volumes=volumes,
        failed={one.item: one for one in operations if one.has_failed},
        said={one.item: one.description for one in operations if one.action.startswith(_OWN)},
    )


def _uids(backup: Item | None, operations: Iterable[ItemOperation]) -> frozenset[str]:
    return frozenset({it.uid(backup or {}), *(one.backup_uid for one in operations)} - {""})


def _objects(files: Files) -> StoredObjects | None:
    if isinstance(files, LocalFiles) and (members := files.members(is_read)) is not None:
        return StoredObjects(members)
    stream = files.open(Kind.CONTENTS)
    if stream is None:
        return None
    with stream, compressed.decompressed(stream, "archive of the backup") as tar:
        return StoredObjects(tar_stream.members(tar, is_read))


def _operations(entries: Sequence[Item]) -> Sequence[ItemOperation]:
    return tuple(item_operation.read(entries))


def _entries(files: Files, kind: Kind, read: Callable[[Sequence[Item]], Read]) -> Read | None:
    """A file beside the archive; an entry in it has no name, so an error has that of the file."""
    stream = files.open(kind)
    if stream is None:
        return None
    with stream:
        value = compressed.json_value(stream, kind)
    try:
        return read(it.sequence({"entries": value}, "entries"))
    except MalformedItem as error:
        raise ArchiveUnreadable(f"{kind} of the backup", "cannot read it", error.cause) from error
