"""Backups in files and folders: downloaded, extracted, or as they lie in the object store.

Only regular files are opened, and no link is followed: who extracts an archive gets its links.

Source: pkg/persistence/object_store_layout.go of Velero v1.18; `velero backup download` names its
file NAME-data.tar.gz.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, NoReturn

from stillpoint.backup_files import tar_stream
from stillpoint.backup_files.files import Kind
from stillpoint.backup_files.tar_stream import Member
from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.names import listing, printable

BACKUP = "velero-backup.json"

DirEntry = os.DirEntry[str]

_SUFFIXES: Mapping[Kind, str] = {
    Kind.CONTENTS: ".tar.gz",
    Kind.VOLUMES: "-volumeinfo.json.gz",
    Kind.OPERATIONS: "-itemoperations.json.gz",
}
_ARCHIVES = (".tar.gz", ".tgz")
_ENDS = (*(f"-data{one}" for one in _ARCHIVES), *_ARCHIVES, "")
_EXTRACTED = "resources"
_STORE = "backups"
"""The folder of an object store with a folder for each backup; a location may have a prefix."""

_HINT = (
    "name an archive of `velero backup download`, or a folder of backups as in the object store: "
    "backups/NAME/NAME.tar.gz and the files beside it"
)


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The files of one backup: `Files`.

    Attributes:
        name: of the backup, by the names of its files.
        paths: of the files that there are.
        object_file: with the Backup object; None if there is none.
        folder: into which somebody has extracted the archive; None if nobody has.
    """

    origin: str
    name: str
    paths: Mapping[Kind, Path] = field(default_factory=dict)
    object_file: Path | None = None
    folder: Path | None = None

    def backup(self) -> Item | None:
        """See `Files.backup`; a folder into which somebody extracted an archive has any name.

        Raises:
            ArchiveUnreadable: it cannot be read, or is of another backup than the archive.
        """
        if self.object_file is None:
            return None
        found = read_object(self.object_file)
        if self.folder is None and it.name(found) != self.name:
            cause = f"it is the Backup {it.name(found)}, and the archive is that of {self.name}"
            hint = "an archive has the name of its backup: NAME.tar.gz, or NAME-data.tar.gz"
            raise ArchiveUnreadable(str(self.object_file), "cannot use it", cause, hint)
        return found

    def open(self, kind: Kind) -> IO[bytes] | None:
        """See `Files.open`."""
        return _open(self.paths[kind]) if kind in self.paths else None

    def members(self, wants: Callable[[str], bool]) -> Iterator[Member] | None:
        """The files of an archive that somebody has extracted; None if nobody has.

        Args:
            wants: see `tar_stream.members`.
        """
        return None if self.folder is None else _members(self.folder, wants)


@dataclass(frozen=True, slots=True)
class NoBackup:
    """No backup where one belongs: `Files` that nobody can read, so that a report says so.

    Attributes:
        name: of its folder or file.
    """

    origin: str
    name: str
    error: ArchiveUnreadable

    def backup(self) -> NoReturn:
        """Raises `error`."""
        raise self.error

    def open(self, kind: Kind) -> NoReturn:  # noqa: ARG002 - `Files` says so
        """Raises `error`."""
        raise self.error


Found = LocalFiles | NoBackup


def find(path: Path, object_file: Path | None = None) -> Sequence[Found]:
    """The backups in a file or a folder, by their names.

    Args:
        object_file: the Backup object of a single backup that comes without it.

    Raises:
        ArchiveUnreadable: there is none, or the folder cannot be read.
    """
    found = list(_find(path))
    if not found:
        raise ArchiveUnreadable(str(path), "cannot read it", "there is no backup", _HINT)
    if object_file is None:
        return found
    if len(found) > 1:
        cause = f"{object_file} is of one backup, and there are {len(found)}"
        raise ArchiveUnreadable(str(path), "cannot read it", cause, "name one of them")
    [one] = found
    return [replace(one, object_file=object_file) if isinstance(one, LocalFiles) else one]


def named(found: Sequence[Found], names: Sequence[str]) -> Sequence[Found]:
    """The backups of these names; all if there are no names.

    Raises:
        ArchiveUnreadable: there is none of a name.
    """
    there_are = dict.fromkeys(one.name for one in found)
    for name in names:
        if name not in there_are:
            hint = f"there are {listing(there_are)}"
            raise ArchiveUnreadable(f"backup {name}", "cannot report on it", "not found", hint)
    return [one for name in names for one in found if one.name == name] if names else found


def read_object(file: Path) -> Item:
    """The object in a file of JSON.

    Raises:
        ArchiveUnreadable: there is none.
    """
    try:
        found = json_text.decode(_content(file))
    except ValueError as error:
        raise ArchiveUnreadable(str(file), "cannot read it", f"no JSON: {error}") from error
    if isinstance(found, dict):
        return found
    raise ArchiveUnreadable(str(file), "cannot read it", "it is no object in JSON")


def _find(path: Path) -> Iterator[Found]:
    if _is_regular(path):
        yield _archive(path)
    elif path.is_dir():
        entries = _entries(path)
        if one := _of_folder(path, entries):
            yield one
        else:
            yield from _each(entries, is_store=path.resolve().name == _STORE)


def _each(entries: Iterable[DirEntry], *, is_store: bool) -> Iterator[Found]:
    """The backups in a folder that is none itself.

    Args:
        is_store: whether each folder in it has to be one.
    """
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _below(path, is_store=is_store)
        elif entry.name.endswith(_ARCHIVES):
            yield _archive(path) if _is_regular(path) else _none(path, "it is no regular file")
        elif is_store and entry.is_symlink():
            yield _none(path, "it is a link, and none is followed")


def _below(folder: Path, *, is_store: bool) -> Iterator[Found]:
    try:
        entries = _entries(folder)
    except ArchiveUnreadable as error:
        yield NoBackup(_origin("folder", folder), _text(folder.name), error)
        return
    if one := _of_folder(folder, entries):
        yield one
    elif is_store:
        yield _none(folder, f"it has neither {BACKUP} nor an archive of its own name")
    elif folder.name == _STORE:
        yield from _each(entries, is_store=True)
    elif any(one.name == _STORE for one in entries if one.is_dir(follow_symlinks=False)):
        yield from _below(folder / _STORE, is_store=False)


def _none(path: Path, cause: str) -> NoBackup:
    error = ArchiveUnreadable(_origin("folder", path), "there is no backup", cause)
    return NoBackup(error.subject, _text(path.name), error)


def _entries(folder: Path) -> Sequence[DirEntry]:
    """The files and folders of a folder, by their names.

    Raises:
        ArchiveUnreadable: it cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda one: one.name)
    except OSError as error:
        _raise_unreadable(error)


def _raise_unreadable(error: OSError) -> NoReturn:
    cause = error.strerror or str(error)
    raise ArchiveUnreadable(str(error.filename), "cannot read it", cause) from error


def _of_folder(folder: Path, entries: Sequence[DirEntry]) -> LocalFiles | None:
    """The backup whose files these are, if they are of one."""
    origin, own_name = _origin("folder", folder), folder.resolve().name
    names = {one.name for one in entries}
    file = folder / BACKUP if BACKUP in names else None
    if any(one.name == _EXTRACTED for one in entries if one.is_dir(follow_symlinks=False)):
        own = file if file and _is_regular(file) else None  # an archive may bring a link
        return LocalFiles(origin, _text(own_name), {}, own, folder)
    archives = [name for name in sorted(names) if name.endswith(".tar.gz")]
    if file is None and archives != [f"{own_name}.tar.gz"]:
        return None
    name = archives[0].removesuffix(".tar.gz") if len(archives) == 1 else own_name
    paths = {
        kind: folder / f"{name}{suffix}"
        for kind, suffix in _SUFFIXES.items()
        if f"{name}{suffix}" in names
    }
    return LocalFiles(origin, _text(name), paths, file)


def _archive(path: Path) -> LocalFiles:
    name = next(path.name.removesuffix(end) for end in _ENDS if path.name.endswith(end))
    return LocalFiles(_origin("archive", path), _text(name), {Kind.CONTENTS: path})


def _origin(what: str, path: Path) -> str:
    """The place in words; a name of a file may be no text."""
    return printable(f"{what} {path}")


def _text(name: str) -> str:
    """A name of a file as in an archive; JSON takes none that is no text."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _members(folder: Path, wants: Callable[[str], bool]) -> Iterator[Member]:
    """The files of an extracted archive, as from the archive itself."""
    walked = os.walk(folder / _EXTRACTED, onerror=_raise_unreadable)  # follows no link
    for parent, folders, files in walked:
        folders.sort()
        for name in sorted(files):
            file = Path(parent, name)
            place = _text(file.relative_to(folder).as_posix())
            if not wants(place):
                yield Member(place, None)
            elif _is_regular(file):
                yield Member(place, _content(file))


def _content(file: Path) -> bytes:
    with _open(file) as stream:
        length = os.fstat(stream.fileno()).st_size
        if length > tar_stream.MOST_MEMBER_BYTES:
            cause = f"it has {length:,} bytes where {tar_stream.MOST_MEMBER_BYTES:,} are the most"
            raise ArchiveUnreadable(str(file), "cannot read it", cause)
        return stream.read(length)


def _is_regular(file: Path) -> bool:
    """True if it is a regular file, and no link to one.

    Raises:
        ArchiveUnreadable: its folder cannot be looked into.
    """
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError as error:
        _raise_unreadable(error)


def _open(file: Path) -> IO[bytes]:
    """Opens a regular file, and waits for nobody: a pipe would keep a report for ever.

    Raises:
        ArchiveUnreadable: there is no such file.
    """
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ArchiveUnreadable(str(file), "cannot read it", error.strerror or "") from error
    stream = os.fdopen(opened, "rb", buffering=0)
    if stat.S_ISREG(os.fstat(opened).st_mode):
        return stream
    stream.close()
    raise ArchiveUnreadable(str(file), "cannot read it", "it is no regular file")
