"""Actions in threads of their own, so that nobody waits for them longer than he wants.

A thread that hangs for ever (a write to a frozen disk) is left behind, as a daemon.
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
        """Runs the action, in the calling thread."""
        try:
            self._value = self._action()
        except BaseException as error:  # noqa: BLE001  raised again where the result is wanted
            self._error = error
        self._is_done.set()

    def wait(self, seconds: float) -> bool:
        """True if the action is done within that time."""
        return self._is_done.wait(seconds)

    def result(self) -> Result:
        """The action's result; once done.

        Raises:
            BaseException: raised by the action.
        """
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # None only where Result allows it


class Worker:
    """A thread that runs one action after the other."""

    def __init__(self, name: str) -> None:
        self._todo: "queue.Queue[Optional[Pending[Any]]]" = queue.Queue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def begin(self, action: Callable[[], Result]) -> "Pending[Result]":
        """Queues an action behind all earlier ones."""
        pending = Pending(action)
        self._todo.put(pending)
        return pending

    def stop(self) -> None:
        """Ends the thread after all queued actions."""
        self._todo.put(None)

    def _run(self) -> None:
        for pending in iter(self._todo.get, None):
            pending.run()


def start(name: str, action: Callable[[], Result]) -> "Pending[Result]":
    """Runs an action in a thread of its own, for which nobody has to wait."""
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
    """Runs an action that could hang.

    Args:
        deadline: of the action.
        subject: for the message.
        attempt: for the message.
        action: may hang.
        stop: set when nobody wants the result any more, which ends the wait.

    Raises:
        DeadlinePassed: not done; the thread is left behind.
    """
    pending = start(attempt, action)
    while not pending.wait(min(deadline.remaining_s, _LOOK_S) if stop else deadline.remaining_s):
        if stop is not None and stop.is_set():
            raise DeadlinePassed(subject, attempt, "nobody waits for it any more")
        if deadline.has_passed:
            raise DeadlinePassed(subject, attempt, "not done in time")
    return pending.result()
