"""The undo journal: changes to undo if the holder dies, a file in /run per application.

/run is memory, so that a journal can be written and dropped while every disk is frozen, and a
reboot, which undoes everything, drops it too.
"""

import contextlib
import hashlib
import json
import os
from typing import Any, Dict, Mapping, NamedTuple, Optional

from stillpoint_guest.errors import ApplicationError
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes import family
from stillpoint_guest.processes.family import Member
from stillpoint_guest.state.json_fields import Fields, plain

SUFFIX = ".note"
_MOST_BYTES = 1024 * 1024


class UndoEntry(NamedTuple):
    """A journal, as a later holder reads it."""

    section: Section
    undo: Dict[str, str]
    started: int = 0  # when `section.process` was, as `family.Member`; 0 if it is not known

    @property
    def is_gone(self) -> bool:
        """True if the changed process has ended, and the change with it."""
        process = Member(self.section.process, self.started)
        return bool(process.number and process.started and not family.lives(process))


class UndoJournal:
    """The journal of an application."""

    def __init__(self, folder: str, section: Section) -> None:
        self.folder = folder
        self._section = section
        self._path = os.path.join(folder, _file(section))

    def write(self, undo: Mapping[str, str]) -> None:
        """Replaces the journal; after this returns a crash cannot lose it.

        Raises:
            ApplicationError: not written, so do not lock.
        """
        process = self._section.process
        started = family.member(process).started if process else 0
        content = to_json(UndoEntry(self._section, dict(undo), started))
        try:
            with open(self._path + ".new", "w", encoding="utf-8") as file:
                json.dump(content, file)
            os.rename(self._path + ".new", self._path)
        except OSError as error:
            raise ApplicationError(
                self._section.name, f"note it in {self._path}", str(error)
            ) from error

    def drop(self) -> None:
        """Removes the journal: nothing is to be undone any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def read(self) -> Optional[Dict[str, str]]:
        """Its content; None if there is nothing to undo."""
        try:
            return read(self._path).undo
        except FileNotFoundError:
            return None


def read(path: str) -> UndoEntry:
    """The journal in a file, with its application.

    Raises:
        OSError: the journal cannot be read.
        ValueError: the file is no journal.
    """
    with open(path, "rb") as file:
        text = file.read(_MOST_BYTES).decode()
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no journal of this version: {error}") from error


def from_json(content: Any) -> UndoEntry:
    """The content of a journal; keys of later versions are ignored.

    Raises:
        ValueError: the content is no journal, and why.
    """
    fields = Fields(content)
    section = _section(fields.optional("section"))
    return UndoEntry(section, fields.pairs("noted"), int(fields.number("started", 0)))


def to_json(entry: UndoEntry) -> Dict[str, Any]:
    """The object that `from_json` reads."""
    section, undo, started = entry
    return {"section": plain(section), "noted": undo, "started": started}


def _section(content: Any) -> Section:
    fields = Fields(content)
    return Section(
        name=fields.text("name"),
        kind=fields.text("kind"),
        order=int(fields.number("order")),
        prepare_s=fields.number("prepare_s"),
        lock_s=fields.number("lock_s"),
        release_s=fields.number("release_s"),
        required=fields.truth("required"),
        method=fields.text("method"),
        options=fields.pairs("options", {}),
        source=fields.text("source"),
        process=int(fields.number("process", 0)),  # 0.1 has none
    )


def _file(section: Section) -> str:
    """A name per instance: an application's name may be of any length, and two may share a name."""
    instance = json.dumps([section.kind, section.name, section.process]).encode()
    return hashlib.sha256(instance).hexdigest()[:32] + SUFFIX
