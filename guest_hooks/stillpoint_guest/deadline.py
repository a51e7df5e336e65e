"""Moments until which something has to be done."""

import time
from typing import NamedTuple

from stillpoint_guest.errors import DeadlinePassed


class Deadline(NamedTuple):
    """A moment of the monotonic clock: a step of the wall clock does not move it."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining_s(self) -> float:
        """Seconds that are left; 0 when it has passed, never less."""
        return max(0.0, self.at_s - time.monotonic())

    @property
    def has_passed(self) -> bool:
        """True if no time is left."""
        return self.remaining_s == 0

    def or_after(self, seconds: float) -> "Deadline":
        """This one, or that many seconds from now if that is sooner."""
        return min(self, Deadline.after(seconds))

    def require(self, subject: str, attempt: str) -> None:
        """Go on only if there is time left.

        Raises:
            DeadlinePassed: there is none.
        """
        if self.has_passed:
            raise DeadlinePassed(subject, attempt, "the time for it is over")
