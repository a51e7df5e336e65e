"""Calls of the plugin that are known before anybody needs their answers.

The plugin is a process of its own: while it answers one call, this one prepares the next. No answer
depends on the order of calls; Velero itself backs up several blocks at a time.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from plugin.model.reference import Reference
from plugin.rehearsal.plugin_client import Action

Answer = TypeVar("Answer")

_AT_ONCE = 4
"""Of 33 s for 1,000 machines with none, four saved 3 (docs/figures.md); more were not tried."""


class Ahead(Generic[Answer]):
    """Makes calls from `__enter__` on; what is not asked for any more at `__exit__` is not made.

    Args:
        calls: each an action and the item that it is called for, in the order of need.
        call: makes one, from several threads.
    """

    def __init__(
        self,
        calls: Iterable[tuple[Action, Reference]],
        call: Callable[[Action, Reference], Answer],
    ) -> None:
        self._calls = calls
        self._call = call
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ahead")
        self._made: dict[tuple[str, Reference], Future[Answer]] = {}

    def __enter__(self) -> Self:
        for action, reference in self._calls:
            future = self._workers.submit(self._call, action, reference)
            self._made[action.name, reference] = future
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._workers.shutdown(cancel_futures=True)

    def answer(self, action: Action, reference: Reference) -> Answer:
        """The answer to a call, which is made now if it was not known before.

        Raises:
            Whatever the call raises.
        """
        future = self._made.pop((action.name, reference), None)
        return future.result() if future else self._call(action, reference)
