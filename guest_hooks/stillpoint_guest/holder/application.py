"""A driver, bounded: whatever it does, the holder waits no longer than announced."""

import contextlib
import threading
from contextlib import ExitStack
from typing import Callable, Dict, List, Optional, Tuple, TypeVar

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Report
from stillpoint_guest.errors import ApplicationError, DeadlinePassed, GuestError
from stillpoint_guest.worker import Pending, Worker, start

GRACE_S = 0.3  # beyond the driver's own deadline, until it is abandoned
RELEASE_S = 12.0  # for all together: KubeVirt gives a thaw 20
_LOOK_S = 0.02
Result = TypeVar("Result")
Instance = Tuple[str, str]  # the kind, and what its driver calls the instance


class Application:
    """A driver in a thread of its own, for one cycle: prepare, lock, release, close.

    As a context, closed at the end; whatever is quick to end has ended then.
    """

    def __init__(self, driver: Driver, given_up: threading.Event) -> None:
        """Takes charge of a driver.

        Args:
            driver: nobody else's.
            given_up: set when nobody wants the freeze any more; ends `prepare` and `lock`.
        """
        self.driver = driver
        self.name = driver.section.name
        self.report: Optional[Report] = None  # from the moment at which it is at rest
        self.left_out: Optional[GuestError] = None  # why it is not to be quiesced
        self.errors: List[GuestError] = []  # on its way back
        self.timings_s: Dict[str, float] = {}
        self._given_up = given_up
        self._stack = ExitStack()
        self._leaving: Optional[Pending[None]] = None
        self._leave_by = Deadline(0)
        self._ending: Optional[Pending[None]] = None
        self._worker = Worker(self.name)

    @property
    def instance(self) -> Instance:
        """The instance, whatever its section is called."""
        return self.driver.section.kind, self.driver.instance

    def begin_prepare(self, deadline: Deadline) -> "Pending[None]":
        """Lets the driver prepare, beside the others."""
        return self._worker.begin(lambda: self._time("prepare", self.driver.prepare, deadline))

    def finish_prepare(self, pending: "Pending[None]", deadline: Deadline) -> None:
        """Waits for the driver's `prepare`.

        Raises:
            ApplicationError: `prepare` failed, or hangs.
        """
        self._result(pending, "prepare", deadline, self._given_up)

    def lock(self, deadline: Deadline) -> None:
        """Quiesces the application until its release.

        Raises:
            ApplicationError: not quiesced.
        """
        deadline.require(self.name, "bring it to rest")
        entering = self._worker.begin(lambda: self._time("lock", self._enter, deadline))
        self.report = self._result(entering, "bring it to rest", deadline, self._given_up)

    def begin_release(self, whole: Deadline) -> None:
        """Begins to release the application if it is at rest, beside the others.

        Args:
            whole: deadline of all releases, `RELEASE_S` from the first; an application whose
                section has a longer time than that keeps its time.
        """
        if self.report is None:
            return
        own_s = self.driver.section.release_s
        own = Deadline.after(own_s)
        self._leave_by = own if own_s > RELEASE_S else min(own, whole)
        self._leaving = self._worker.begin(
            lambda: self._time("release", lambda _: self._stack.close(), self._leave_by)
        )

    def is_released(self, patience: Deadline) -> bool:
        """True if the application runs, or never rested; known by then, or after its own time."""
        return self._leaving is None or self._leaving.wait(
            min(patience, self._leave_by).remaining_s
        )

    def finish_release(self) -> None:
        """Waits for the release within its time; failures are added to `errors`."""
        if self._leaving is None:
            return
        try:
            self._result(self._leaving, "release it", self._leave_by, threading.Event())
        except ApplicationError as error:
            self.errors.append(error)

    def close(self) -> None:
        """Ends programs and thread of the driver, behind all earlier actions."""
        self._ending = self._worker.begin(self.driver.commands.close)
        self._worker.stop()

    def __enter__(self) -> "Application":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.is_hanging(GRACE_S)

    def is_hanging(self, wait_s: float = 0) -> bool:
        """True if its driver, abandoned, is still at something after that time; once closed."""
        return self._ending is not None and not self._ending.wait(wait_s)

    def _enter(self, deadline: Deadline) -> Report:
        return self._stack.enter_context(self.driver.quiesce(deadline))

    def _time(self, phase: str, action: Callable[[Deadline], Result], deadline: Deadline) -> Result:
        begin = Deadline.after(0).at_s
        try:
            return action(deadline)
        finally:
            self.timings_s[phase] = round(Deadline.after(0).at_s - begin, 4)

    def _result(
        self, pending: "Pending[Result]", attempt: str, deadline: Deadline, stop: threading.Event
    ) -> Result:
        patience = Deadline(deadline.at_s + GRACE_S)
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
        """Kills the driver's programs, so that its locks go; if it gets in later, it leaves.

        Programs of a release that the late driver has begun by itself go on. Nobody waits until
        they are dead: a program that waits for a disk does not die.
        """
        self._worker.begin(self._stack.close)
        self.driver.give_up()
        with contextlib.suppress(RuntimeError):  # no thread is left; they end when it is closed
            start("end its programs", lambda: self.driver.commands.end_all(deadline))
