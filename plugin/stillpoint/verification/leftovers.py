"""Scratch namespaces that a killed run has left behind.

Only what has the name, the label and the time of a scratch namespace counts; whoever forges all of
these offers a namespace of his own. One that is being deleted counts, too: its machine may not go.

They are cleared side by side, and waited for until one moment: who forges any number of them, with
finalizers that nobody drops, holds up others no longer than with one.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.model.writer import Cluster
from stillpoint.verification import scratch as scratches
from stillpoint.verification.clearing import Clearing
from stillpoint.verification.scratch import LABEL, PREFIX, Scratch

LONGEST_S = 180.0
LONGEST_OF_GOING_S = 30.0
"""The end of all waits, and of those for namespaces that were being deleted before. What is not
waited for is asked to go all the same."""

_AT_ONCE = 16

Report = Callable[[int, int, str], None]
"""Takes how many have been cleared, how many there are, and the name of the next."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A namespace whose run should have ended long ago.

    Attributes:
        machine: `shop/db`, by its annotation; may be empty.
        is_going: it is being deleted already.
    """

    scratch: Scratch
    machine: str
    is_going: bool


def find(reader: Reader, time: Callable[[], datetime]) -> Sequence[Leftover]:
    """All of them, in the order of their names; those of runs that go on are not among them.

    Args:
        time: gives the time by the API server's clock, which has dated the namespaces; asked only
            if there are any.

    Raises:
        ReadFailed: the namespaces cannot be listed, or the time is not known.
    """
    found = [one for one in reader.list(kinds.NAMESPACE, "", LABEL) if _is_scratch(one)]
    if not found:
        return []
    now = time()
    return [_leftover(one) for one in sorted(found, key=it.name) if _is_past(one, now)]


def clear(
    cluster: Cluster, found: Sequence[Leftover], clock: Clock, report: Report
) -> Sequence[Clearing]:
    """Deletes them as their runs would have; the clearings, when all have ended."""
    began = clock.now()

    def clearing_of(one: Leftover) -> Clearing:
        longest = timedelta(seconds=LONGEST_OF_GOING_S if one.is_going else LONGEST_S)
        return Clearing(cluster, clock, one.scratch, originals=None, latest=began + longest)

    clearings = list(map(clearing_of, found))
    places = threading.Semaphore(_AT_ONCE)

    def work(clearing: Clearing) -> None:
        try:
            clearing.run()
        finally:
            places.release()

    workers = []
    for clearing in clearings:
        places.acquire()
        workers.append(threading.Thread(target=work, args=(clearing,), daemon=True))
        workers[-1].start()
    for number, worker in enumerate(workers):
        report(number, len(workers), clearings[number].scratch.name)
        worker.join()
    return clearings


def _is_scratch(namespace: Item) -> bool:
    return it.name(namespace).startswith(PREFIX) and bool(it.labels(namespace).get(LABEL))


def _is_past(namespace: Item, now: datetime) -> bool:
    until = scratches.until(namespace)
    return until is not None and until < now


def _leftover(namespace: Item) -> Leftover:
    annotations = it.annotations(namespace)
    velero = str(annotations.get(scratches.BACKUP, "")).partition("/")[0]
    scratch = Scratch(it.name(namespace), it.labels(namespace)[LABEL], velero)
    machine = str(annotations.get(scratches.MACHINE, ""))
    return Leftover(scratch, machine, it.is_being_deleted(namespace))
