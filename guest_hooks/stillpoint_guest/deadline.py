"""Moments until which something has to be done."""

import time
from typing import NamedTuple

from stillpoint_guest.errors import DeadlinePassed


class Deadline(NamedTuple):
    """A moment of the monotonic clock: steps of the wall clock do not matter."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining_s(self) -> float:
        """Remaining seconds; 0 after the deadline, never less."""
        return max(0.0, self.at_s - time.monotonic())

    @property
    def has_passed(self) -> bool:
        """True if no time is left."""
        return self.remaining_s == 0

    def or_after(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and that many seconds from now."""
        return min(self, Deadline.after(seconds))

    def require(self, subject: str, attempt: str) -> None:
        """Goes on only before the deadline.

        Raises:
            DeadlinePassed: there is none.
        """
        if self.has_passed:
            raise DeadlinePassed(subject, attempt, "the time for it is over")
