"""Work that no caller waits for: a call of Velero ends without it, and a guest thaws the sooner."""

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from queue import PriorityQueue

_log = logging.getLogger("stillpoint")


class Background:
    """Runs tasks one after the other, in a thread of their own; an error of one is logged."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._tasks: PriorityQueue[tuple[bool, int, Callable[[], None]]] = PriorityQueue()
        self._numbers = itertools.count()

    def run(self, task: Callable[[], None]) -> None:
        """Runs a task after those that were handed in before."""
        self._add(task, is_late=True)

    def note(self, task: Callable[[], None]) -> None:
        """Runs a task after other notes and before the rest: no later process can do it."""
        self._add(task, is_late=False)

    def _add(self, task: Callable[[], None], *, is_late: bool) -> None:
        self._tasks.put((is_late, next(self._numbers), task))
        self._worker.submit(self._run_next)

    def _run_next(self) -> None:
        _late, _number, task = self._tasks.get()
        try:
            task()
        except Exception:  # noqa: BLE001 - the edge of the process
            _log.exception("a task that nobody waits for has failed")

    def finish(self, within_s: float) -> None:
        """Waits for the tasks, but no longer than a process that is to end may."""
        last = self._worker.submit(lambda: None)
        if wait([last], within_s).not_done:
            _log.warning(
                "the process ends early: evidence may lack the time of a snapshot; deletions that "
                "are left the next backup makes"
            )
