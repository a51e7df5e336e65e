"""What must be undone should the holder die: one file in /run for each application.

/run is memory, so that a note can be written and dropped while every disk is frozen, and a reboot,
which undoes everything, drops it too.
"""

import contextlib
import json
import os
from typing import Dict, Mapping, Optional

from guest_hooks.errors import ApplicationError


class Note:
    """The note of one application."""

    def __init__(self, folder: str, name: str, kind: str) -> None:
        self._name = name
        self._kind = kind
        self._path = os.path.join(folder, name.replace("/", "\\") + ".note")

    def write(self, noted: Mapping[str, str]) -> None:
        """Keep it, replacing what was noted before; after this returns a crash cannot lose it.

        Raises:
            ApplicationError: it could not be kept, so do not lock.
        """
        content = {"name": self._name, "type": self._kind, "noted": dict(noted)}
        try:
            with open(self._path + ".new", "w", encoding="utf-8") as file:
                json.dump(content, file)
            os.rename(self._path + ".new", self._path)
        except OSError as error:
            raise ApplicationError(self._name, f"note it in {self._path}", str(error)) from error

    def drop(self) -> None:
        """Nothing is to be undone any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def read(self) -> Optional[Dict[str, str]]:
        """What was noted; None if there is nothing to undo."""
        try:
            with open(self._path, encoding="utf-8") as file:
                noted = json.load(file)["noted"]
        except FileNotFoundError:
            return None
        return {str(key): str(value) for key, value in noted.items()}
