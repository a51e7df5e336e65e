"""Waits for snapshots, with a clock that does not wait."""

from datetime import UTC, datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from stillpoint.vm_snapshots import waiting
from stillpoint.vm_snapshots.state import Standing
from tests.unit.dictionary_reader import DictionaryReader

ONE, TWO = ("shop", "one"), ("shop", "two")


class Time:
    """Time passes while somebody sleeps; at some moments something happens."""

    def __init__(self, reader: DictionaryReader, events: dict[int, list[Item]]) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.sleeps = 0
        self._reader, self._events = reader, events

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self.now += timedelta(seconds=seconds)
        if self.sleeps in self._events:
            self._reader.objects = self._events[self.sleeps]

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


def snapshot(name: str, phase: str, *, is_ready: bool = False) -> Item:
    item = virtual_machine_snapshot.manifest("shop", name, "db", "", "")
    status = {
        "phase": phase,
        "readyToUse": is_ready,
        "snapshotVolumes": {},
        "virtualMachineSnapshotContentName": "content",
    }
    return it.with_value(item, status, "status")


CONTENT: Item = {
    "kind": "VirtualMachineSnapshotContent",
    "metadata": {"name": "content", "namespace": "shop"},
}


def nothing(*_: object) -> None:
    pass


def test_a_wait_ends_when_each_is_ready_or_has_failed() -> None:
    reader = DictionaryReader([snapshot("one", "InProgress"), snapshot("two", "InProgress")])
    ready = [CONTENT, snapshot("one", "Succeeded", is_ready=True)]
    later = [*ready, snapshot("two", "InProgress")]
    last = [*ready, snapshot("two", "Failed")]
    time = Time(reader, {2: later, 3: last})
    end = waiting.wait(reader, [ONE, TWO], 60, time.clock, nothing)
    assert (end.is_over, time.sleeps) == (True, 3)
    standings = {name: one.standing for name, one in end.states.items()}
    assert standings == {ONE: Standing.READY, TWO: Standing.FAILED}


def test_one_that_is_deleted_meanwhile_is_gone() -> None:
    reader = DictionaryReader([snapshot("one", "InProgress")])
    end = waiting.wait(reader, [ONE, TWO], 60, Time(reader, {1: []}).clock, nothing)
    assert (end.is_over, end.gone) == (True, [ONE, TWO])


def test_a_wait_ends_in_time_also_for_a_phase_that_nobody_knows() -> None:
    reader = DictionaryReader([snapshot("one", "Someday")])
    time = Time(reader, {})
    end = waiting.wait(reader, [ONE], 10, time.clock, nothing)
    assert (end.is_over, time.sleeps) == (False, 10)
    assert end.states[ONE].standing is Standing.UNKNOWN


def test_each_look_is_a_list_per_resource_and_namespace_however_many_snapshots() -> None:
    names = [f"s{number}" for number in range(40)]
    reader = DictionaryReader([snapshot(name, "Succeeded", is_ready=True) for name in names])
    waiting.wait(reader, [("shop", name) for name in names], 60, Time(reader, {}).clock, nothing)
    assert len(reader.questions) == 3
