"""Signals that end a run which has to put something away first."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending(end: Callable[[], None], what: str) -> Iterator[None]:
    """Calls `end` at the first Ctrl-C, SIGTERM or SIGHUP; one more of the former two interrupts.

    SIGHUP says that the terminal has gone, not that somebody waits no longer. It comes twice where
    a terminal with bash is closed: from bash, and from the kernel as bash ends.

    A signal that the process was started to ignore, as by nohup, stays ignored.

    Args:
        end: returns at once; called from a thread of its own.
        what: is done until the end, in words for people.
    """
    handlers = {one: signal.getsignal(one) for one in _SIGNALS}
    before = {one: found for one, found in handlers.items() if found is not signal.SIG_IGN}

    def handle(*_: object) -> None:
        for one in before:
            signal.signal(one, _go_on if one is signal.SIGHUP else _interrupt)
        threading.Thread(target=end, daemon=True).start()
        if sys.stderr:
            with suppress(OSError):  # the terminal may be gone
                sys.stderr.write(f"stillpoint: interrupted: {what}\n")

    for one in before:
        signal.signal(one, handle)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _go_on(*_: object) -> None:
    """Ignores it; SIG_IGN would complain of a signal that came just before it was set."""
