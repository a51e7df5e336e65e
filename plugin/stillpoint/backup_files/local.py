"""Files of backups on this machine: downloaded, extracted, or as they lie in the object store.

Only regular files are opened, and no link is followed: who extracts an archive gets its links.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from stillpoint.backup_files import tar_stream
from stillpoint.backup_files.files import Kind
from stillpoint.backup_files.tar_stream import Member
from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.model.names import printable

BACKUP = "velero-backup.json"

EXTRACTED = "resources"


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
            what = f"the Backup {it.name(found)}" if it.name(found) else "no Backup with a name"
            cause = f"it is {what}, and the archive is that of {self.name}"
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


def raise_unreadable(error: OSError) -> NoReturn:
    cause = error.strerror or str(error)
    raise ArchiveUnreadable(str(error.filename), "cannot read it", cause) from error


def words_of(what: str, path: Path) -> str:
    """The place in words; a name of a file may be no text."""
    return printable(f"{what} {path}")


def text(name: str) -> str:
    """A name of a file as in an archive; JSON takes none that is no text."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _members(folder: Path, wants: Callable[[str], bool]) -> Iterator[Member]:
    """The files of an extracted archive, as from the archive itself."""
    walked = os.walk(folder / EXTRACTED, onerror=raise_unreadable)  # follows no link
    for parent, folders, files in walked:
        folders.sort()
        for name in sorted(files):
            file = Path(parent, name)
            place = text(file.relative_to(folder).as_posix())
            if not wants(place):
                yield Member(place, None)
            elif is_regular(file):
                yield Member(place, _content(file))


def _content(file: Path) -> bytes:
    with _open(file) as stream:
        length = os.fstat(stream.fileno()).st_size
        if length > tar_stream.MOST_MEMBER_BYTES:
            cause = f"it has {length:,} bytes where {tar_stream.MOST_MEMBER_BYTES:,} are the most"
            raise ArchiveUnreadable(str(file), "cannot read it", cause)
        return stream.read(length)


def is_regular(file: Path) -> bool:
    """True if it is a regular file, and no link to one.

    Raises:
        ArchiveUnreadable: its folder cannot be looked into.
    """
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError as error:
        raise_unreadable(error)


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
