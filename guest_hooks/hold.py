"""The mark in /run that something is held, so that its loss is known whoever died."""

import contextlib
import json
import os
from typing import Any, Dict, Optional, Sequence


class Hold:
    """There from the last lock until a thaw has been told how the hold ended."""

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, since: str, names: Sequence[str]) -> None:
        """From now on something is held.

        Raises:
            OSError: it cannot be noted, so it must not be held.
        """
        self._replace({"since": since, "applications": list(names), "lost": ""})

    def lose(self, why: str) -> None:
        """It was held and is not any more, though no thaw came."""
        self._replace({**(self.read() or {}), "lost": why})

    def read(self) -> Optional[Dict[str, Any]]:
        """`since`, `applications` and, if it was lost, why; None if there is nothing to tell."""
        try:
            with open(self._path, encoding="utf-8") as file:
                hold = json.load(file)
        except FileNotFoundError:
            return None
        return dict(hold)

    def drop(self) -> None:
        """Whoever must know has been told."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _replace(self, content: Dict[str, Any]) -> None:
        with open(self._path + ".new", "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.rename(self._path + ".new", self._path)
