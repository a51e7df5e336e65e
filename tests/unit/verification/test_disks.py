"""Volumes of restored claims that are provably new, and all others."""

from datetime import UTC, datetime

import pytest

from stillpoint.model.item import Item
from stillpoint.verification.disks import Volumes, places

SINCE = datetime(2026, 11, 27, 6, tzinfo=UTC)
ORIGINAL = "csi disks.test of-the-backup"
CLAIM = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"namespace": "scratch", "name": "root", "uid": "c-1"},
    "spec": {"volumeName": "pv", "storageClassName": "disks"},
}


def volume(
    handle: str = "new",
    *,
    uid: str = "c-1",
    created: str = "2026-11-27T06:00:00Z",
    name: str = "pv",
    source: Item | None = None,
) -> Item:
    bytes_ = source or {"csi": {"driver": "disks.test", "volumeHandle": handle}}
    return {
        "kind": "PersistentVolume",
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"claimRef": {"uid": uid}, "storageClassName": "disks", **bytes_},
    }


def why(*items: Item, originals: frozenset[str] | None = frozenset({ORIGINAL})) -> str:
    return Volumes(items, originals, SINCE).why_not_new(CLAIM)


def test_a_new_volume() -> None:
    assert why(volume(), volume("other", name="pv-2", uid="c-2")) == ""


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([], "not there"),
        ([volume(uid="c-2")], "for another claim"),
        ([volume(uid="")], "for another claim"),
        ([volume(created="2026-11-27T05:59:59Z")], "older"),
        ([volume("of-the-backup")], "of the original"),
        ([volume(), volume(name="pv-2", uid="c-2")], "another volume"),
        ([volume(source={"unknown": None})], "of the original"),
        (
            [
                volume(source={"nfs": {"server": "a", "path": "/x", "readOnly": True}}),
                volume(source={"nfs": {"server": "a", "path": "/x"}}, name="pv-2", uid="c-2"),
            ],
            "another volume",
        ),
    ],
)
def test_a_volume_that_may_be_somebody_elses(items: list[Item], reason: str) -> None:
    assert reason in why(*items)


def test_without_the_backup_only_the_provisioners_name_is_proof() -> None:
    assert "of the original" in why(volume(), originals=None)
    claim = {**CLAIM, "spec": {"volumeName": "pvc-c-1"}}
    made = Volumes([volume(name="pvc-c-1")], None, SINCE)
    assert made.why_not_new(claim) == ""


def test_a_claim_that_waits_for_its_consumer_must_not_get_an_older_volume() -> None:
    waiting = {**CLAIM, "spec": {"storageClassName": "disks"}}
    free = volume("free", name="free")
    del free["spec"]["claimRef"]
    assert Volumes([volume()], frozenset(), SINCE).why_may_not_be_new(waiting) == ""
    assert "free" in Volumes([free], frozenset(), SINCE).why_may_not_be_new(waiting)
    assert "pv" in Volumes([volume()], frozenset(), SINCE).why_may_not_be_new(CLAIM)
    selector = {"matchLabels": {"a": "b"}}
    selective = {**CLAIM, "spec": {"storageClassName": "disks", "selector": selector}}
    assert Volumes([free], frozenset(), SINCE).why_may_not_be_new(selective) == ""
    free["metadata"]["labels"] = {"a": "b", "c": "d"}
    assert "free" in Volumes([free], frozenset(), SINCE).why_may_not_be_new(selective)


def test_places_of_the_originals() -> None:
    assert places([volume("of-the-backup"), volume(source={})]) == {ORIGINAL, "csi disks.test new"}
