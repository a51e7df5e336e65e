"""For how long a guest stands still for a disk that the storage does not take."""

import copy
import threading
from collections.abc import Iterable
from typing import Any
from unittest import mock

import pytest

from stillpoint.actions.backup.snapshots import thaw
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal, StillpointError, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.velero.volumes import snapshotter
from tests.unit.actions.backup.storage import Order, Storage, bound, content_of, takes
from tests.unit.actions.backup.test_own_snapshots import (
    BACKUP,
    backed_up,
    cluster,
    context,
    new_process,
    running,
)
from tests.unit.actions.evidence.world import wait_until
from tests.unit.dictionary_reader import merged

TIMEOUT = "stillpoint.dev/frozen-timeout"
LONGEST_S = 60
PUT = "put virtualmachineinstances.subresources.kubevirt.io shop/db/unfreeze"
LOOK = "get virtualmachineinstances"


class FrozenStorage(Storage):
    """A guest that stands still; the storage takes some disks only when somebody has thawed it."""

    def __init__(self, objects: list[Item], **orders: Order) -> None:
        super().__init__(objects, **orders)
        self.thawed = threading.Event()

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        super().put(resource, namespace, name, subresource)
        self.thawed.set()

    @property
    def thaws(self) -> int:
        return self.questions.count(PUT)


def late(storage: Storage, snapshot: Item) -> Iterable[Item]:
    assert isinstance(storage, FrozenStorage)
    assert storage.thawed.wait(LONGEST_S)
    return takes(storage, snapshot)


def fails_late(storage: Storage, snapshot: Item) -> Iterable[Item]:
    """The driver knows no snapshots, and says so when the guest is thawed."""
    assert isinstance(storage, FrozenStorage)
    assert storage.thawed.wait(LONGEST_S)
    message = "rpc error: code = Unimplemented desc = no snapshots"
    storage.objects.append(content_of(snapshot, error={"message": message}))
    yield bound(snapshot, error={"message": message})


def backup(timeout: str = "10ms", **change: Any) -> Item:
    asked = {"metadata": {"annotations": {TIMEOUT: timeout}}, "status": {"phase": "InProgress"}}
    whole: Item = merged(copy.deepcopy(BACKUP), merged(asked, change))
    return whole


def frozen(**orders: Order) -> FrozenStorage:
    """A guest of two disks, with KubeVirt's hooks."""
    storage = FrozenStorage([*cluster("root", "data"), *running("db", "root", "data")], **orders)
    [pod] = storage.of("Pod")
    pod["metadata"]["annotations"] = {
        f"{when}.hook.backup.velero.io/command": f'["/usr/bin/virt-freezer", "{verb}"]'
        for when, verb in (("pre", "--freeze"), ("post", "--unfreeze"))
    }
    return storage


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


def test_a_guest_is_thawed_when_a_disk_takes_too_long_which_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = frozen(data=late)
    of = context(storage, backup())
    for name in ("root", "data"):
        assert backed_up(storage, of, name).additional
    assert storage.thaws == 1, "not once more after the last disk"
    assert of.snapshots.thawed == {"uid-of-db"}
    [warning] = warnings(caplog)
    assert warning.startswith("guest db thawed: after 0.01 s the storage has not taken ")
    assert warning.endswith(
        "data, which may be of a later moment than other disks; HINT: if it needs longer, set "
        "stillpoint.dev/frozen-timeout of the Backup to more, below 300s"
    )


def test_a_disk_that_fails_then_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    storage = frozen(data=fails_late)
    of = context(storage, backup())
    assert backed_up(storage, of, "root").additional
    with pytest.raises(StillpointError, match="Unimplemented"):
        backed_up(storage, of, "data")
    assert storage.thaws == 1
    assert len(warnings(caplog)) == 1


def test_what_is_taken_in_time_is_thawed_once_and_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = frozen()
    backed_up(storage, context(storage, backup("30s")))
    assert storage.thaws == 1
    assert not warnings(caplog)


def test_a_disk_that_velero_has_yet_to_take_keeps_no_guest_frozen() -> None:
    policies = {
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"p.yaml": """
version: v1
volumePolicies:
- conditions: {pvcLabels: {by: velero}}
  action: {type: snapshot}
- conditions: {}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
"""},
    }  # fmt: skip
    storage = frozen(root=late)
    storage.objects.append(policies)
    [of_velero] = [one for one in storage.of("PersistentVolumeClaim") if it.name(one) == "data"]
    of_velero["metadata"]["labels"] = {"by": "velero"}
    by_policy: Item = {
        "metadata": {"annotations": {"stillpoint.dev/snapshotter": None}},
        "spec": {"snapshotVolumes": None, "resourcePolicy": {
            "kind": "configmap", "name": "policies"}},
    }  # fmt: skip
    assert backed_up(storage, context(storage, backup(**by_policy))).additional
    assert storage.thaws == 1


def test_a_freeze_of_others_is_left_to_them_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """The disk comes when that was found out."""
    found = threading.Event()

    class HeldElsewhere(FrozenStorage):
        def _ask(self, question: str) -> None:
            super()._ask(question)
            if question.startswith("list backups"):
                found.set()

    def when_found(storage: Storage, snapshot: Item) -> Iterable[Item]:
        assert found.wait(LONGEST_S)
        return takes(storage, snapshot)

    storage = HeldElsewhere(frozen().objects, root=when_found)
    other = {"name": "other", "namespace": "velero", "uid": "b-2"}
    storage.objects.append(
        {"kind": "Backup", "metadata": other, "spec": {}, "status": {"phase": "InProgress"}}
    )
    assert backed_up(storage, context(storage, backup())).additional
    assert storage.thaws == 0
    [warning] = warnings(caplog)
    assert warning.startswith("guest db is not thawed, although after 0.01 s the storage has not")
    assert "other" in warning


@pytest.mark.parametrize(
    ("question", "failure", "why"),
    [
        (PUT, Unreachable("db", "cannot update", "HTTP 503"), "db: cannot update: HTTP 503"),
        (LOOK, Unreachable("db", "cannot get", "HTTP 503"), "db: cannot get: HTTP 503"),
        (LOOK, KeyError("x"), "a fault of the plugin: KeyError: 'x'"),
    ],
)
def test_an_attempt_that_fails_is_told_and_made_again(
    caplog: pytest.LogCaptureFixture, question: str, failure: Exception, why: str
) -> None:
    storage = frozen(root=late, data=late)
    storage.failures[question] = failure
    of = context(storage, backup())
    with mock.patch.object(thaw, "_AGAIN_S", 0.01):
        for name in ("root", "data"):
            assert backed_up(storage, of, name).additional
    assert of.snapshots.thawed == {"uid-of-db"}
    first, second = warnings(caplog)
    assert first.startswith("guest db is not thawed, although after 0.01 s the storage has not ")
    assert f": {why}" in first
    assert second.startswith("guest db thawed: after 0.02 s the storage has not taken ")


def test_a_disk_that_comes_amid_an_attempt_leaves_the_thaw_to_what_comes_after(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Then the disks of others count again."""
    asked = threading.Event()

    class Slow(FrozenStorage):
        def _ask(self, question: str) -> None:
            super()._ask(question)
            if question.startswith(LOOK):
                asked.set()
                wait_until(lambda: all(map(of.snapshots.has_ended, ("uid-root", "uid-data"))))

    def when_asked(storage: Storage, snapshot: Item) -> Iterable[Item]:
        assert asked.wait(LONGEST_S)
        return takes(storage, snapshot)

    storage = Slow(frozen().objects, root=when_asked)
    of = context(storage, backup())
    assert backed_up(storage, of).additional
    assert storage.thaws == 1, "that of the end"
    assert not warnings(caplog)


def test_a_time_that_no_clock_of_the_system_takes_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = frozen()
    backed_up(storage, context(storage, backup("9999999h")))
    assert storage.thaws == 1
    assert not warnings(caplog)


def test_a_fault_in_the_thaw_of_guests_whose_disks_are_all_taken_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = frozen()
    storage.failures[LOOK] = KeyError("x")
    of = context(storage, backup("30s"))
    for name in ("root", "data"):
        assert backed_up(storage, of, name).additional
    [warning] = warnings(caplog)
    assert warning == (
        "guests of root, data are left to the post hook, by a fault of the plugin: KeyError: 'x'"
    )


@pytest.mark.parametrize("value", ["soon", "0s", "-5s", "60"])
def test_a_time_without_meaning_is_refused(value: str) -> None:
    asked = backup(value)
    with pytest.raises(Refusal, match=f"cannot obey its {TIMEOUT}: .*'{value}'"):
        snapshotter.check(asked)
    storage = frozen()
    with pytest.raises(Refusal):
        backed_up(storage, new_process(storage, asked))
    assert not [one for one in storage.questions if one.startswith("create")]


def test_without_one_it_is_a_minute() -> None:
    assert snapshotter.frozen_timeout({}).total_seconds() == 60
