"""All machines of a run, so many at a time, each in a thread of its own.

A machine leaves its place to the next one when it takes no room any more. Its namespace goes
meanwhile: the namespace controller waits 5 s before it looks at one that is to be deleted.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.report.model import Machine
from stillpoint.verification import plan, verdict
from stillpoint.verification.attempt import Attempt, Setting
from stillpoint.verification.model import Observed, Result
from stillpoint.verification.sweep import Sweep

Report = Callable[[int, int, str], None]
"""Takes how far a run is: machines that are through, machines in all, and what is being done."""


@dataclass(slots=True)
class Verifying:
    """A run that goes on.

    Attributes:
        stored: gives a machine of the backup.
    """

    setting: Setting
    stored: Callable[[Machine], Item | None]
    report: Report
    _begun: list[str] = field(default_factory=list)
    _through: set[str] = field(default_factory=set)
    _results: dict[int, Result] = field(default_factory=dict)

    def run(self, machines: Sequence[Machine], at_once: int) -> Sequence[Result]:
        """The verdicts on the machines, in their order.

        An interruption ends it soon: what has begun is cleared, and the rest not tried.
        """
        results = self._results
        lock = threading.Lock()
        places = threading.Semaphore(at_once)

        def work(number: int) -> None:
            machine, place = machines[number], _Place(places)

            def say(step: str) -> None:
                with lock, suppress(OSError):  # nobody looks any more
                    self.report(len(results), len(machines), f"{machine.title}: {step}")

            try:
                result = self._result(machine, say, place.leave)
                with lock:
                    results[number] = result
            finally:
                place.leave()

        workers = []
        for number in range(len(machines)):
            places.acquire()
            workers.append(threading.Thread(target=work, args=(number,), daemon=True))
            workers[-1].start()
        for worker in workers:
            worker.join()
        return [results[number] for number in range(len(machines))]

    def so_far(self, machines: Sequence[Machine]) -> Sequence[Result]:
        """The verdicts that there are, and of each other machine that it was interrupted."""
        known, untried = dict(self._results), Observed((), is_tried=False, failure="interrupted")
        return [
            known.get(place) or verdict.judge(machine, untried, self.setting.clock.now())
            for place, machine in enumerate(machines)
        ]

    def sweep(self) -> Sequence[str]:
        """Volumes and snapshot objects that the deletions have left, in words."""
        setting = self.setting
        velero = setting.velero if setting.moves_data else ""
        return Sweep(setting.cluster, setting.clock, self._begun, velero).run()

    @property
    def under_way(self) -> Sequence[str]:
        """Scratch namespaces that are not cleared yet."""
        return [name for name in self._begun if name not in self._through]

    def _result(
        self, machine: Machine, say: Callable[[str], None], vacated: Callable[[], None]
    ) -> Result:
        observed = self._observed(machine, say, vacated)
        return verdict.judge(machine, observed, self.setting.clock.now())

    def _observed(
        self, machine: Machine, say: Callable[[str], None], vacated: Callable[[], None]
    ) -> Observed:
        why = plan.why_untried(machine)
        if why is not None:
            return Observed((), is_tried=False, failure=why)
        if self.setting.interruption.has_come:
            return Observed((), is_tried=False, failure="interrupted")
        try:
            stored = self.stored(machine)
            if stored is None:
                return Observed((), is_tried=False, failure="the backup does not hold it any more")
            attempt = Attempt(self.setting, machine, stored, say, vacated)
            name = attempt.scratch.name
            self._begun.append(name)
            observed = attempt.observe()
        except StillpointError as error:
            return Observed((), is_tried=False, failure=str(error))
        except Exception as error:  # noqa: BLE001 - the other machines are none the worse for it
            what = f"{type(error).__name__}: {error}"
            return Observed((), is_tried=False, failure=f"a fault of the command: {what}")
        self._through.add(name)
        return observed


@dataclass(slots=True)
class _Place:
    """The place of one machine among those at a time."""

    places: threading.Semaphore
    is_left: bool = False

    def leave(self) -> None:
        """Lets the next machine begin; once."""
        if not self.is_left:
            self.is_left = True
            self.places.release()
