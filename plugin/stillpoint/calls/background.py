"""Work that no caller waits for: a call of Velero ends without it, and a guest thaws the sooner."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

_log = logging.getLogger("stillpoint")


class Background:
    """Runs tasks one after the other, in a thread of their own."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="background")

    def run(self, task: Callable[[], None]) -> None:
        """Runs a task after those that were handed in before; an error of it is logged."""
        self._worker.submit(_run, task)

    def finish(self, within_s: float) -> None:
        """Waits for the tasks, but no longer than a process that is to end may."""
        last = self._worker.submit(lambda: None)
        if wait([last], within_s).not_done:
            _log.warning("the process ends before its last deletions, the next backup makes them")


def _run(task: Callable[[], None]) -> None:
    try:
        task()
    except Exception:  # noqa: BLE001 - the edge of the process
        _log.exception("a task that nobody waits for has failed")
