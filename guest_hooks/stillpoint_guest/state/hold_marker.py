"""The hold marker: something is held, and its loss is known whoever died.

The marker is in memory for this holder, whatever becomes of its folder, and in /run for the
successor of a killed holder. A marker that is gone or cannot be read means a lost hold, and so does
a dead holder's.
"""

import contextlib
import json
import os
import threading
from typing import Any, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest.state.json_fields import Fields, plain

_MOST_BYTES = 1024 * 1024


class Hold(NamedTuple):
    """A hold as its marker has it; the names are the keys of its JSON."""

    since: str
    applications: Tuple[str, ...] = ()
    lost: str = ""  # why; empty while it lasts


def from_json(content: Any) -> Hold:
    """A hold.

    Raises:
        ValueError: the content is no hold.
    """
    fields = Fields(content)
    return Hold(fields.text("since"), fields.texts("applications"), fields.text("lost"))


class HoldMarker:
    """The marker, from the last lock until a thaw has reported how the hold ended."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: Optional[Hold] = None
        self._changing = threading.Lock()

    def write(self, since: str, names: Sequence[str]) -> None:
        """Marks that applications are held from now on.

        Raises:
            OSError: not written, so nothing may be held.
        """
        with self._changing:
            known = Hold(since, tuple(names))
            self._replace(known)
            self._known = known

    def lose(self, why: str) -> None:
        """Marks the hold as lost, without a thaw; the first reason counts.

        Cannot fail, as the call comes before the release; call `save` after that.
        """
        with self._changing:
            if self._known:
                self._known = self._known._replace(lost=self._known.lost or why)

    def save(self) -> None:
        """Writes the reason of the loss to /run, for a later holder, which would say another."""
        with self._changing, contextlib.suppress(OSError):
            if self._known and self._known.lost:
                self._replace(self._known)

    def read(self) -> Optional[Hold]:
        """The hold, lost ones too; None if there is none that a thaw has not reported."""
        with self._changing:
            if self._known is None:
                return self._read_file()
            if not self._known.lost and not os.path.exists(self._path):
                return self._known._replace(lost=f"its mark {self._path} was removed meanwhile")
            return self._known

    def drop(self) -> None:
        """Removes the marker: the end of the hold has been reported."""
        with self._changing:
            self._known = None
            with contextlib.suppress(OSError):  # then the next holder distrusts it, which is safe
                os.unlink(self._path)

    def _read_file(self) -> Optional[Hold]:
        """The hold of an earlier holder, which is lost in any case."""
        try:
            with open(self._path, "rb") as file:
                hold = from_json(json.loads(file.read(_MOST_BYTES).decode()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            lost = f"its mark {self._path} cannot be read: {error!r}"
            return Hold("an unknown time", lost=lost)
        lost = hold.lost or "the holder was killed, and with it all sessions"
        return hold._replace(lost=lost)

    def _replace(self, hold: Hold) -> None:
        with open(self._path + ".new", "w", encoding="utf-8") as file:
            json.dump(plain(hold), file)
        os.rename(self._path + ".new", self._path)
