"""Announces on the serial console that a cycle holds, that it releases, that it is over.

Nothing of it can fail or delay the cycle: lines are made and written by the console's own thread.
"""

import time
from functools import partial
from typing import Callable, Optional, Sequence

from stillpoint_guest.console import Console
from stillpoint_guest.state import console_line
from stillpoint_guest.state.freeze_record import FreezeRecord

_LATE_S = 10.0
_LATE_RELEASE_S = 1.0  # for until this line all seem to be held


class Announcements:
    """The lines of one cycle."""

    def __init__(self, console: Console, setting: str) -> None:
        """Takes the console, and which one it is: a setting of `Console.say`."""
        self._console = console
        self._setting = setting
        self._record: Optional[FreezeRecord] = None
        self._held_at_s = 0.0
        self._is_lost = False

    def hold(self, record: FreezeRecord, names: Sequence[str], is_on_disk: bool) -> None:
        """Says that the applications rest, if the disk has the record that says so, too."""
        self._record = record
        self._held_at_s = time.monotonic()
        if is_on_disk:
            self._say(_LATE_S, console_line.held, names)

    def release(self, is_lost: bool, by: str) -> None:
        """Says that the hold ends, before anything is released: until then all are at rest.

        Args:
            is_lost: true if it is known already that it was lost.
            by: `thaw`, `watchdog` or `other`.
        """
        self._is_lost = is_lost
        held_s = time.monotonic() - self._held_at_s
        self._say(_LATE_RELEASE_S, console_line.released, held_s, is_lost, by)

    def end(self, is_lost: bool) -> None:
        """Says, after the release, if all were at rest up to it; nothing of what was never held."""
        if self._record:
            self._say(_LATE_S, console_line.over, self._is_lost or is_lost)

    def _say(self, late_s: float, line: Callable[..., str], *facts: object) -> None:
        self._console.say(self._setting, partial(line, self._record, *facts), late_s)
