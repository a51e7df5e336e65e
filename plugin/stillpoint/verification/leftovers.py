"""Scratch namespaces that a killed run has left behind.

Only what has the name, the label and the time of a scratch namespace counts; whoever forges all of
these offers a namespace of his own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.model.writer import Cluster
from stillpoint.verification import scratch as scratches
from stillpoint.verification.clearing import Clearing
from stillpoint.verification.scratch import LABEL, PREFIX, Scratch


@dataclass(frozen=True, slots=True)
class Leftover:
    """A namespace whose run should have ended long ago.

    Attributes:
        machine: `shop/db`, by its annotation; may be empty.
    """

    scratch: Scratch
    machine: str


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


def clear(cluster: Cluster, leftover: Leftover, clock: Clock) -> Clearing:
    """Deletes one, as its run would have; the clearing when it has ended."""
    clearing = Clearing(cluster, clock, leftover.scratch, originals=None)
    clearing.run()
    return clearing


def _is_scratch(namespace: Item) -> bool:
    is_ours = it.name(namespace).startswith(PREFIX) and bool(it.labels(namespace).get(LABEL))
    return is_ours and not it.is_being_deleted(namespace)


def _is_past(namespace: Item, now: datetime) -> bool:
    until = scratches.until(namespace)
    return until is not None and until < now


def _leftover(namespace: Item) -> Leftover:
    annotations = it.annotations(namespace)
    velero = str(annotations.get(scratches.BACKUP, "")).partition("/")[0]
    scratch = Scratch(it.name(namespace), it.labels(namespace)[LABEL], velero)
    return Leftover(scratch, str(annotations.get(scratches.MACHINE, "")))
