"""What goes wrong with one disk of a guest costs no other one, however snapshots are taken."""

import copy
from typing import Any

import pytest

from stillpoint.model import item as it
from stillpoint.model.errors import Denied, Forbidden, StillpointError, Unreachable
from stillpoint.model.item import Item
from stillpoint.resources.disks import volume_snapshot
from tests.unit.actions.backup.group_storage import GroupStorage
from tests.unit.actions.backup.storage import fails, says_nothing
from tests.unit.actions.backup.test_group_snapshots import (
    BACKUP,
    CONFIG_MAP,
    cluster,
    context,
    failed,
    group_class,
)
from tests.unit.actions.backup.test_own_snapshots import backed_up, running, snapshot_class
from tests.unit.dictionary_reader import merged

DISKS = ("root", "bad", "data")
ALL = {"metadata": {"annotations": {"stillpoint.dev/snapshotter": "all"}}}
MODES: dict[str, Item] = {
    "one by one": {**ALL, "spec": {"snapshotVolumes": False, "resourcePolicy": None}},
    "as a group": {},
    "moved": {"spec": {"snapshotMoveData": True}},
    "one by one, moved": {
        **ALL,
        "spec": {"snapshotVolumes": False, "resourcePolicy": None, "snapshotMoveData": True},
    },
}
AGENT: Item = {
    "kind": "DaemonSet",
    "metadata": {"name": "node-agent", "namespace": "velero"},
    "status": {"numberReady": 1},
}
FAULTS: dict[str, tuple[Item, Item, str]] = {
    "being deleted": (
        {"metadata": {"deletionTimestamp": "2026-05-04T12:00:00Z"}}, {}, "is being deleted",
    ),
    "without a volume": ({"spec": {"volumeName": "pv-gone"}}, {}, "pv-gone does not exist"),
    "without a class": ({}, {"spec": {"csi": {"driver": "other.io"}}}, "driver other.io does not"),
}  # fmt: skip


CASES = [
    (mode, fault)
    for mode in MODES
    for fault in FAULTS
    if fault != "without a volume" or "one by one" in mode  # a policy of CSI volumes is for others
]


def world(claim: Item, volume: Item) -> GroupStorage:
    """A guest of three disks, of which one is changed."""
    objects = copy.deepcopy(cluster(*DISKS))
    for place, one in enumerate(objects):
        if it.name(one) in ("bad", "pv-bad"):
            objects[place] = merged(one, claim if it.name(one) == "bad" else volume)
    classes = [snapshot_class(), group_class(), CONFIG_MAP, AGENT]
    return GroupStorage([*objects, *running("db", *DISKS), *copy.deepcopy(classes)])


def is_saved(storage: GroupStorage, of: Any, name: str) -> bool:
    outcome = backed_up(storage, of, name)
    return bool(outcome.additional or outcome.operation)


@pytest.mark.parametrize("order", [("bad", "root", "data"), ("root", "bad", "data")])
@pytest.mark.parametrize(("mode", "fault"), CASES)
def test_a_claim_that_can_have_no_snapshot_fails_alone(
    mode: str, fault: str, order: tuple[str, ...]
) -> None:
    claim, volume, told = FAULTS[fault]
    storage = world(claim, volume)
    of = context(storage, merged(BACKUP, MODES[mode]))
    for name in order:
        if name == "bad":
            assert told in failed(storage, of, name)
        else:
            assert is_saved(storage, of, name)
    assert_only_those_are_left(storage, "root", "data")


@pytest.mark.parametrize("order", [fails, says_nothing])
@pytest.mark.parametrize("mode", [one for one in MODES if one != "as a group"])
def test_a_driver_that_never_gives_a_handle_fails_its_disk_alone(mode: str, order: Any) -> None:
    storage = world({}, {})
    storage.orders["bad"] = order
    of = context(storage, merged(BACKUP, MODES[mode]))
    assert is_saved(storage, of, "root")
    assert "cannot take a snapshot: none after" in failed(storage, of, "bad")
    assert is_saved(storage, of, "data")
    assert_only_those_are_left(storage, "root", "data")


@pytest.mark.parametrize(
    "error",
    [
        Forbidden("it", "cannot create", "HTTP 403"),
        Denied("it", "cannot create", "HTTP 403: exceeded quota"),
        Unreachable("it", "cannot create", "HTTP 404: the namespace is gone"),
        Unreachable("it", "cannot create", "HTTP 429: too many requests"),
        Unreachable("it", "cannot create", "HTTP 500"),
    ],
    ids=lambda error: error.cause,
)
@pytest.mark.parametrize("mode", [one for one in MODES if one != "as a group"])
def test_a_creation_that_fails_fails_its_disk_alone(mode: str, error: StillpointError) -> None:
    storage = world({}, {})
    storage.failures["create volumesnapshots.snapshot.storage.k8s.io shop/velero-bad"] = error
    of = context(storage, merged(BACKUP, MODES[mode]))
    assert is_saved(storage, of, "root")
    assert error.cause in failed(storage, of, "bad")
    assert is_saved(storage, of, "data")
    assert_only_those_are_left(storage, "root", "data")


@pytest.mark.parametrize("mode", ["moved", "one by one, moved"])
def test_an_upload_that_is_refused_fails_its_disk_alone(mode: str) -> None:
    storage = world({}, {})
    of = context(storage, merged(BACKUP, MODES[mode]))
    assert is_saved(storage, of, "root")
    storage.failures["create datauploads"] = Forbidden("it", "cannot create", "HTTP 403")
    assert "HTTP 403" in failed(storage, of, "bad")
    assert is_saved(storage, of, "data")
    assert_only_those_are_left(storage, "root", "data")
    assert len(storage.of("DataUpload")) == 2


def assert_only_those_are_left(storage: GroupStorage, *names: str) -> None:
    found = map(volume_snapshot.claim, storage.of("VolumeSnapshot"))
    assert sorted(found) == sorted(names)
    assert not storage.of("VolumeGroupSnapshot")
    for one in storage.of("PersistentVolumeClaim"):
        assert not [label for label in it.labels(one) if "group." in label]
