"""The end of a run before its time: all who wait are woken, and clear what they made."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stillpoint.verification.ending import Interrupted


class Interruption:
    """May come at any time, from any thread; once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_come = threading.Event()
        self._waking: dict[object, Callable[[], None]] = {}

    def come(self) -> None:
        """Wakes everybody who waits."""
        with self._lock:
            self._has_come.set()
            waking = list(self._waking.values())
        for wake in waking:
            wake()

    @property
    def has_come(self) -> bool:
        """True from then on."""
        return self._has_come.is_set()

    def check(self) -> None:
        """Raises if the run is to end.

        Raises:
            Interrupted: it is.
        """
        if self.has_come:
            raise Interrupted

    def pause(self, longest_s: float) -> None:
        """Returns after that time, or when the interruption comes."""
        self._has_come.wait(longest_s)

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Calls `wake` when the interruption comes; at once if it has.

        Args:
            wake: must not wait; may be called from any thread.
        """
        key = object()
        with self._lock:
            self._waking[key] = wake
        if self.has_come:
            wake()
        try:
            yield
        finally:
            with self._lock:
                del self._waking[key]
