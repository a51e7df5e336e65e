"""Probes of processes side by side, each in a thread of its own and for a limited time.

A probe may wait for ever: for the lock of a process's memory, for a share that is gone. The thread
that hangs is left behind, and no second thread probes the same process meanwhile.
"""

import threading
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple, TypeVar

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import DeadlinePassed
from stillpoint_guest.processes.process_table import Process
from stillpoint_guest.worker import Pending

_SERVICES_S = 2.0  # for all probes of services
_STRANGERS_S = 0.2  # longer than that nobody waits for what is not the system's
_MOST = 64
_HANGING: "Dict[int, Pending[object]]" = {}  # by process; of this whole process of ours
_LOCK = threading.Lock()
Result = TypeVar("Result")


class Probe(NamedTuple):
    """A look at a process."""

    process: Process
    action: Callable[[], object]
    is_services: bool  # it is the system's own


class ProbeResult(NamedTuple):
    """The result of a probe, a value or an error."""

    probe: Probe
    result: Callable[[], object]  # gives what its action returned, or raises what it raised


def run(probes: Sequence[Probe]) -> Sequence[ProbeResult]:
    """Runs all probes; one that hangs, or is one too many, results in `DeadlinePassed`."""
    ordered = _fairly(probes)
    begun = [(probe, _begin(probe)) for probe in ordered[:_MOST]]
    deadline = Deadline.after(_SERVICES_S)
    found: List[ProbeResult] = []
    for probe, pending in sorted(begun, key=lambda one: not one[0].is_services):
        if not probe.is_services:
            deadline = deadline.or_after(_STRANGERS_S)
        if pending.wait(deadline.remaining_s):
            found.append(ProbeResult(probe, pending.result))
        else:
            with _LOCK:
                _HANGING[probe.process.number] = pending
            found.append(ProbeResult(probe, _late("it does not let itself be looked at in time")))
    too_many = _late("there are too many to look at all of them")
    return [*found, *(ProbeResult(probe, too_many) for probe in ordered[_MOST:])]


def _begin(probe: Probe) -> "Pending[object]":
    with _LOCK:
        for number in [each for each, one in _HANGING.items() if one.wait(0)]:
            del _HANGING[number]
        hanging = _HANGING.get(probe.process.number)
    if hanging:
        return hanging
    pending = Pending(probe.action)
    threading.Thread(target=pending.run, name="probe", daemon=True).start()
    return pending


def _fairly(probes: Sequence[Probe]) -> Sequence[Probe]:
    """Services first, then of each user a process by turns, so that nobody pushes others out."""
    count: Dict[int, int] = {}
    places: List[Tuple[bool, int]] = []
    for probe in probes:
        count[probe.process.user] = count.get(probe.process.user, 0) + 1
        places.append((not probe.is_services, count[probe.process.user]))
    return [probes[number] for number in sorted(range(len(probes)), key=places.__getitem__)]


def _late(cause: str) -> Callable[[], object]:
    def result() -> object:
        raise DeadlinePassed("process", "look at it", cause)

    return result
