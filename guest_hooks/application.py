"""One driver, bounded: whatever it does, the holder waits no longer than it said it would."""

import threading
from contextlib import ExitStack, contextmanager
from typing import Callable, Dict, Iterator, List, Optional, TypeVar

from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Report
from guest_hooks.errors import ApplicationError, DeadlinePassed, GuestError
from guest_hooks.worker import Pending, Worker

_GRACE_S = 0.3  # beyond the driver's own deadline, until it is abandoned
_LOOK_S = 0.02
Result = TypeVar("Result")


class Application:
    """A driver in a thread of its own, for one cycle; used as a context."""

    def __init__(self, driver: Driver, given_up: threading.Event) -> None:
        """Take charge of a driver.

        Args:
            driver: nobody else's.
            given_up: set when nobody wants the freeze any more; it ends `prepare` and the way in.
        """
        self.driver = driver
        self.name = driver.section.name
        self.report: Optional[Report] = None
        self.errors: List[GuestError] = []
        self.timings_s: Dict[str, float] = {}
        self._given_up = given_up
        self._stack = ExitStack()

    def __enter__(self) -> "Application":
        self._worker = Worker(self.name)
        return self

    def __exit__(self, *ignored: object) -> None:
        self._ending = self._worker.begin(self.driver.commands.close)  # after all that may come
        self._worker.stop()
        self._ending.wait(_GRACE_S)

    def is_hanging(self) -> bool:
        """Whether its driver, abandoned, is still at something; once the context was left."""
        return not self._ending.wait(0)

    def begin_prepare(self, deadline: Deadline) -> "Pending[None]":
        """Let the driver prepare, beside the others."""
        return self._worker.begin(lambda: self._timed("prepare", self.driver.prepare, deadline))

    def finish_prepare(self, pending: "Pending[None]", deadline: Deadline) -> None:
        """Wait for it.

        Raises:
            ApplicationError: it failed, or hangs.
        """
        self._result(pending, "prepare", deadline, self._given_up)

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """At rest in this block; what goes wrong on the way back is added to `errors`.

        Raises:
            ApplicationError: it did not come to rest.
        """
        entering = self._worker.begin(lambda: self._timed("lock", self._enter, deadline))
        self.report = self._result(entering, "bring it to rest", deadline, self._given_up)
        try:
            yield self.report
        finally:
            self._leave(Deadline.after(self.driver.section.release_s))

    def _enter(self, deadline: Deadline) -> Report:
        return self._stack.enter_context(self.driver.held(deadline))

    def _leave(self, deadline: Deadline) -> None:
        leaving = self._worker.begin(
            lambda: self._timed("release", lambda _: self._stack.close(), deadline)
        )
        try:
            self._result(leaving, "release it", deadline, threading.Event())
        except ApplicationError as error:
            self.errors.append(error)

    def _timed(
        self, phase: str, action: Callable[[Deadline], Result], deadline: Deadline
    ) -> Result:
        begin = Deadline.after(0).at_s
        try:
            return action(deadline)
        finally:
            self.timings_s[phase] = round(Deadline.after(0).at_s - begin, 4)

    def _result(
        self, pending: "Pending[Result]", attempt: str, deadline: Deadline, stop: threading.Event
    ) -> Result:
        patience = Deadline(deadline.at_s + _GRACE_S)
        while not pending.wait(_LOOK_S):
            if patience.has_passed or stop.is_set():
                self._abandon(deadline)
                cause = "nobody waits for it any more" if stop.is_set() else "not done in time"
                raise DeadlinePassed(self.name, attempt, cause)
        try:
            return pending.result()
        except ApplicationError:
            raise
        except Exception as error:
            cause = f"fault in its driver: {error!r}"
            raise ApplicationError(self.name, attempt, cause) from error

    def _abandon(self, deadline: Deadline) -> None:
        """Its programs are killed, so that its locks go; should it get in later, it leaves.

        But not those with which it goes back already, because it saw by itself that it was late.
        """
        self._worker.begin(self._stack.close)
        self.driver.commands.end_all(deadline)
