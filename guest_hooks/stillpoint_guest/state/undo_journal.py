"""The undo journal: what is to be undone should the holder die, one file in /run per application.

/run is memory, so that a journal can be written and dropped while every disk is frozen, and a
reboot, which undoes everything, drops it too.
"""

import contextlib
import hashlib
import json
import os
from typing import Dict, Mapping, NamedTuple, Optional

from stillpoint_guest.errors import ApplicationError
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes import family
from stillpoint_guest.processes.family import Member

SUFFIX = ".note"
_MOST_BYTES = 1024 * 1024


class UndoEntry(NamedTuple):
    """A journal as a later holder finds it."""

    section: Section
    undo: Dict[str, str]
    started: int = 0  # when `section.process` was, as `family.Member`; 0 if it is not known

    @property
    def is_gone(self) -> bool:
        """Whether the process that it is about has ended, and what was changed in it with it."""
        process = Member(self.section.process, self.started)
        return bool(process.number and process.started and not family.lives(process))


class UndoJournal:
    """The journal of one application."""

    def __init__(self, folder: str, section: Section) -> None:
        self.folder = folder
        self._section = section
        self._path = os.path.join(folder, _file(section))

    def write(self, undo: Mapping[str, str]) -> None:
        """Keep it, replacing what was there before; after this returns a crash cannot lose it.

        Raises:
            ApplicationError: it could not be kept, so do not lock.
        """
        process = self._section.process
        content = {
            "section": self._section._asdict(),
            "noted": dict(undo),
            "started": family.member(process).started if process else 0,
        }
        try:
            with open(self._path + ".new", "w", encoding="utf-8") as file:
                json.dump(content, file)
            os.rename(self._path + ".new", self._path)
        except OSError as error:
            raise ApplicationError(
                self._section.name, f"note it in {self._path}", str(error)
            ) from error

    def drop(self) -> None:
        """Nothing is to be undone any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def read(self) -> Optional[Dict[str, str]]:
        """Its content; None if there is nothing to undo."""
        try:
            return read(self._path).undo
        except FileNotFoundError:
            return None


def read(path: str) -> UndoEntry:
    """The content of a journal, and of which application it is.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none.
    """
    with open(path, "rb") as file:
        content = json.loads(file.read(_MOST_BYTES).decode())
    try:
        undo = {str(key): str(value) for key, value in content["noted"].items()}
        return UndoEntry(Section(**content["section"]), undo, int(content.get("started", 0)))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no journal of this version: {error!r}") from error


def _file(section: Section) -> str:
    """One for each instance: a name may be of any length, and two servers may have the same."""
    instance = json.dumps([section.kind, section.name, section.process]).encode()
    return hashlib.sha256(instance).hexdigest()[:32] + SUFFIX
