"""A finished backup, read from its files: on this machine, or downloaded.

On this machine they are an archive (.tar.gz), the folder into which it was extracted, or that of
the backup in an object store. Nothing of an archive is written, and no name in it is followed:
members are read by what their path says of resource, namespace and name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stillpoint.backup_files import archive, books, local, search
from stillpoint.backup_files.books import Books
from stillpoint.backup_files.files import Files
from stillpoint.backup_files.local import LocalFiles
from stillpoint.backup_files.places import place_of
from stillpoint.backup_files.search import NoBackup
from stillpoint.backup_files.tar_stream import Member
from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.api_resources import KNOWN, Served
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference

_MOST_BYTES = 2 * 1024**3
"""Of all objects together, as JSON; each takes several times that in memory."""

_NO_BOOKS = Books()
_ATTEMPT = "cannot read the backup"
_HINT = "velero backup download NAME"


@dataclass(frozen=True, slots=True)
class FinishedBackup:
    """A finished backup.

    Attributes:
        stored: the items as stored.
        resources: the resource of each kind in the archive, and those that are known.
        backup: the Backup object; None if it is not among the files.
        books: Velero's, of volumes and operations; empty without these files.
    """

    name: str
    stored: Mapping[Reference, Item]
    resources: tuple[Served, ...]
    backup: Item | None
    books: Books = _NO_BOOKS


def read(place: Path) -> FinishedBackup:
    """The finished backup in a file or a folder, with the files beside it.

    Raises:
        ArchiveUnreadable: the file or folder is no backup of Velero, or is torn; or the Backup is
            that of another.
    """
    return of_files(_files(place.resolve()))


def of_files(files: Files) -> FinishedBackup:
    """The finished backup whose files these are.

    Raises:
        ArchiveUnreadable: the archive is none, or torn; or the Backup is that of another.
        StillpointError: a file cannot be downloaded.
    """
    items: dict[Reference, Item] = {}
    resources = {(one.group, one.kind): one for one in KNOWN}
    with archive.members(files, _is_object) as members:
        for reference, item in _objects(members or (), files.origin):
            group, kind = it.group_kind(item)
            version = str(item["apiVersion"]).rpartition("/")[2]
            served = Served(group, version, reference.resource, kind, bool(reference.namespace))
            resources.setdefault((group, kind), served)
            items[reference] = item
    if members is None:
        raise ArchiveUnreadable(files.origin, _ATTEMPT, "there is no archive", _HINT)
    if not items:
        cause = "nothing in it lies where Velero puts the items of a backup (resources/...)"
        raise ArchiveUnreadable(files.origin, _ATTEMPT, cause, _HINT)
    backup = files.backup()
    read_books = books.read(files, backup)
    return FinishedBackup(files.name, items, tuple(resources.values()), backup, read_books)


def _files(place: Path) -> LocalFiles:
    """The files of the one backup at a place; beside an archive lies its Backup, or none."""
    beside = place.parent / local.BACKUP
    is_archive = not place.is_dir() and beside.exists()
    found = search.find(place, beside if is_archive else None)
    if len(found) > 1:
        cause = f"there are {len(found)} backups"
        raise ArchiveUnreadable(str(place), _ATTEMPT, cause, "name the archive of one of them")
    [one] = found
    if isinstance(one, NoBackup):
        raise one.error
    return one


def _is_object(name: str) -> bool:
    return place_of(name) is not None


def _objects(members: Iterable[Member], origin: str) -> Iterator[tuple[Reference, Item]]:
    left = _MOST_BYTES
    for member in members:
        place = place_of(member.name)
        if place is None or member.content is None:
            continue
        left -= len(member.content)
        if left < 0:
            cause = f"its objects take more than {_MOST_BYTES:,} bytes"
            raise ArchiveUnreadable(origin, _ATTEMPT, cause)
        resource, namespace, name = place
        plural, _dot, group = resource.partition(".")
        item = _object(member.content, f"{origin}: {member.name}")
        yield Reference(group, plural, namespace, name), item


def _object(content: bytes, place: str) -> Item:
    try:
        item = json_text.decode(content)
    except ValueError as error:
        raise ArchiveUnreadable(place, _ATTEMPT, f"it is no JSON: {error}") from error
    is_object = isinstance(item, dict) and isinstance(item.get("metadata"), dict)
    if not is_object or not all(isinstance(item.get(key), str) for key in ("apiVersion", "kind")):
        raise ArchiveUnreadable(place, _ATTEMPT, "it is no object of the Kubernetes API")
    found: Item = item
    return found
