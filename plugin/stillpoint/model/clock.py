"""The clock of actions, which read no other, so that a test can set any time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Reads the time, and sleeps.

    Attributes:
        now: the time, aware.
        sleep: returns after so many seconds.
    """

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
