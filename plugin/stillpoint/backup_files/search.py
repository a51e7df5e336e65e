"""Finds backups in a file or a folder, and what lies there in place of one.

Source: pkg/persistence/object_store_layout.go of Velero v1.18; `velero backup download` names its
file NAME-data.tar.gz.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from stillpoint.backup_files.files import Kind
from stillpoint.backup_files.local import (
    BACKUP,
    EXTRACTED,
    LocalFiles,
    is_regular,
    raise_unreadable,
    text,
    words_of,
)
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.names import listing

DirEntry = os.DirEntry[str]

_SUFFIXES: Mapping[Kind, str] = {
    Kind.CONTENTS: ".tar.gz",
    Kind.VOLUMES: "-volumeinfo.json.gz",
    Kind.OPERATIONS: "-itemoperations.json.gz",
    Kind.LOG: "-logs.gz",
}
_ARCHIVES = (".tar.gz", ".tgz")
_ENDS = (*(f"-data{one}" for one in _ARCHIVES), *_ARCHIVES, "")
_STORE = "backups"
"""The folder of an object store with a folder for each backup; a location may have a prefix."""
_HINT = (
    "name an archive of `velero backup download`, or a folder of backups as in the object store: "
    "backups/NAME/NAME.tar.gz and the files beside it"
)


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


def _find(path: Path) -> Iterator[Found]:
    if is_regular(path):
        yield _archive(path)
    elif path.is_dir():
        entries = _entries(path)
        if one := _of_folder(path, entries):
            yield one
        else:
            yield from _each(entries, is_store=_is_store(path.resolve(), entries))


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
            yield _archive(path) if is_regular(path) else _none(path, "it is no regular file")
        elif is_store and entry.is_symlink():
            yield _none(path, "it is a link, and none is followed")


def _below(folder: Path, *, is_store: bool) -> Iterator[Found]:
    try:
        entries = _entries(folder)
    except ArchiveUnreadable as error:
        yield NoBackup(words_of("folder", folder), text(folder.name), error)
        return
    if one := _of_folder(folder, entries):
        yield one
    elif is_store:
        yield _none(folder, f"it has neither {BACKUP} nor an archive of its own name")
    elif folder.name == _STORE:
        yield from _each(entries, is_store=_is_store(folder, entries))
    elif any(one.name == _STORE for one in entries if one.is_dir(follow_symlinks=False)):
        yield from _below(folder / _STORE, is_store=False)


def _is_store(folder: Path, entries: Iterable[DirEntry]) -> bool:
    """True if each folder in it has to be a backup: a bucket or a prefix may be called so, too."""
    inner = [Path(one.path) for one in entries if one.name == _STORE and one.is_dir()]
    is_above = any(_of_folder(one, _entries(one)) is None for one in inner)
    return folder.name == _STORE and not is_above


def _none(path: Path, cause: str) -> NoBackup:
    error = ArchiveUnreadable(words_of("folder", path), "there is no backup", cause)
    return NoBackup(error.subject, text(path.name), error)


def _entries(folder: Path) -> Sequence[DirEntry]:
    """The files and folders of a folder, by their names.

    Raises:
        ArchiveUnreadable: it cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda one: one.name)
    except OSError as error:
        raise_unreadable(error)


def _of_folder(folder: Path, entries: Sequence[DirEntry]) -> LocalFiles | None:
    """The backup whose files these are, if they are of one."""
    origin, own_name = words_of("folder", folder), folder.resolve().name
    names = {one.name for one in entries}
    file = folder / BACKUP if BACKUP in names else None
    if any(one.name == EXTRACTED for one in entries if one.is_dir(follow_symlinks=False)):
        own = file if file and is_regular(file) else None  # an archive may bring a link
        return LocalFiles(origin, text(own_name), {}, own, folder)
    archives = [name for name in sorted(names) if name.endswith(".tar.gz")]
    if file is None and archives != [f"{own_name}.tar.gz"]:
        return None
    name = archives[0].removesuffix(".tar.gz") if len(archives) == 1 else own_name
    paths = {
        kind: folder / f"{name}{suffix}"
        for kind, suffix in _SUFFIXES.items()
        if f"{name}{suffix}" in names
    }
    return LocalFiles(origin, text(name), paths, file)


def _archive(path: Path) -> LocalFiles:
    name = next(path.name.removesuffix(end) for end in _ENDS if path.name.endswith(end))
    return LocalFiles(words_of("archive", path), text(name), {Kind.CONTENTS: path})
