"""Which snapshots may go, and what is left behind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from stillpoint.vm_snapshots import removal
from stillpoint.vm_snapshots.removal import Judged, Rule
from stillpoint.vm_snapshots.state import SnapshotState
from tests.unit.dictionary_reader import DictionaryReader

NOW = datetime(2026, 2, 1, tzinfo=UTC)
FREE: set[tuple[str, str]] = set()
GOOD: Item = {"phase": "Succeeded", "readyToUse": True}
VOLUME_NAMES = ["root", "data"]
SPECIFICATION = {"volumes": [{"name": one, "dataVolume": {"name": one}} for one in VOLUME_NAMES]}
MACHINE: Item = {"spec": {"template": {"spec": SPECIFICATION}}}
CONTENT: Item = {"spec": {"source": {"virtualMachine": MACHINE}}}
VOLUMES = {"includedVolumes": VOLUME_NAMES}


def snapshot(name: str, days: int, machine: str = "db", **status: Any) -> SnapshotState:
    """A good one of so many days, or with other fields of its status."""
    item = virtual_machine_snapshot.manifest("shop", name, machine, "", "")
    created = (NOW - timedelta(days=days)).isoformat()
    item = it.with_value(item, created, "metadata", "creationTimestamp")
    whole = {**GOOD, "snapshotVolumes": VOLUMES, **status}
    return SnapshotState(it.with_value(item, whole, "status"), CONTENT, None)


def going(*states: SnapshotState, rule: Rule, in_use: set[tuple[str, str]] = FREE) -> list[str]:
    found = removal.judged(states, in_use, rule, NOW)
    return [it.name(one.state.item) for one in found if one.goes]


def failed(name: str, days: int) -> SnapshotState:
    return snapshot(name, days, phase="Failed", readyToUse=False)


def test_failed_ones_go_first_then_the_oldest() -> None:
    states = [snapshot(f"s{days}", days) for days in (1, 2, 3, 4)]
    assert going(*states, failed("bad", 1), rule=Rule(keep=2)) == ["bad", "s4", "s3"]


@pytest.mark.parametrize("keep", [0, 1])
def test_the_last_good_one_of_each_machine_stays_however_few_are_kept(keep: int) -> None:
    states = [snapshot("old", 9), snapshot("new", 1), snapshot("other", 99, "web")]
    assert going(*states, rule=Rule(keep=keep)) == ["old"]


def test_the_last_good_one_stays_also_when_newer_ones_are_worth_less() -> None:
    """Newer, and ready, but of an unknown level: it is no reason to give up the good one."""
    doubtful = snapshot("doubtful", 1, indications=["Someday"])
    assert going(snapshot("good", 5), doubtful, failed("bad", 0), rule=Rule(keep=0)) == ["bad"]


def test_one_that_lacks_disks_is_no_reason_to_give_up_the_last_whole_one() -> None:
    partial = [
        snapshot(name, days, snapshotVolumes={"includedVolumes": ["root"]})
        for name, days in (("partial", 1), ("older", 2))
    ]
    states = [*partial, snapshot("whole", 5), snapshot("oldest", 9)]
    assert going(*states, rule=Rule(keep=1)) == ["oldest", "older"]


def test_one_whose_content_is_gone_is_no_reason_to_give_up_another() -> None:
    empty = SnapshotState(snapshot("empty", 1).item, None, None)
    assert going(snapshot("good", 5), empty, rule=Rule(keep=1)) == ["empty"]


def test_a_machine_that_was_made_again_under_its_name_is_another() -> None:
    states = [snapshot(f"s{days}", days, sourceUID="old") for days in (8, 9)]
    new = snapshot("new", 1, sourceUID="new")
    assert going(*states, new, rule=Rule(keep=1)) == ["s9"]


def test_age_counts_and_with_a_number_both_must_hold() -> None:
    states = [snapshot(f"s{days}", days) for days in (1, 5, 10, 20)]
    week = timedelta(days=7)
    assert going(*states, failed("bad", 1), rule=Rule(older_than=week)) == ["s20", "s10"]
    assert going(*states, rule=Rule(keep=3, older_than=week)) == ["s20"]


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "InProgress", "readyToUse": False},
        {"phase": "Someday"},
        {"phase": "Unknown"},
        {"phase": "Succeeded", "readyToUse": False},
        {"phase": ""},
    ],
)
def test_what_is_under_way_or_not_known_stays(status: Item) -> None:
    old = snapshot("old", 99, **status)
    assert going(old, snapshot("new", 1), rule=Rule(keep=1)) == []


def test_a_failed_one_with_disks_that_are_still_there_stays() -> None:
    half = failed("half", 99)
    backups = [{"volumeName": name, "volumeSnapshotName": name} for name in ("root", "data")]
    states = [{"volumeSnapshotName": "root", "readyToUse": True}]
    status = {"creationTime": "2026-01-01T00:00:00Z", "volumeSnapshotStatus": states}
    content = {"spec": {"volumeBackups": backups}, "status": status}
    kept = SnapshotState(half.item, content, None)
    assert going(half, snapshot("new", 1), rule=Rule(keep=1)) == ["half"]
    assert going(kept, snapshot("new", 1), rule=Rule(keep=1)) == []


def test_one_that_is_used_or_belongs_to_somebody_or_has_no_age_stays() -> None:
    owned = snapshot("owned", 99)
    owner = {"kind": "VirtualMachineClone", "name": "copy", "controller": True}
    owned.item["metadata"]["ownerReferences"] = [owner]
    ageless = snapshot("ageless", 99)
    del ageless.item["metadata"]["creationTimestamp"]
    states = (owned, ageless, snapshot("used", 99), snapshot("new", 1), snapshot("old", 2))
    assert going(*states, rule=Rule(keep=1), in_use={("shop", "used")}) == ["old"]


def test_a_restore_that_goes_on_uses_its_snapshot_and_one_that_has_ended_does_not() -> None:
    def restore(snapshot: str, status: Item) -> Item:
        return {
            "metadata": {"name": snapshot, "namespace": "shop"},
            "spec": {"virtualMachineSnapshotName": snapshot},
            "status": status,
        }

    failure = {"conditions": [{"type": "Failure", "status": "True"}]}
    restores = [
        restore("going", {"complete": False}),
        restore("done", {"complete": True}),
        restore("failed", failure),
        restore("new", {}),
    ]
    assert set(removal.used(restores)) == {("shop", "going"), ("shop", "new")}


def test_what_is_left_of_snapshots_that_are_gone() -> None:
    def of(kind: str, name: str, **fields: Any) -> Item:
        return {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, **fields}

    content = "VirtualMachineSnapshotContent"
    labels = {"snapshot.kubevirt.io/source-vm-name": "db"}

    def cut(name: str, owner: str) -> Item:
        item = it.with_value(of("VolumeSnapshot", name), labels, "metadata", "labels")
        owners = [{"kind": content, "name": owner}] if owner else []
        return it.with_value(item, owners, "metadata", "ownerReferences")

    reader = DictionaryReader(
        [
            of("VirtualMachineSnapshot", "here"),
            of(content, "of-here", spec={"virtualMachineSnapshotName": "here"}),
            of(content, "kept", spec={"virtualMachineSnapshotName": "gone"}),
            cut("used", "of-here"),
            cut("collected", "gone"),
            cut("lost", ""),
            it.with_value(
                cut("going", ""), "2026-01-01T00:00:00Z", "metadata", "deletionTimestamp"
            ),
            of("VolumeSnapshot", "of-velero"),
        ]
    )
    found = removal.remains(reader, "shop")
    assert (found.contents, found.volume_snapshots) == (["kept"], ["lost"])


# between the question and the deletion


def as_judged(state: SnapshotState, *, goes: bool = True, uid: str = "u-1") -> Judged:
    item = it.with_value(state.item, uid, "metadata", "uid")
    return Judged(replace(state, item=item), goes, "newer ones are there")


def test_what_is_the_same_when_the_question_was_answered_goes() -> None:
    one = as_judged(snapshot("one", 9))
    assert removal.confirmed([one], [one, as_judged(snapshot("young", 0))]) == [one]


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ([], "it is gone already"),
        ([as_judged(snapshot("one", 0), uid="u-2")], "it is another one, made meanwhile"),
        ([as_judged(snapshot("one", 9), goes=False)], "newer ones are there"),
    ],
    ids=["gone", "another of its name", "needed by now"],
)
def test_what_has_changed_meanwhile_does_not_go(now: list[Judged], why: str) -> None:
    [one] = removal.confirmed([as_judged(snapshot("one", 9))], now)
    assert (one.goes, one.why) == (False, why)


def test_what_would_go_by_now_and_was_not_asked_about_stays() -> None:
    other = as_judged(snapshot("other", 9), uid="u-3")
    one = as_judged(snapshot("one", 9))
    assert removal.confirmed([one], [one, other]) == [one]


def test_a_snapshot_that_is_settled_is_deleted_as_it_was_judged() -> None:
    def version(state: SnapshotState) -> str:
        item = it.with_value(state.item, "7", "metadata", "resourceVersion")
        return removal.judged_version(Judged(replace(state, item=item), goes=True, why=""))

    assert version(snapshot("good", 1)) == version(failed("bad", 1)) == "7"
    assert version(snapshot("young", 0, phase="InProgress")) == ""


def test_what_is_named_goes_unless_a_restore_goes_on_from_it() -> None:
    restore = {
        "kind": "VirtualMachineRestore",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"virtualMachineSnapshotName": "used"},
    }
    states = [snapshot("used", 1), snapshot("free", 1), snapshot("young", 0, phase="InProgress")]
    found = removal.asked_for(DictionaryReader([restore]), states)
    assert [(it.name(one.state.item), one.goes) for one in found] == [
        ("used", False),
        ("free", True),
        ("young", True),
    ]
