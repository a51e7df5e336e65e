"""The mark that something is held, so that its loss is known whoever died.

It is in memory for this holder, whatever becomes of its folder, and in /run for the one that comes
after a holder that was killed. A mark that is gone or cannot be read is a hold that was lost, and
so is one that nobody alive has made.
"""

import contextlib
import json
import os
import threading
from typing import Any, Dict, Optional, Sequence

_MOST_BYTES = 1024 * 1024


class HoldMarker:
    """There from the last lock until a thaw has been told how the hold ended."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: Optional[Dict[str, Any]] = None
        self._changing = threading.Lock()

    def write(self, since: str, names: Sequence[str]) -> None:
        """From now on something is held.

        Raises:
            OSError: it cannot be noted, so it must not be held.
        """
        with self._changing:
            known = {"since": since, "applications": list(names), "lost": ""}
            self._replace(known)
            self._known = known

    def lose(self, why: str) -> None:
        """It was held and is not any more, though no thaw came; the first reason counts.

        Cannot fail, as it comes before the release; `save` it after that.
        """
        with self._changing:
            if self._known:
                self._known["lost"] = self._known["lost"] or why

    def save(self) -> None:
        """Say in /run why it was lost, for a later holder; without it that one says another."""
        with self._changing, contextlib.suppress(OSError):
            if self._known and self._known["lost"]:
                self._replace(self._known)

    def read(self) -> Optional[Dict[str, Any]]:
        """`since`, `applications` and, if it was lost, why; None if there is nothing to tell."""
        with self._changing:
            if self._known is None:
                return self._read_file()
            known = dict(self._known)
            if not known["lost"] and not os.path.exists(self._path):
                known["lost"] = f"its mark {self._path} was removed meanwhile"
        return known

    def drop(self) -> None:
        """Whoever must know has been told."""
        with self._changing:
            self._known = None
            with contextlib.suppress(OSError):  # then the next holder distrusts it, which is safe
                os.unlink(self._path)

    def _read_file(self) -> Optional[Dict[str, Any]]:
        """What a holder before this one has left."""
        try:
            with open(self._path, "rb") as file:
                content = json.loads(file.read(_MOST_BYTES).decode())
            names = [str(name) for name in content["applications"]]
            hold = {"since": str(content["since"]), "applications": names}
            lost = str(content["lost"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            hold = {"since": "an unknown time", "applications": []}
            lost = f"its mark {self._path} cannot be read: {error!r}"
        return {**hold, "lost": lost or "the holder was killed, and with it all sessions"}

    def _replace(self, content: Dict[str, Any]) -> None:
        with open(self._path + ".new", "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.rename(self._path + ".new", self._path)
