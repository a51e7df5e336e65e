"""What must be undone should the holder die: one file in /run for each application.

/run is memory, so that a note can be written and dropped while every disk is frozen, and a reboot,
which undoes everything, drops it too.
"""

import contextlib
import json
import os
from typing import Dict, Mapping, NamedTuple, Optional

from guest_hooks.errors import ApplicationError
from guest_hooks.section import Section

SUFFIX = ".note"


class Noted(NamedTuple):
    """A note as it is found."""

    section: Section
    noted: Dict[str, str]


class Note:
    """The note of one application."""

    def __init__(self, folder: str, section: Section) -> None:
        self.folder = folder
        self._section = section
        self._path = os.path.join(folder, section.name.replace("/", "\\") + SUFFIX)

    def write(self, noted: Mapping[str, str]) -> None:
        """Keep it, replacing what was noted before; after this returns a crash cannot lose it.

        Raises:
            ApplicationError: it could not be kept, so do not lock.
        """
        content = {"section": self._section._asdict(), "noted": dict(noted)}
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
        """What was noted; None if there is nothing to undo."""
        try:
            return read(self._path).noted
        except FileNotFoundError:
            return None


def read(path: str) -> Noted:
    """What a note says, and of which application."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    noted = {str(key): str(value) for key, value in content["noted"].items()}
    return Noted(Section(**content["section"]), noted)
