"""Levels and standing of a snapshot, by what its status says and what it does not."""

from typing import Any

import pytest

from stillpoint.model.item import Item
from stillpoint.model.level import Level, satisfies
from stillpoint.vm_snapshots.state import Proof, SnapshotState, Standing

MACHINE: Item = {
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {
        "template": {
            "spec": {
                "volumes": [
                    {"name": "root", "dataVolume": {"name": "db-root"}},
                    {"name": "data", "persistentVolumeClaim": {"claimName": "db-data"}},
                    {"name": "cloudinit", "cloudInitNoCloud": {}},
                ]
            }
        }
    },
}
VOLUMES = {"includedVolumes": ["root", "data"], "excludedVolumes": ["cloudinit"]}
READY: Item = {"phase": "Succeeded", "readyToUse": True, "snapshotVolumes": VOLUMES}


def state(status: Any, machine: Item | None = MACHINE, **metadata: str) -> SnapshotState:
    item: Item = {
        "kind": "VirtualMachineSnapshot",
        "metadata": {"name": "one", "namespace": "shop", **metadata},
        "spec": {"source": {"name": "db"}},
    }
    item = item if status is None else {**item, "status": status}
    return SnapshotState(item, {"spec": {}}, machine)


def new(*words: str) -> Item:
    return {"sourceIndications": [{"indication": word, "message": "said"} for word in words]}


def old(*words: str) -> Item:
    return {"indications": list(words)}


@pytest.mark.parametrize("form", [new, old], ids=["new", "old"])
@pytest.mark.parametrize(
    ("words", "level", "proof"),
    [
        (("Online", "GuestAgent"), Level.FILESYSTEM, Proof.ATTEMPTED),
        (("Online", "NoGuestAgent"), Level.CRASH, Proof.REPORTED),
        (("Online", "GuestAgent", "NoGuestAgent"), Level.CRASH, Proof.REPORTED),
        (("Online", "GuestAgent", "QuiesceFailed"), Level.CRASH, Proof.REPORTED),
        (("Online", "GuestAgent", "QuiesceTimeout"), Level.CRASH, Proof.REPORTED),
        (("Online", "Paused"), Level.PAUSED, Proof.REPORTED),
        (("Online", "GuestAgent", "PartialSnapshot"), Level.FILESYSTEM, Proof.ATTEMPTED),
        (("Online",), Level.UNKNOWN, Proof.NONE),
        (("GuestAgent",), Level.UNKNOWN, Proof.NONE),
        (("Online", "GuestAgent", "Someday"), Level.UNKNOWN, Proof.NONE),
        (("PartialSnapshot",), Level.STOPPED, Proof.REPORTED),
        ((), Level.STOPPED, Proof.REPORTED),
    ],
)
def test_levels_by_indications(form: Any, words: Any, level: Level, proof: Proof) -> None:
    found = state({**READY, **form(*words)})
    assert (found.level, found.proof) == (level, proof)
    assert {word for word, _ in found.indications} == set(words)


def test_old_and_new_indications_count_together() -> None:
    found = state({**READY, **new("Online", "GuestAgent"), **old("QuiesceFailed")})
    assert found.level is Level.CRASH


@pytest.mark.parametrize("missing", ["phase", "readyToUse", "snapshotVolumes"])
def test_a_missing_field_is_never_a_good_one(missing: str) -> None:
    status = {key: value for key, value in READY.items() if key != missing}
    found = state({**status, **new("Online", "GuestAgent")})
    assert found.level is Level.UNKNOWN
    is_ready = found.standing is Standing.READY
    assert is_ready is (missing == "snapshotVolumes")


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (None, Standing.UNDER_WAY),
        ({"phase": "InProgress", "readyToUse": False}, Standing.UNDER_WAY),
        ({"phase": "Succeeded", "readyToUse": False}, Standing.UNDER_WAY),
        ({"phase": "Failed", "readyToUse": True}, Standing.FAILED),
        ({"phase": "Deleting"}, Standing.FAILED),
        ({"phase": "Unknown"}, Standing.UNKNOWN),
        ({"phase": "Someday", "readyToUse": True}, Standing.UNKNOWN),
        (READY, Standing.READY),
    ],
)
def test_standing_by_phase(status: Any, standing: Standing) -> None:
    assert state(status).standing is standing


@pytest.mark.parametrize(
    ("taken", "states", "standing"),
    [
        ("2026-01-01T00:00:00Z", [], Standing.FAILED),
        ("2026-01-01T00:00:00Z", [{"volumeSnapshotName": "cut"}], Standing.UNDER_WAY),
        (None, [], Standing.UNDER_WAY),
    ],
)
def test_a_snapshot_whose_disks_were_deleted_will_never_be_ready(
    taken: str | None, states: list[Item], standing: Standing
) -> None:
    content: Item = {
        "spec": {"volumeBackups": [{"volumeName": "root", "volumeSnapshotName": "cut"}]},
        "status": {"creationTime": taken, "volumeSnapshotStatus": states},
    }
    item = state({"phase": "Succeeded", "readyToUse": False}).item
    assert SnapshotState(item, content, None).standing is standing


def test_a_snapshot_whose_content_is_gone_is_not_ready_whatever_kubevirt_says() -> None:
    found = SnapshotState(state(READY).item, None, None)
    assert (found.standing, found.level) == (Standing.FAILED, Level.UNKNOWN)
    assert "is gone" in found.why()


def test_a_snapshot_on_its_way_out_is_not_ready() -> None:
    found = state(READY, deletionTimestamp="2026-01-01T00:00:00Z")
    assert (found.standing, found.level) == (Standing.FAILED, Level.UNKNOWN)


def test_disks_that_the_machine_has_and_the_snapshot_lacks_are_named_others_are_not() -> None:
    found = state({**READY, "snapshotVolumes": {"includedVolumes": ["root"]}})
    assert found.left_out == ["data"]
    assert "without data" in found.why()


def test_a_snapshot_without_disks_has_no_level() -> None:
    assert state({**READY, "snapshotVolumes": {}}).level is Level.NONE


@pytest.mark.parametrize(
    ("level", "enough"),
    [
        (Level.APPLICATION, {"crash", "filesystem", "application"}),
        (Level.FILESYSTEM, {"crash", "filesystem"}),
        (Level.STOPPED, {"crash", "filesystem", "application"}),
        (Level.CRASH, {"crash"}),
        (Level.PAUSED, {"crash"}),
        (Level.MIXED, set()),
        (Level.NONE, set()),
        (Level.UNKNOWN, set()),
    ],
)
def test_which_level_is_enough_for_which(level: Level, enough: set[str]) -> None:
    wanted = (Level.CRASH, Level.FILESYSTEM, Level.APPLICATION)
    assert {str(one) for one in wanted if satisfies(level, one)} == enough
