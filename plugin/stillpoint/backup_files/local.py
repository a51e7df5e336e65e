"""Backups in files and folders: downloaded, extracted, or as they lie in the object store.

Only regular files are opened, and no link is followed: who extracts an archive gets its links.

Source: pkg/persistence/object_store_layout.go of Velero v1.18; `velero backup download` names its
file NAME-data.tar.gz.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from stillpoint.backup_files import tar_stream
from stillpoint.backup_files.files import Kind
from stillpoint.backup_files.tar_stream import Member
from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.names import listing, printable

BACKUP = "velero-backup.json"

_SUFFIXES: Mapping[Kind, str] = {
    Kind.CONTENTS: ".tar.gz",
    Kind.VOLUMES: "-volumeinfo.json.gz",
    Kind.OPERATIONS: "-itemoperations.json.gz",
}
_ARCHIVES = (".tar.gz", ".tgz")
_ENDS = (*(f"-data{one}" for one in _ARCHIVES), *_ARCHIVES, "")
_EXTRACTED = "resources"
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


def find(path: Path, object_file: Path | None = None) -> Sequence[LocalFiles]:
    """The backups in a file or a folder, by their names.

    Args:
        object_file: the Backup object of a single backup that comes without it.

    Raises:
        ArchiveUnreadable: there is none.
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
    return [replace(one, object_file=object_file)]


def named(found: Sequence[LocalFiles], names: Sequence[str]) -> Sequence[LocalFiles]:
    """The backups of these names; all if there are no names.

    Raises:
        ArchiveUnreadable: there is none of a name.
    """
    by_name = {one.name: one for one in found}
    for name in names:
        if name not in by_name:
            hint = f"there are {listing(by_name)}"
            raise ArchiveUnreadable(f"backup {name}", "cannot report on it", "not found", hint)
    return [by_name[name] for name in names] if names else found


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


def _find(path: Path) -> Iterator[LocalFiles]:
    if not path.is_dir():
        if _is_regular(path):
            yield _archive(path)
        return
    names = sorted(entry.name for entry in os.scandir(path))
    if one := _of_folder(path, names):
        yield one
        return
    for name in names:
        below = path / name
        if name.endswith(_ARCHIVES) and _is_regular(below):
            yield _archive(below)
        elif below.is_dir() and not below.is_symlink():
            yield from _below(below)


def _below(folder: Path) -> Iterator[LocalFiles]:
    """A backup in a folder, or those in a folder `backups`, as the object store has them."""
    names = sorted(entry.name for entry in os.scandir(folder))
    if one := _of_folder(folder, names):
        yield one
    elif folder.name == "backups":
        yield from _find(folder)


def _of_folder(folder: Path, names: Sequence[str]) -> LocalFiles | None:
    """The backup whose files these are, if they are of one."""
    extracted = folder / _EXTRACTED
    if extracted.is_dir() and not extracted.is_symlink():
        file = folder / BACKUP if _is_regular(folder / BACKUP) else None
        return LocalFiles(_origin("folder", folder), folder.resolve().name, {}, file, folder)
    if BACKUP not in names:
        return None
    name = _name(folder, names)
    paths = {
        kind: folder / f"{name}{suffix}"
        for kind, suffix in _SUFFIXES.items()
        if f"{name}{suffix}" in names
    }
    return LocalFiles(_origin("folder", folder), name, paths, folder / BACKUP)


def _archive(path: Path) -> LocalFiles:
    name = next(path.name.removesuffix(end) for end in _ENDS if path.name.endswith(end))
    return LocalFiles(_origin("archive", path), name, {Kind.CONTENTS: path})


def _origin(what: str, path: Path) -> str:
    """The place in words; a name of a file may be no text."""
    return printable(f"{what} {path}")


def _name(folder: Path, names: Sequence[str]) -> str:
    """Name of the backup in a folder, which somebody may have renamed."""
    archives = [name for name in names if name.endswith(".tar.gz")]
    if len(archives) == 1:
        return archives[0].removesuffix(".tar.gz")
    return folder.resolve().name


def _members(folder: Path, wants: Callable[[str], bool]) -> Iterator[Member]:
    """The files of an extracted archive, as from the archive itself."""
    for parent, folders, files in os.walk(folder / _EXTRACTED):  # follows no link
        folders.sort()
        for name in sorted(files):
            file = Path(parent, name)
            place = file.relative_to(folder).as_posix()
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
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


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
