"""Which snapshots by KubeVirt may go, and what stays behind them.

The last good snapshot of a machine never goes, nor one that is under way, that is used, or of which
not enough is known. Failed ones go first, as nothing can be restored from them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.reader import Reader
from stillpoint.resources.vm_snapshots import (
    virtual_machine_restore,
    virtual_machine_snapshot,
    virtual_machine_snapshot_content,
)
from stillpoint.vm_snapshots.state import SnapshotState, Standing
from stillpoint.vm_snapshots.waiting import PAUSE_S

_MADE_BY_KUBEVIRT = "snapshot.kubevirt.io/source-vm-name"
"""Label of the VolumeSnapshots that KubeVirt makes for a content."""

Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Snapshots that are to go.

    Attributes:
        keep: of each machine, this many of the newest that are ready stay; None for none of them.
        older_than: younger ones stay; None if age does not matter.
    """

    keep: int | None = None
    older_than: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A snapshot, whether it goes, and why."""

    state: SnapshotState
    goes: bool
    why: str


@dataclass(frozen=True, slots=True)
class Remains:
    """Objects that are left of snapshots that are gone.

    Attributes:
        contents: VirtualMachineSnapshotContents whose snapshot does not exist.
        volume_snapshots: VolumeSnapshots made by KubeVirt that no content owns, as after a restore
            by Velero: nobody deletes them. One whose owner is gone the garbage collector deletes.
    """

    contents: Sequence[str] = ()
    volume_snapshots: Sequence[str] = ()


def used(restores: Iterable[Item]) -> Collection[Identity]:
    """Namespace and name of each snapshot that a restore goes on from."""
    return {
        (it.namespace(one), virtual_machine_restore.snapshot(one))
        for one in restores
        if not virtual_machine_restore.is_complete(one)
        and not virtual_machine_restore.has_failed(one)
    }


def judged(
    states: Iterable[SnapshotState], in_use: Collection[Identity], rule: Rule, now: datetime
) -> Sequence[Judged]:
    """Each snapshot by a rule: those that go, in that order, then those that stay."""
    by_machine: dict[tuple[str, str, str], list[SnapshotState]] = {}
    for state in states:
        by_machine.setdefault(_machine(state.item), []).append(state)
    found = [one for group in by_machine.values() for one in _of_machine(group, in_use, rule, now)]
    return sorted(found, key=lambda one: _order(one, now))


def _machine(snapshot: Item) -> tuple[str, str, str]:
    """The machine of a snapshot: one that was made again under its name is another."""
    name, uid = virtual_machine_snapshot.machine(snapshot), virtual_machine_snapshot.machine_uid
    return it.namespace(snapshot), name, uid(snapshot)


def _order(one: Judged, now: datetime) -> tuple[bool, bool, datetime, str]:
    is_failed = one.state.standing is Standing.FAILED
    return not one.goes, not is_failed, one.state.taken_at or now, one.state.title


def _of_machine(
    group: Iterable[SnapshotState], in_use: Collection[Identity], rule: Rule, now: datetime
) -> Iterator[Judged]:
    newest_first = sorted(group, key=lambda one: one.taken_at or now, reverse=True)
    free = [one for one in newest_first if one.taken_at and not why_not(one, in_use)]
    ready = [one for one in free if one.standing is Standing.READY]
    good = [one for one in ready if one.level not in (Level.NONE, Level.UNKNOWN)]
    fullest = min(good, key=lambda one: len(one.left_out), default=None)
    last = [*filter(None, [fullest]), *good[:1], *ready[:1]]
    newest = ready[: rule.keep or 0]
    for one in newest_first:
        if reason := why_not(one, in_use):
            yield Judged(one, goes=False, why=reason)
        elif one.taken_at is None:
            yield Judged(one, goes=False, why="its age is not known")
        elif rule.older_than is not None and now - one.taken_at < rule.older_than:
            yield Judged(one, goes=False, why="it is younger")
        elif one.standing is Standing.FAILED and any(disk.is_ready for disk in one.disks):
            yield Judged(one, goes=False, why="some of its disks are still there")
        elif one.standing is Standing.FAILED:
            yield Judged(one, goes=True, why="it has failed")
        elif one in last:
            yield Judged(one, goes=False, why="it is the last good one of the machine")
        elif one in newest:
            yield Judged(one, goes=False, why=f"it is one of the newest {rule.keep}")
        else:
            yield Judged(one, goes=True, why="newer ones are there")


def why_not(state: SnapshotState, in_use: Collection[Identity]) -> str:
    """The reason why a snapshot is not to be touched; else empty."""
    if it.is_being_deleted(state.item):
        return "it is being deleted"
    if owner := it.controller(state.item):
        return f"it belongs to {owner}"
    if it.identify(state.item) in in_use:
        return "a restore from it is under way"
    if state.standing in (Standing.UNDER_WAY, Standing.UNKNOWN):
        return f"its standing is {state.standing}"
    return ""


def asked_for(reader: Reader, states: Sequence[SnapshotState]) -> Sequence[Judged]:
    """Snapshots that somebody has named: each goes, unless something uses it.

    One that is under way, or of unknown standing, goes as well: who names it means it.

    Raises:
        ReadFailed: a request failed.
    """
    namespaces = dict.fromkeys(it.namespace(one.item) for one in states)
    restores = [
        one for each in namespaces for one in reader.list(virtual_machine_restore.RESOURCE, each)
    ]
    in_use = used(restores)
    return [_asked_for(one, in_use) for one in states]


def _asked_for(state: SnapshotState, in_use: Collection[Identity]) -> Judged:
    reason = why_not(state, in_use)
    if reason and state.standing not in (Standing.UNDER_WAY, Standing.UNKNOWN):
        return Judged(state, goes=False, why=reason)
    return Judged(state, goes=True, why="asked for")


def confirmed(agreed: Iterable[Judged], now: Iterable[Judged]) -> Sequence[Judged]:
    """Snapshots that were to go, judged again: those that are another one by now do not go."""
    again = {it.identify(one.state.item): one for one in now}
    return [_confirmed(one, again.get(it.identify(one.state.item))) for one in agreed]


def _confirmed(before: Judged, now: Judged | None) -> Judged:
    if now is None:
        return replace(before, goes=False, why="it is gone already")
    if it.uid(now.state.item) != it.uid(before.state.item):
        return replace(now, goes=False, why="it is another one, made meanwhile")
    return now


def judged_version(one: Judged) -> str:
    """The version that a snapshot must have still; empty for one that KubeVirt is at work on."""
    is_settled = one.state.standing in (Standing.READY, Standing.FAILED)
    return it.text(one.state.item, "metadata", "resourceVersion") if is_settled else ""


def wait_until_gone(
    reader: Reader,
    wanted: Collection[Identity],
    longest_s: float,
    clock: Clock,
    report: Callable[[int, int, str], None],
) -> Collection[Identity]:
    """Waits until the snapshots are gone, at most so long; those that are still there.

    Raises:
        ReadFailed: a request failed.
    """
    began = clock.now()
    while True:
        there = {
            it.identify(one)
            for namespace in sorted({namespace for namespace, _name in wanted})
            for one in reader.list(virtual_machine_snapshot.RESOURCE, namespace)
        }
        left = there & set(wanted)
        report(len(wanted) - len(left), len(wanted), "snapshots")
        if not left or (clock.now() - began).total_seconds() >= longest_s:
            return left
        clock.sleep(PAUSE_S)


def remains(reader: Reader, namespace: str) -> Remains:
    """The objects that are left of snapshots of a namespace that are gone.

    Raises:
        ReadFailed: a request failed.
    """
    # contents before snapshots: one that is made meanwhile must not look left behind
    contents = reader.list(virtual_machine_snapshot_content.RESOURCE, namespace)
    volume_snapshots = reader.list(kinds.VOLUME_SNAPSHOT, namespace)
    snapshots = {it.name(one) for one in reader.list(virtual_machine_snapshot.RESOURCE, namespace)}
    kind = virtual_machine_snapshot_content.RESOURCE.kind
    return Remains(
        [
            it.name(one)
            for one in contents
            if virtual_machine_snapshot_content.snapshot(one) not in snapshots
            and not it.is_being_deleted(one)
        ],
        [
            it.name(one)
            for one in volume_snapshots
            if _MADE_BY_KUBEVIRT in it.labels(one)
            and not it.owner(one, kind)
            and not it.is_being_deleted(one)
        ],
    )
