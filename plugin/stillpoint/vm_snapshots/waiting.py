"""Waits for snapshots by KubeVirt, however many, with one or two lists per look and namespace."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.resources.machines import virtual_machine
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot as snapshots
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot_content as contents
from stillpoint.vm_snapshots.errors import NoSuchObject
from stillpoint.vm_snapshots.state import SnapshotState, Standing

PAUSE_S = 1.0
"""Between two looks: a snapshot takes half a second where the storage is quick."""

Report = Callable[[int, int, str], None]
"""Takes how far the wait is: disks that are ready, disks in all, and what is waited for."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """The end of a wait.

    Attributes:
        states: the snapshots that exist, as last seen, by namespace and name.
        gone: those that were deleted meanwhile, or never existed.
        is_over: false if time ran out before each was ready or had failed.
    """

    states: Mapping[tuple[str, str], SnapshotState]
    gone: Sequence[tuple[str, str]]
    is_over: bool


def states(reader: Reader, namespace: str) -> Sequence[SnapshotState]:
    """All snapshots of a namespace (empty: of the cluster), in the order of their names.

    Raises:
        ReadFailed: a request failed.
    """
    found = sorted(reader.list(snapshots.RESOURCE, namespace), key=it.identify)
    if not found:
        return ()
    kept = _by_identity(reader.list(contents.RESOURCE, namespace))
    machines = _by_identity(reader.list(virtual_machine.RESOURCE, namespace))
    return [_state(one, kept, machines) for one in found]


def state(reader: Reader, namespace: str, name: str) -> SnapshotState:
    """One snapshot.

    Raises:
        NoSuchObject: there is none of that name.
        ReadFailed: a request failed.
    """
    subject = f"VirtualMachineSnapshot {namespace}/{name}"
    found = reader.get(snapshots.RESOURCE, namespace, name)
    if found is None:
        cause, hint = "there is no such snapshot", f"stillpoint snapshot list -n {namespace}"
        raise NoSuchObject(subject, "cannot look at it", cause, hint)
    content, machine = snapshots.content(found), snapshots.machine(found)
    return SnapshotState(
        found,
        reader.get(contents.RESOURCE, namespace, content) if content else None,
        reader.get(virtual_machine.RESOURCE, namespace, machine) if machine else None,
    )


def wait(
    reader: Reader,
    wanted: Iterable[tuple[str, str]],
    longest_s: float,
    clock: Clock,
    report: Report,
) -> Awaited:
    """Waits until each of the snapshots is ready, has failed or is gone.

    Args:
        wanted: namespace and name of each.
        longest_s: the wait in all, seconds.

    Raises:
        ReadFailed: a request failed.
    """
    names = tuple(dict.fromkeys(wanted))
    began = clock.now()
    while True:
        found = _look(reader, names)
        gone = [one for one in names if one not in found]
        open_ = [one for one in found.values() if one.standing is Standing.UNDER_WAY]
        report(*_progress(found.values(), open_))
        unclear = [one for one in found.values() if one.standing is Standing.UNKNOWN]
        if not open_ and not unclear:
            return Awaited(found, gone, is_over=True)
        if (clock.now() - began).total_seconds() >= longest_s:
            return Awaited(found, gone, is_over=False)
        clock.sleep(PAUSE_S)


def _look(
    reader: Reader, names: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], SnapshotState]:
    all_states = [
        one
        for namespace in dict.fromkeys(namespace for namespace, _name in names)
        for one in states(reader, namespace)
    ]
    by_name = {it.identify(one.item): one for one in all_states}
    return {name: by_name[name] for name in names if name in by_name}


def _progress(
    found: Iterable[SnapshotState], open_: Sequence[SnapshotState]
) -> tuple[int, int, str]:
    disks = [(state, disk) for state in found for disk in state.disks]
    ready = sum(disk.is_ready for _state, disk in disks)
    waiting = [f"{state.title} {disk.volume}" for state, disk in disks if not disk.is_ready]
    return ready, len(disks), next(iter((*waiting, *(one.title for one in open_))), "")


def _state(
    snapshot: Item,
    kept: Mapping[tuple[str, str], Item],
    machines: Mapping[tuple[str, str], Item],
) -> SnapshotState:
    namespace = it.namespace(snapshot)
    content = kept.get((namespace, snapshots.content(snapshot)))
    machine = machines.get((namespace, snapshots.machine(snapshot)))
    return SnapshotState(snapshot, content, machine)


def _by_identity(items: Iterable[Item]) -> Mapping[tuple[str, str], Item]:
    return {it.identify(one): one for one in items}
