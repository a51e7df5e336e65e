"""A pending start: a virtual machine that a restore has created halted, and starts later.

All that the restore needs for the start is on the machine, so that nothing is lost whoever dies
meanwhile, and people see it:

    stillpoint.dev/restore     label: uid of the restore that starts, or started, the machine
    stillpoint.dev/start-as    annotation: the run strategy to set
    stillpoint.dev/not-started annotation: why the start was abandoned, if so
    stillpoint.dev/started     annotation: time of the start
    stillpoint.dev/sealed      annotation: in waves, time of the wait's begin or of the start

These marks lie where the machine's tenant writes, too. They decide about that machine alone, but
for the sealed mark, which makes others wait.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.seal import Seal
from stillpoint.resources.machines import virtual_machine

RESTORE = "stillpoint.dev/restore"
START_AS = "stillpoint.dev/start-as"
NOT_STARTED = "stillpoint.dev/not-started"
STARTED = "stillpoint.dev/started"
SEALED = "stillpoint.dev/sealed"

WAITS = "waits"
STARTS = "starts"

_ANNOTATIONS = (START_AS, NOT_STARTED, STARTED, SEALED)


def is_pending(machine: Item) -> bool:
    """True if the machine is pending, and no person has started or changed it."""
    return (
        bool(start_as(machine)) and virtual_machine.run_strategy(machine) == virtual_machine.HALTED
    )


def is_waiting(machine: Item) -> bool:
    """True if the machine is pending, and its restore is still going to start it."""
    return is_pending(machine) and NOT_STARTED not in it.annotations(machine)


def start_as(machine: Item) -> str:
    """The run strategy to set; empty if the machine is not pending."""
    return it.text(machine, "metadata", "annotations", START_AS)


@dataclass(frozen=True, slots=True)
class Wave:
    """The pending machines that a restore starts in waves.

    Attributes:
        restore: uid of the Restore.
        seal: on the restore's own marks.
        started: namespace and name of each machine that this process has started.
    """

    restore: str
    seal: Seal
    started: AbstractSet[tuple[str, str]]

    def mark(self, state: str, identity: tuple[str, str], now: datetime) -> str:
        """Value of `SEALED`: a time, and the seal on it.

        Args:
            state: `WAITS` or `STARTS`.
            identity: namespace and name of the machine on the cluster.
        """
        time = now.isoformat(timespec="seconds")
        return f"{time} {self.seal.on(self.restore, state, *identity, time)}"

    def is_recent(self, machine: Item, state: str, now: datetime, longest: timedelta) -> bool:
        """True if this restore has marked this machine with the state, not longer ago than that."""
        value = it.text(machine, "metadata", "annotations", SEALED)
        time, _, mark = value.partition(" ")
        if not self.seal.is_on(mark, self.restore, state, *it.identify(machine), time):
            return False
        return timedelta(0) <= now - datetime.fromisoformat(time) < longest


def as_pending(machine: Item, restore: str) -> Item:
    """The machine ready for creation: halted, with its run strategy in a mark.

    Args:
        restore: uid of the Restore.
    """
    strategy = virtual_machine.run_strategy(machine)
    machine = it.with_annotation(machine, START_AS, strategy)
    machine = it.with_label(machine, RESTORE, restore)
    return virtual_machine.with_run_strategy(machine, virtual_machine.HALTED)


def without_marks(machine: Item) -> Item:
    """A stored machine without the marks of a former restore, with its own run strategy."""
    if is_pending(machine):
        machine = virtual_machine.with_run_strategy(machine, start_as(machine))
    for annotation in _ANNOTATIONS:
        machine = it.without(machine, "metadata", "annotations", annotation)
    return it.without(machine, "metadata", "labels", RESTORE)


def start(machine: Item, now: datetime, sealed: str | None) -> Item:
    """The change that starts the machine: a merge patch, which fails after another change.

    Args:
        sealed: `Wave.mark`; None where there are no waves.
    """
    time = now.isoformat(timespec="seconds")
    marks = {START_AS: None, NOT_STARTED: None, STARTED: time, SEALED: sealed}
    return _change(machine, {"annotations": marks}) | {"spec": {"runStrategy": start_as(machine)}}


def abandon(machine: Item, reason: str) -> Item:
    """The change that marks why the machine is not started; its run strategy stays marked, too."""
    return _change(machine, {"annotations": {NOT_STARTED: reason}})


def adopt(machine: Item, restore: str) -> Item:
    """The change that hands the machine to another restore."""
    return _change(machine, {"labels": {RESTORE: restore}, "annotations": {NOT_STARTED: None}})


def restores(machine: Item) -> Iterable[str]:
    """The restore that starts, or started, the machine, as a key for `Index.list_grouped`."""
    restore = it.text(machine, "metadata", "labels", RESTORE)
    return (restore,) if restore else ()


def _change(machine: Item, metadata: Item) -> Item:
    version = it.text(machine, "metadata", "resourceVersion")
    return {"metadata": {"resourceVersion": version} | metadata}
