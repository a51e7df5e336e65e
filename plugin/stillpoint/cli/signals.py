"""Signals that end a run which has to put something away first."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending(end: Callable[[], None], what: str) -> Iterator[None]:
    """Calls `end` at the first Ctrl-C or SIGTERM; the second one interrupts as always.

    Args:
        end: returns at once; called from a thread of its own.
        what: is done until the end, in words for people.
    """
    before = {one: signal.getsignal(one) for one in _SIGNALS}

    def handle(*_: object) -> None:
        for one in _SIGNALS:
            signal.signal(one, _interrupt)
        if sys.stderr:
            sys.stderr.write(f"stillpoint: interrupted: {what}\n")
        threading.Thread(target=end, daemon=True).start()

    for one in _SIGNALS:
        signal.signal(one, handle)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
