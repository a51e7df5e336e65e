"""The two threads that watch a guest: one reads its console, one sees its instance change."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from stillpoint.actions.watching import state
from stillpoint.actions.watching.guest import LONGEST, WatchedGuest
from stillpoint.evidence import console
from stillpoint.evidence.console import State
from stillpoint.evidence.document import Span, Statement
from stillpoint.evidence.observations import Heard, Look
from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.errors import Forbidden, StillpointError
from stillpoint.model.reader import Change, Index, Stream
from stillpoint.resources.machines import pod, virtual_machine_instance

_MOST_TRIES = 5
_PAUSE_S = 2.0
_SILENCE = timedelta(seconds=0.25)
"""What a log held when it was asked for comes at once: a line after such a silence is new."""

_OF_NO_HOLD = console.OF_COPY - {State.COPIED}
"""They say nothing of this backup, and take no room; `COPIED` says that the guest was started."""

_log = logging.getLogger("stillpoint")

Part = TypeVar("Part")


class Streams:
    """The streams of one guest, each in a thread of its own, which ends by itself, too."""

    def __init__(self, guest: WatchedGuest, cluster: Index, clock: Clock) -> None:
        self._guest = guest
        self._cluster = cluster
        self._clock = clock
        self._lock = threading.Lock()
        self._has_ended = threading.Event()
        self._open: set[Stream[object]] = set()

    def start(self) -> None:
        """Begins to watch; returns at once."""
        wanted = [self._see_instance]
        if self._guest.has_console and self._guest.launcher:
            wanted.append(self._hear_console)
        for run in wanted:
            threading.Thread(target=run, daemon=True, name=self._guest.instance[1]).start()

    def end(self) -> None:
        """Wakes the threads, and waits for none of them."""
        with self._lock:
            self._has_ended.set()
            for stream in self._open:
                stream.close()

    def _see_instance(self) -> None:
        namespace, name = self._guest.instance
        resource = virtual_machine_instance.RESOURCE
        self._repeat(
            "watch-failed",
            lambda longest_s: self._cluster.watch(resource, namespace, name, longest_s),
            self._see_changes,
        )

    def _see_changes(self, changes: Stream[Change]) -> None:
        first, version = None, ""
        for item, is_deleted in changes:
            now = self._clock.now()
            first = first or now
            if it.name(item):  # else a sign of life
                version = "" if is_deleted else it.text(item, "metadata", "resourceVersion")
                self._guest.see(Look(now, state.of(None if is_deleted else item)))
            self._guest.watched(Span(first, now), version)

    def _hear_console(self) -> None:
        launcher = self._guest.launcher
        if launcher is None:
            return

        def open_log(longest_s: float) -> Stream[bytes]:
            oldest_s = self._guest.log_s(self._clock.now())
            return self._cluster.log(launcher, pod.CONSOLE, oldest_s, longest_s)

        self._repeat("console-unread", open_log, self._hear_lines)

    def _hear_lines(self, lines: Stream[bytes]) -> None:
        before, is_live = None, False
        for line in lines:
            now = self._clock.now()
            is_live = is_live or (before is not None and now - before >= _SILENCE)
            before = now
            said = console.parse(line)
            if said and said.state not in _OF_NO_HOLD:
                self._guest.hear(Heard(said, now, is_live))

    def _repeat(
        self,
        code: str,
        open_stream: Callable[[float], Stream[Part]],
        read: Callable[[Stream[Part]], None],
    ) -> None:
        """Reads a stream, and once more if it breaks, until the guest is watched no more.

        Args:
            code: of the statement that this failed.
        """
        until = self._clock.now() + LONGEST
        failure = ""
        for _ in range(_MOST_TRIES):
            left_s = (until - self._clock.now()).total_seconds()
            if self._has_ended.is_set() or left_s < 1:
                break
            try:
                with self._kept(open_stream(left_s)) as stream:
                    read(stream)
                failure = ""
            except Forbidden as error:
                failure = str(error)
                break
            except StillpointError as error:
                failure = str(error)
            except Exception as error:  # noqa: BLE001 - the edge of a thread
                failure = f"a fault of the plugin: {type(error).__name__}: {error}"
                _log.warning("guest %s/%s: %s", *self._guest.instance, failure, exc_info=True)
                break
            self._has_ended.wait(_PAUSE_S)
        if failure:
            _log.debug("%s", failure)
            self._guest.lack(Statement(code, failure))

    @contextmanager
    def _kept(self, stream: Stream[Part]) -> Iterator[Stream[Part]]:
        with self._lock:
            self._open.add(stream)
            if self._has_ended.is_set():
                stream.close()
        try:
            yield stream
        finally:
            with self._lock:
                self._open.discard(stream)
