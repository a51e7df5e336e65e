"""Actions in a thread of their own, so that nobody waits for them longer than he wants.

A thread that hangs for ever (a write to a frozen disk) is left behind; it is a daemon.
"""

import queue
import threading
from typing import Any, Callable, Generic, Optional, TypeVar

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import DeadlinePassed

_LOOK_S = 0.02
Result = TypeVar("Result")


class Pending(Generic[Result]):
    """The coming result of an action."""

    def __init__(self, action: Callable[[], Result]) -> None:
        self._action = action
        self._is_done = threading.Event()
        self._value: Optional[Result] = None
        self._error: Optional[BaseException] = None

    def run(self) -> None:
        """Do it, in the thread that calls this."""
        try:
            self._value = self._action()
        except BaseException as error:  # noqa: BLE001  raised again where the result is wanted
            self._error = error
        self._is_done.set()

    def wait(self, seconds: float) -> bool:
        """True if it is done within that time."""
        return self._is_done.wait(seconds)

    def result(self) -> Result:
        """The action's result; once it is done.

        Raises:
            BaseException: what it raised.
        """
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # None only where Result allows it


class Worker:
    """One thread that does one action after the other."""

    def __init__(self, name: str) -> None:
        self._todo: "queue.Queue[Optional[Pending[Any]]]" = queue.Queue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def begin(self, action: Callable[[], Result]) -> "Pending[Result]":
        """Have it done after all that was begun before."""
        pending = Pending(action)
        self._todo.put(pending)
        return pending

    def stop(self) -> None:
        """End the thread when it has done what was begun."""
        self._todo.put(None)

    def _run(self) -> None:
        for pending in iter(self._todo.get, None):
            pending.run()


def start(name: str, action: Callable[[], Result]) -> "Pending[Result]":
    """Have it done in a thread of its own, for which nobody has to wait."""
    pending = Pending(action)
    threading.Thread(target=pending.run, name=name, daemon=True).start()
    return pending


def within(
    deadline: Deadline,
    subject: str,
    attempt: str,
    action: Callable[[], Result],
    stop: Optional[threading.Event] = None,
) -> Result:
    """Do something that could hang.

    Args:
        deadline: when it is given up.
        subject: what it is about, for the message.
        attempt: what is done, for the message.
        action: what could hang.
        stop: set when nobody wants it any more; it is given up then.

    Raises:
        DeadlinePassed: it is not done; its thread is left behind.
    """
    pending = start(attempt, action)
    while not pending.wait(min(deadline.remaining_s, _LOOK_S) if stop else deadline.remaining_s):
        if stop is not None and stop.is_set():
            raise DeadlinePassed(subject, attempt, "nobody waits for it any more")
        if deadline.has_passed:
            raise DeadlinePassed(subject, attempt, "not done in time")
    return pending.result()
