"""The look at a started guest: its instance and its console, side by side, until all is seen."""

import functools
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from queue import Empty, SimpleQueue

from stillpoint.evidence import console
from stillpoint.evidence.console import OF_COPY, ConsoleLine, State
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, ReadFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reader import Change
from stillpoint.resources.machines import pod, seclusion, virtual_machine_instance
from stillpoint.verification.ending import Ended, Interrupted
from stillpoint.verification.interruption import Interruption
from stillpoint.verification.waiting import Waiting

MOST_LINES = 32
_MOST_TRIES = 5
_PAUSE_S = 2.0


@dataclass(slots=True)
class Seen:
    """All that was seen so far.

    Attributes:
        instance: as last seen; None if it is not there.
        lines: of the guest's agent about a copy, each once.
        console: why the console could not be read, or not wholly.
        when: the moment of each step: `start`, `agent`, `record`, `answers`.
        came: how many of those have come that the guest's start waits for.
    """

    instance: Item | None = None
    lines: list[ConsoleLine] = field(default_factory=list)
    console: str = ""
    when: dict[str, datetime] = field(default_factory=dict)
    came: int = 0

    @property
    def is_running(self) -> bool:
        """True if the guest runs now."""
        return self.instance is not None and (
            virtual_machine_instance.phase(self.instance) == "Running"
        )


class _Came:
    """One of those has come that the guest's start waits for."""


_Event = Change | ConsoleLine | _Came | Exception | None
"""None wakes who waits."""

_STEPS: Mapping[State, str] = {State.COPIED: "record", State.ANSWERS: "answers"}


class Look:
    """Follows one guest in two threads, which end with the look.

    Args:
        instance: namespace and name.
        keeps_pod_network: whether the guest may be in the network of pods.
    """

    def __init__(
        self,
        waiting: Waiting,
        instance: tuple[str, str],
        *,
        keeps_pod_network: bool,
    ) -> None:
        self._waiting = waiting
        self._instance = instance
        self._keeps_pod_network = keeps_pod_network
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._end = Interruption()  # of the threads
        self._is_heard = False
        self.seen = Seen()

    def follow(
        self, is_complete: Callable[[Seen], bool], beside: Iterable[Callable[[Waiting], None]] = ()
    ) -> None:
        """Looks until all is seen, and leaves that in `seen`.

        Args:
            beside: what the guest's start waits for; each is waited for in a thread of its own, and
                may raise as this does.

        Raises:
            Ended: the guest reaches further than it may, has ended, or not all was seen in time.
            Interrupted: the run is to end.
            ReadFailed: the instance cannot be watched.
        """
        interruption = self._waiting.interruption
        self._spawn(self._see_instance)
        for wait in beside:
            self._spawn(functools.partial(self._wait_beside, wait))
        try:
            with interruption.waking(lambda: self._events.put(None)):
                while not is_complete(self.seen):
                    interruption.check()
                    self._take(self._next())
        finally:
            self._end.come()

    def _next(self) -> _Event:
        try:
            return self._events.get(timeout=max(self._waiting.left_s, 0.0))
        except Empty:
            raise Ended("not all was seen in time") from None

    def _take(self, event: _Event) -> None:
        if isinstance(event, Change):
            self._see(event)
        elif isinstance(event, ConsoleLine):
            self._hear(event)
        elif isinstance(event, _Came):
            self.seen.came += 1
        elif event is not None:
            raise event

    def _see(self, change: Change) -> None:
        instance = None if change.is_deleted else change.item
        self.seen.instance = instance
        if instance is None or it.is_being_deleted(instance):  # a guest that ends leaves it there
            raise Ended("somebody deleted its instance", is_tried=False)
        keeps = self._keeps_pod_network
        gaps = list(seclusion.gaps_of_instance(instance, keeps_pod_network=keeps))
        if gaps:
            why = f"it was ended, for it would reach further: {listing(gaps)}"
            raise Ended(why, is_tried=False)
        if not virtual_machine_instance.is_under_way(instance):
            raise Ended(f"its guest has ended: {virtual_machine_instance.phase(instance)}")
        if self.seen.is_running:
            self._note("start")
            self._begin_to_hear(instance)
        if virtual_machine_instance.is_agent_connected(instance):
            self._note("agent")

    def _hear(self, line: ConsoleLine) -> None:
        known = self.seen.lines
        if line.state not in OF_COPY or line in known:
            return
        if len(known) >= MOST_LINES:
            self.seen.console = f"its agent says more than {MOST_LINES} things about its copy"
            return
        known.append(line)
        if step := _STEPS.get(line.state):
            self._note(step)

    def _note(self, step: str) -> None:
        self.seen.when.setdefault(step, self._waiting.clock.now())

    def _begin_to_hear(self, instance: Item) -> None:
        if not self._is_heard:
            self._is_heard = True
            self._spawn(lambda: self._hear_console(instance))

    def _spawn(self, run: Callable[[], None]) -> None:
        threading.Thread(target=run, daemon=True, name=self._instance[0]).start()

    def _see_instance(self) -> None:
        waiting = replace(self._waiting, interruption=self._end)
        object_ = virtual_machine_instance.RESOURCE, *self._instance
        try:
            with closing(waiting.changes(object_)) as changes:
                for change in changes:
                    self._events.put(change)
        except Interrupted:
            pass
        except Exception as error:  # noqa: BLE001 - raised again where the look is waited for
            self._events.put(error)

    def _wait_beside(self, wait: Callable[[Waiting], None]) -> None:
        waiting = replace(self._waiting, interruption=self._end)
        try:
            wait(waiting)
        except Interrupted:
            pass
        except Exception as error:  # noqa: BLE001 - raised again where the look is waited for
            if waiting.left_s > 0:  # else the look itself ends, and says why
                self._events.put(error)
        else:
            self._events.put(_Came())

    def _hear_console(self, instance: Item) -> None:
        try:
            why = self._read_console(instance)
        except Interrupted:
            return
        except StillpointError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more is heard
            why = f"a fault of the command: {type(error).__name__}: {error}"
        self.seen.console = self.seen.console or why
        self._events.put(None)

    def _read_console(self, instance: Item) -> str:
        """Follows the console to its end; why it could not be read."""
        waiting = replace(self._waiting, interruption=self._end)
        launcher = self._launcher(instance)
        if launcher is None:
            return "its launcher pod was not found"
        if not pod.has_console(launcher):
            return f"its launcher pod has no container {pod.CONSOLE}"
        reference = pod.RESOURCE.named(*it.identify(launcher))
        failure = "it ended"
        for _ in range(_MOST_TRIES):
            self._end.check()
            if waiting.left_s <= 0:
                break
            stream = waiting.cluster.log(reference, pod.CONSOLE, None, waiting.left_s)
            try:
                with self._end.waking(stream.close):
                    for line in filter(None, map(console.parse, stream)):
                        self._events.put(line)
            except Forbidden:
                raise
            except ReadFailed as error:
                failure = str(error)
            self._end.pause(_PAUSE_S)
        return failure

    def _launcher(self, instance: Item) -> Item | None:
        created_by = f"kubevirt.io/created-by={it.uid(instance)}"
        pods = self._waiting.cluster.list(pod.RESOURCE, self._instance[0], created_by)
        return pod.live(list(filter(pod.is_launcher, pods)), instance)
