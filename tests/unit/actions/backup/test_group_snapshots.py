"""Group snapshots that the plugin takes itself: one for a guest and driver, whole or not at all."""

import copy
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from unittest import mock

import pytest

from stillpoint.actions.backup.snapshots import own_group, take
from stillpoint.calls.background import Background
from stillpoint.cluster.cache import CachedIndex
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, StillpointError, Unreachable
from stillpoint.model.item import Item
from stillpoint.velero.context import BackupContext
from tests.unit.actions.backup.group_storage import (
    API,
    BOUND,
    GroupOrder,
    GroupStorage,
    fails_group,
    member,
    says_nothing_of_group,
    takes_group,
)
from tests.unit.actions.backup.test_own_snapshots import (
    backed_up,
    blocks_built,
    claim,
    running,
    snapshot_class,
)
from tests.unit.contexts import NOW, backup_context

POLICY = """
version: v1
volumePolicies:
- conditions: {pvcLabels: {alone: "true"}}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
- conditions: {csi: {}}
  action: {type: custom, parameters: {snapshotter: stillpoint, group: true}}
"""
BACKUP: Item = {
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero", "uid": "b-1"},
    "spec": {
        "csiSnapshotTimeout": "1m0s",
        "resourcePolicy": {"kind": "configmap", "name": "policies"},
    },
    "status": {"phase": "InProgress"},
}
CONFIG_MAP: Item = {
    "kind": "ConfigMap",
    "metadata": {"name": "policies", "namespace": "velero"},
    "data": {"policy": POLICY},
}


def volume(name: str, driver: str = "fast.io") -> Item:
    source = {"csi": {"driver": driver, "volumeHandle": f"handle-{name}"}}
    return {"kind": "PersistentVolume", "metadata": {"name": f"pv-{name}"}, "spec": source}


def group_class(name: str = "groups", driver: str = "fast.io", **labels: str) -> Item:
    metadata = {"name": name, "labels": labels}
    api_version = f"{API}/v1"
    kind = "VolumeGroupSnapshotClass"
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "driver": driver}


def cluster(*disks: str, driver: str = "fast.io") -> list[Item]:
    """Claims with their volumes."""
    return [each for disk in disks for each in (claim(disk), volume(disk, driver))]


def with_guest(*disks: str, **options: object) -> GroupStorage:
    """A guest of these disks, and classes of their driver."""
    classes = [snapshot_class(), group_class(), CONFIG_MAP]
    objects = [*cluster(*disks), *running("db", *disks), *classes]
    return GroupStorage(copy.deepcopy(objects), **options)  # type: ignore[arg-type]


def with_two_drivers() -> GroupStorage:
    """A guest of root and data on one driver, and of a and b on another."""
    disks = [*cluster("root", "data"), *cluster("a", "b", driver="slow.io")]
    classes = [group_class(), group_class("slow", "slow.io"), snapshot_class(), CONFIG_MAP]
    classes.append(snapshot_class("slow", "slow.io"))
    return GroupStorage(copy.deepcopy([*disks, *running("db", "root", "data", "a", "b"), *classes]))


def with_hooks(storage: GroupStorage) -> GroupStorage:
    """The guest is frozen by Velero's hooks, so that the plugin may thaw it."""
    [pod] = storage.of("Pod")
    for when, verb in (("pre", "--freeze"), ("post", "--unfreeze")):
        command = {f"{when}.hook.backup.velero.io/command": f'["/usr/bin/virt-freezer", "{verb}"]'}
        pod["metadata"]["annotations"] = it.annotations(pod) | command
    return storage


def new_process(storage: GroupStorage, backup: Item = BACKUP) -> BackupContext:
    return backup_context(backup, storage)


def context(storage: GroupStorage, backup: Item = BACKUP) -> BackupContext:
    """A context when Velero has built the item blocks of the cluster as it is."""
    of = new_process(storage, backup)
    blocks_built(storage, of)
    return of


def failed(storage: GroupStorage, of: BackupContext, name: str = "root") -> str:
    with pytest.raises(StillpointError) as caught:
        backed_up(storage, of, name)
    return str(caught.value)


def asked(storage: GroupStorage, verb: str) -> list[str]:
    return [one for one in storage.questions if one.startswith(f"{verb} ")]


def groups_created(storage: GroupStorage) -> int:
    return sum("create volumegroupsnapshots" in one for one in storage.questions)


def assert_nothing_is_left(storage: GroupStorage) -> None:
    assert not storage.of("VolumeGroupSnapshot")
    assert not storage.of("VolumeGroupSnapshotContent")
    assert not storage.of("VolumeSnapshot")
    assert not storage.of("VolumeSnapshotContent")
    assert not storage.bytes
    assert_no_label(storage)


def assert_no_label(storage: GroupStorage) -> None:
    for one in storage.of("PersistentVolumeClaim"):
        assert not [label for label in it.labels(one) if "group." in label]


# a group


def test_all_disks_of_a_guest_are_one_group_of_which_each_claim_gets_its_member() -> None:
    storage = with_guest("root", "data", "logs")
    of = context(storage)
    for name in ("root", "data", "logs"):
        [reference] = backed_up(storage, of, name).additional
        assert reference.name == f"snapshot-of-{name}-in-{groups(storage)}"
    assert groups_created(storage) == 1
    assert sorted(storage.selected) == ["data", "logs", "root"]
    assert not asked(storage, "create volumesnapshots")
    assert storage.bytes == {"bytes-of-root", "bytes-of-data", "bytes-of-logs"}


def groups(storage: GroupStorage) -> str:
    [name] = {
        one.partition("shop/")[2]
        for one in storage.questions
        if one.startswith("create volumegroupsnapshots")
    }
    return name


def test_all_members_are_of_one_moment_whose_bounds_are_known() -> None:
    storage = with_guest("root", "data")
    of = context(storage)
    backed_up(storage, of)
    assert of.snapshots.bounds("uid-root") == of.snapshots.bounds("uid-data") == (NOW, NOW)


def test_the_group_is_gone_and_its_labels_when_its_claims_are_stored() -> None:
    storage = with_guest("root", "data")
    outcome = backed_up(storage, context(storage))
    assert not storage.of("VolumeGroupSnapshot")
    assert not storage.of("VolumeGroupSnapshotContent")
    assert_no_label(storage)
    assert not [label for label in it.labels(outcome.item) if "group." in label]


def test_a_member_is_freed_as_a_snapshot_that_velero_could_have_made() -> None:
    storage = with_guest("root", "data")
    of = context(storage)
    for name in ("root", "data"):
        backed_up(storage, of, name)
    for snapshot in storage.of("VolumeSnapshot"):
        metadata = snapshot["metadata"]
        assert "ownerReferences" not in metadata
        assert "volumeGroupSnapshotName" not in snapshot["status"]
        assert metadata["finalizers"][0] == BOUND
        labels = it.labels(snapshot)
        assert labels["velero.io/backup-name"] == "nightly"
        assert labels["velero.io/exclude-from-backup"] == "true"
        assert it.annotations(snapshot)["stillpoint.dev/backup"] == "velero/nightly"


def test_nobody_can_know_the_label_before_or_the_name_from_the_label() -> None:
    names = []
    for uid in ("b-1", "b-2"):
        storage = with_guest("root", "data")
        backup = {**BACKUP, "metadata": {**BACKUP["metadata"], "uid": uid}}
        backed_up(storage, context(storage, backup))
        [label] = [one for one in storage.selected["root"] if "group." in one]
        names += [label.rpartition("/")[2], groups(storage).rpartition("-")[2]]
        assert uid not in str(storage.patches)
    assert len(set(names)) == 4


def test_a_group_for_each_driver_is_taken_side_by_side() -> None:
    storage = with_two_drivers()
    of = context(storage)
    for name in ("root", "data", "a", "b"):
        assert backed_up(storage, of, name).additional
    assert groups_created(storage) == 2


def test_a_single_disk_is_no_group_nor_one_that_another_policy_takes() -> None:
    storage = with_guest("root")
    backed_up(storage, context(storage))
    assert not groups_created(storage)
    storage = with_guest("root", "data", "logs")
    [logs] = [one for one in storage.objects if it.name(one) == "logs"]
    logs["metadata"]["labels"] = {"alone": "true"}
    of = context(storage)
    for name in ("root", "data", "logs"):
        assert backed_up(storage, of, name).additional
    assert sorted(storage.selected) == ["data", "root"]
    assert len([one for one in storage.questions if "create volumesnapshots." in one]) == 1


def test_a_claim_that_no_guest_uses_is_no_group() -> None:
    storage = with_guest("root", "data")
    storage.objects += cluster("notes")
    backed_up(storage, context(storage), "notes")
    assert not groups_created(storage)


def test_the_guest_is_thawed_before_the_members_are_freed() -> None:
    storage = with_hooks(with_guest("root", "data"))
    backed_up(storage, context(storage))
    thaw, freed = (
        next(place for place, one in enumerate(storage.questions) if one.startswith(words))
        for words in ("put virtualmachineinstances", "patch volumesnapshots")
    )
    assert thaw < freed


def test_members_that_are_not_ready_are_waited_for() -> None:
    """The controller would take such a one once more if it had no owner."""
    storage = with_guest("root", "data")
    storage.is_slow = True
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))
    assert storage.bytes == {"bytes-of-root", "bytes-of-data"}


def test_no_member_is_freed_before_the_group_is_ready() -> None:
    """Until then the controller empties their status, and would take a freed one once more."""
    storage = with_hooks(with_guest("root", "data"))
    storage.is_group_slow = True
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))
    thaw = next(one for one in storage.questions if one.startswith("put virtualmachineinstances"))
    waits = [one for one in storage.questions if one.startswith("watch volumegroupsnapshots")]
    after = storage.questions[storage.questions.index(thaw) :]
    assert len(waits) == 2
    assert waits[1] in after, "the guest does not stand still for it"


def test_a_group_that_is_never_ready_fails_its_claims_and_nothing_is_left() -> None:
    storage = with_guest("root", "data")
    storage.is_group_slow = storage.never_ready = True
    of = context(storage)
    for name in ("root", "data"):
        assert "not ready 60 s (csiSnapshotTimeout) after it was taken" in failed(storage, of, name)
    assert_nothing_is_left(storage)


@pytest.mark.parametrize(
    ("annotated", "labelled", "chosen"),
    [
        ({"velero.io/csi-volume-group-snapshot-class": "named"}, "labelled", "named"),
        ({}, "labelled", "labelled"),
        ({}, "", ""),
    ],
)
def test_the_class_is_chosen_as_velero_does(annotated: Item, labelled: str, chosen: str) -> None:
    storage = with_guest("root", "data")
    storage.objects = [one for one in storage.objects if it.name(one) != "groups"]
    for name in ("other", "labelled", "named"):
        labels = {"velero.io/csi-volumegroupsnapshot-class": "true"} if name == labelled else {}
        storage.objects.append(group_class(name, **labels))
    [root] = [one for one in storage.objects if it.name(one) == "root"]
    root["metadata"]["annotations"] = annotated
    made: list[str] = []
    storage.group_order = noting(made)
    backed_up(storage, context(storage))
    assert made == ([chosen] if chosen else [])


def noting(made: list[str]) -> GroupOrder:
    def order(storage: GroupStorage, group: Item) -> Iterable[Item]:
        made.append(group["spec"]["volumeGroupSnapshotClassName"])
        return takes_group(storage, group)

    return order


# no group


def test_without_a_class_the_disks_are_taken_side_by_side_and_one_warning_names_the_class(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = with_guest("root", "data")
    storage.objects = [one for one in storage.objects if it.name(one) != "groups"]
    storage.objects += [*cluster("w-root", "w-data"), *running("web", "w-root", "w-data")]
    of = context(storage)
    for name in ("root", "data", "w-root", "w-data"):
        assert backed_up(storage, of, name).additional
    [warning] = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warning == (
        "no group snapshots of driver fast.io, its disks are taken side by side: no "
        "VolumeGroupSnapshotClass of it exists; HINT: create one of that driver"
    )


def test_without_the_right_to_list_classes_the_disks_are_taken_side_by_side(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = with_guest("root", "data")
    error = Forbidden("classes", "cannot list", "HTTP 403", "grant it")
    storage.failures["list volumegroupsnapshotclasses"] = error
    assert backed_up(storage, context(storage)).additional
    assert "taken side by side: classes: cannot list: HTTP 403; HINT: grant it" in caplog.text


def test_without_the_right_to_create_groups_the_disks_are_taken_side_by_side(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = with_guest("root", "data")
    error = Forbidden("group", "cannot create", "HTTP 403", "grant it")
    storage.failures["create volumegroupsnapshots"] = error
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))
    assert len([one for one in storage.questions if "create volumesnapshots." in one]) == 2
    assert "taken side by side: group: cannot create: HTTP 403; HINT: grant it" in caplog.text
    assert_no_label(storage)


def test_disks_whose_data_is_moved_are_taken_side_by_side(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = {
        "kind": "DaemonSet",
        "metadata": {"name": "node-agent", "namespace": "velero"},
        "status": {"numberReady": 1},
    }
    storage = with_guest("root", "data")
    storage.objects.append(agent)
    moving = {**BACKUP, "spec": {**BACKUP["spec"], "snapshotMoveData": True}}
    of = context(storage, moving)
    assert all(backed_up(storage, of, name).operation for name in ("root", "data"))
    assert not groups_created(storage)
    assert "the data of members cannot be moved" in caplog.text


def test_what_is_left_of_a_freeze_is_no_group() -> None:
    """Another call has begun the first of these disks, and its snapshot is of another moment."""
    storage = with_guest("root", "data", "logs")
    of = context(storage)
    of.snapshots.begin(["uid-root"])
    assert all(backed_up(storage, of, name).additional for name in ("data", "logs"))
    assert not groups_created(storage)


def test_a_label_of_a_group_reaches_neither_archive_nor_snapshot() -> None:
    """Velero may have read the claim while another backup took its group."""
    for alone in ({}, {"alone": "true"}):
        storage = with_guest("root", "data")
        claims = [one for one in storage.objects if it.name(one) in ("root", "data")]
        for one in claims:
            one["metadata"]["labels"] = {"app": "db", "group.stillpoint.dev/x": "y", **alone}
        stored = backed_up(storage, context(storage)).item
        assert len(storage.of("VolumeSnapshot")) == 2
        for item in (stored, *storage.of("VolumeSnapshot")):
            assert it.labels(item)["app"] == "db"
            assert "group.stillpoint.dev/x" not in it.labels(item)


# failures: each claim fails, and nothing is left


def test_a_driver_that_fails_fails_each_claim_with_its_message() -> None:
    storage = with_guest("root", "data", group_order=fails_group)
    of = context(storage)
    for name in ("root", "data"):
        error = failed(storage, of, name)
        assert error.startswith(
            f"PersistentVolumeClaim shop/{name}: cannot take a snapshot: none after 60 s "
            "(csiSnapshotTimeout), the storage's last message: pool is full; HINT: look at the "
            "events of its VolumeGroupSnapshot"
        )
    assert_nothing_is_left(storage)


def test_a_driver_that_never_answers_ends_at_the_backups_limit() -> None:
    storage = with_guest("root", "data", group_order=says_nothing_of_group)
    assert "none after 60 s (csiSnapshotTimeout); HINT" in failed(storage, context(storage))
    assert storage.watched == [60.0]
    assert_nothing_is_left(storage)


def unimplemented(storage: GroupStorage, group: Item) -> Iterable[Item]:
    [*_, failed] = fails_group(storage, group)
    message = "rpc error: code = Unimplemented desc = unknown service csi.v1.GroupController"
    yield {**failed, "status": {**failed["status"], "error": {"message": message}}}


@pytest.mark.parametrize(
    ("order", "taken_in_groups"),
    [(says_nothing_of_group, 1), (fails_group, 2)],
    ids=["nobody serves", "the storage fails"],
)
def test_only_the_first_guest_waits_for_groups_that_nobody_serves(
    order: GroupOrder, taken_in_groups: int, caplog: pytest.LogCaptureFixture
) -> None:
    """What the storage says may be of that guest alone."""
    storage = with_guest("root", "data", group_order=order)
    storage.objects += [*cluster("w-root", "w-data"), *running("web", "w-root", "w-data")]
    of = context(storage)
    failed(storage, of)
    storage.group_order = takes_group
    assert all(backed_up(storage, of, name).additional for name in ("w-root", "w-data"))
    assert groups_created(storage) == taken_in_groups
    assert ("nobody has served the first one" in caplog.text) is (taken_in_groups == 1)


def test_a_driver_that_knows_no_groups_has_its_disks_taken_side_by_side_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The guest waits for nothing, and no disk is lost: nothing was taken as a group."""
    storage = with_hooks(with_guest("root", "data", group_order=unimplemented))
    storage.objects += [*cluster("w-root", "w-data"), *running("web", "w-root", "w-data")]
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))
    put = next(place for place, one in enumerate(storage.questions) if one.startswith("put "))
    created = [place for place, one in enumerate(storage.questions) if "create volumesn" in one]
    assert len(created) == 2
    assert max(created) < put
    assert all(backed_up(storage, of, name).additional for name in ("w-root", "w-data"))
    assert groups_created(storage) == 1
    assert "no group snapshots of driver fast.io, its disks are taken side by side" in caplog.text
    assert "unknown service csi.v1.GroupController" in caplog.text
    assert not storage.of("VolumeGroupSnapshot")
    assert not storage.of("VolumeGroupSnapshotContent")
    assert_no_label(storage)


def test_members_of_two_drivers_are_freed_side_by_side() -> None:
    """A guest may stand still until the last of them is free."""
    storage = with_two_drivers()
    before, both = storage._ask, Barrier(2, timeout=60)

    def ask(question: str) -> None:
        before(question)
        if question.startswith("get volumegroupsnapshotcontents"):
            both.wait()

    storage._ask = ask  # type: ignore[method-assign]
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data", "a", "b"))


def test_what_the_class_retains_of_a_failed_group_goes_all_the_same() -> None:
    storage = with_guest("root", "data")
    storage.policy = "Retain"
    storage.failures["watch volumesnapshots"] = Unreachable("it", "cannot watch", "HTTP 500")
    assert "cannot watch: HTTP 500" in failed(storage, context(storage))
    assert_nothing_is_left(storage)


REQUESTS = {
    "create volumegroupsnapshots": True,
    "watch volumegroupsnapshots": True,
    "get volumegroupsnapshotcontents": True,
    "patch volumegroupsnapshotcontents": True,
    "watch volumesnapshots": True,
    "patch volumesnapshots.snapshot.storage.k8s.io shop/snapshot-of-root": True,
    "patch volumesnapshots.snapshot.storage.k8s.io shop/snapshot-of-data": True,
}


@pytest.mark.parametrize("code", [403, 409, 500])
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_that_fails_fails_the_group_and_nothing_is_left(request_: str, code: int) -> None:
    storage = with_guest("root", "data")
    if (request_, code) == ("create volumegroupsnapshots", 403):
        return  # nothing was taken, and single snapshots are
    kind = Forbidden if code == 403 else Unreachable
    storage.failures[request_] = kind("it", "cannot", f"HTTP {code}")
    of = context(storage)
    for name in ("root", "data"):
        assert f"HTTP {code}" in failed(storage, of, name)
    assert_nothing_is_left(storage)


def test_a_claim_that_cannot_be_labelled_fails_alone() -> None:
    storage = with_guest("root", "data", "logs")
    error = Unreachable("it", "cannot patch", "HTTP 409")
    storage.failures["patch persistentvolumeclaims shop/data"] = error
    of = context(storage)
    assert backed_up(storage, of).additional
    assert "HTTP 409" in failed(storage, of, "data")
    assert backed_up(storage, of, "logs").additional
    assert_no_label(storage)


def test_volumes_that_cannot_be_read_any_more_fail_each_claim() -> None:
    """The list of the plan is 300 s old when the storage has the group; nobody waits for ever."""
    now_s = 0.0

    def much_later(storage: GroupStorage, group: Item) -> Iterable[Item]:
        nonlocal now_s
        now_s = 1000.0
        storage.failures["list persistentvolumes "] = Unreachable("it", "cannot list", "HTTP 429")
        return takes_group(storage, group)

    storage = with_guest("root", "data", group_order=much_later)
    of = replace(context(storage), cluster=CachedIndex(storage, lambda: now_s))
    for name in ("root", "data"):
        assert "HTTP 429" in failed(storage, of, name)
    assert_nothing_is_left(storage)


def test_a_read_that_fails_for_a_warning_costs_no_disk(caplog: pytest.LogCaptureFixture) -> None:
    """The group is there: only whether its guest stood still could not be looked up."""

    def takes_and_refuses(storage: GroupStorage, group: Item) -> Iterable[Item]:
        for of_thaw_and_of_warning in ("list pods", "list pods "):
            storage.failures[of_thaw_and_of_warning] = Unreachable(
                "pods", "cannot list", "HTTP 500"
            )
        return takes_group(storage, group)

    storage = with_guest("root", "data", group_order=takes_and_refuses)
    [guest] = storage.of("VirtualMachineInstance")
    guest["status"]["activePods"] = {"pod-of-now": "node"}  # which the list of before lacks
    of = context(storage)
    for name in ("root", "data"):
        assert backed_up(storage, of, name).additional
    assert not storage.failures
    assert "if Velero has frozen guest db is not known: pods: cannot list" in caplog.text


def test_an_error_that_nobody_expects_ends_each_claim_and_nothing_is_left() -> None:
    storage = with_hooks(with_guest("root", "data"))
    storage.failures["create volumegroupsnapshots"] = TypeError("a bug")
    of = context(storage)
    for name in ("root", "data"):
        with pytest.raises(TypeError):
            backed_up(storage, of, name)
    assert_nothing_is_left(storage)


def test_an_error_that_nobody_expects_in_the_thaw_costs_no_disk_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = with_hooks(with_guest("root", "data"))
    storage.failures["put virtualmachineinstances"] = TypeError("a bug")
    of = context(storage)
    for name in ("root", "data"):
        assert backed_up(storage, of, name).additional
    assert "left to the post hook, by a fault of the plugin: TypeError: a bug" in caplog.text


def test_where_no_more_thread_can_be_started_no_member_is_waited_for_without_end() -> None:
    storage = with_guest("root", "data")
    of = context(storage)
    pools = [ThreadPoolExecutor(1), RuntimeError("can't start new thread")]
    with mock.patch.object(take, "ThreadPoolExecutor", side_effect=pools):
        assert backed_up(storage, of, "root").additional
    assert of.snapshots.has_result("uid-data")
    assert backed_up(storage, of, "data").additional


def test_a_group_that_cannot_be_cleaned_up_keeps_no_other_from_it() -> None:
    storage = with_two_drivers()
    storage.failures["delete volumegroupsnapshots"] = TypeError("a bug")
    background = Background()
    of = replace(context(storage), background=background.run)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data", "a", "b"))
    background.finish(60)
    assert len(storage.of("VolumeGroupSnapshot")) == 1


def test_a_label_that_stays_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(GroupStorage):
        def patch(self, *args: object) -> Item:
            if "'group." in str(args) and "None" in str(args) and "'data'" in str(args):
                raise Unreachable("it", "cannot patch", "HTTP 500")
            return super().patch(*args)  # type: ignore[arg-type]

    storage = Stubborn(with_guest("root", "data").objects)
    assert backed_up(storage, context(storage)).additional
    assert "PersistentVolumeClaim shop/data keeps the label group.stillpoint.dev/" in caplog.text


def test_a_group_that_somebody_deletes_fails_its_claims_at_once() -> None:
    def is_deleted(_storage: GroupStorage, group: Item) -> Iterable[Item]:
        metadata = {**group["metadata"], "deletionTimestamp": "2026-05-04T12:00:01Z"}
        yield {**group, "metadata": metadata}

    storage = with_guest("root", "data", group_order=is_deleted)
    assert "somebody deletes its VolumeGroupSnapshot" in failed(storage, context(storage))
    assert_no_label(storage)


def test_a_group_that_could_not_be_deleted_costs_no_disk(caplog: pytest.LogCaptureFixture) -> None:
    storage = with_guest("root", "data")
    storage.failures["delete volumegroupsnapshots"] = Forbidden("it", "cannot delete", "HTTP 403")
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))
    assert "may be left behind: it: cannot delete: HTTP 403" in caplog.text
    assert storage.bytes == {"bytes-of-root", "bytes-of-data"}


# what others write


def with_stranger() -> GroupStorage:
    def joined(storage: GroupStorage, group: Item) -> Iterable[Item]:
        [theirs] = [one for one in storage.objects if it.name(one) == "theirs"]
        theirs["metadata"]["labels"] = group["spec"]["source"]["selector"]["matchLabels"]
        return takes_group(storage, group)

    storage = with_guest("root", "data", group_order=joined)
    storage.objects = [*cluster("theirs"), *storage.objects]
    return storage


def test_a_stranger_that_its_owner_deletes_costs_no_disk() -> None:
    """Its deletion is seen while the members, of which one is slow, are waited for."""
    storage = with_stranger()
    before = storage._ask

    def ask(question: str) -> None:
        before(question)
        if "patch volumesnapshots" in question and "-of-root-" in question:
            gone = [one for one in storage.of("VolumeSnapshot") if "-of-theirs-" in it.name(one)]
            storage.objects = [one for one in storage.objects if one not in gone]

    storage._ask = ask  # type: ignore[method-assign]
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))


def test_a_stranger_that_cannot_be_deleted_costs_no_disk(caplog: pytest.LogCaptureFixture) -> None:
    storage = with_stranger()
    error = Unreachable("it", "cannot delete", "HTTP 500")
    storage.failures["delete volumesnapshots"] = error
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))
    assert "-in-velero-group" in caplog.text
    assert "may be left behind: it: cannot delete: HTTP 500" in caplog.text
    assert not storage.of("VolumeGroupSnapshot")


def test_a_stranger_in_the_group_is_discarded_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """A tenant has seen the label, and put it on a claim of his own."""
    storage = with_stranger()
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))
    assert storage.bytes == {"bytes-of-root", "bytes-of-data"}
    assert "volumes that nobody asked for, discarded: handle-theirs" in caplog.text
    found = storage.of("VolumeSnapshot")
    assert sorted(one["spec"]["source"]["persistentVolumeClaimName"] for one in found) == [
        "data",
        "root",
    ]


def test_a_claim_that_lost_its_label_fails_alone() -> None:
    def robbed(storage: GroupStorage, group: Item) -> Iterable[Item]:
        [data] = [one for one in storage.objects if it.name(one) == "data"]
        data["metadata"]["labels"] = {}
        return takes_group(storage, group)

    storage = with_guest("root", "data", group_order=robbed)
    of = context(storage)
    assert backed_up(storage, of).additional
    assert "the group snapshot lacks it" in failed(storage, of, "data")
    assert storage.bytes == {"bytes-of-root"}


def test_a_snapshot_that_only_calls_itself_a_member_is_none() -> None:
    """Of an earlier moment: its content is bound to it, but is not in the group's content."""

    def beside(storage: GroupStorage, group: Item) -> Iterable[Item]:
        forged, content = member(group, claim("root"), "bytes-of-last-year")
        for one in (forged, content):
            one["metadata"]["name"] = f"a-{it.name(one)}"
        forged["metadata"]["uid"] = content["spec"]["volumeSnapshotRef"]["uid"] = "forged"
        content["spec"]["volumeSnapshotRef"]["name"] = it.name(forged)
        forged["status"]["boundVolumeSnapshotContentName"] = it.name(content)
        storage.objects = [forged, content, *storage.objects]
        return takes_group(storage, group)

    storage = with_guest("root", "data", group_order=beside)
    [reference] = backed_up(storage, context(storage)).additional
    assert reference.name == f"snapshot-of-root-in-{groups(storage)}"


def test_a_snapshot_that_names_the_content_of_a_member_is_none() -> None:
    """Who may write the status of a snapshot can name any content in it."""

    def beside(storage: GroupStorage, group: Item) -> Iterable[Item]:
        *_, taken = takes_group(storage, group)
        real = next(one for one in storage.of("VolumeSnapshot") if "-root-" in it.name(one))
        forged = copy.deepcopy(real)
        forged["metadata"] |= {"name": "a-forged-one", "uid": "forged"}
        storage.objects = [forged, *storage.objects]
        yield taken

    storage = with_guest("root", "data", group_order=beside)
    [reference] = backed_up(storage, context(storage)).additional
    assert reference.name == f"snapshot-of-root-in-{groups(storage)}"


def test_another_group_with_our_labels_is_not_waited_for() -> None:
    def forged(storage: GroupStorage, group: Item) -> Iterable[Item]:
        other = copy.deepcopy(group)
        other["metadata"] |= {"name": "forged", "uid": "forged"}
        other["status"] = {"boundVolumeGroupSnapshotContentName": "x", "creationTime": "x"}
        if not [one for one in storage.objects if it.uid(one) == "forged"]:
            storage.objects.append(other)
        yield other
        yield from takes_group(storage, group)

    storage = with_guest("root", "data", group_order=forged)
    of = context(storage)
    assert all(backed_up(storage, of, name).additional for name in ("root", "data"))


def test_a_content_that_is_another_groups_is_not_believed() -> None:
    def points_elsewhere(storage: GroupStorage, group: Item) -> Iterable[Item]:
        *_, taken = takes_group(storage, group)
        [content] = storage.of("VolumeGroupSnapshotContent")
        content["spec"]["volumeGroupSnapshotRef"]["uid"] = "another"
        yield taken

    storage = with_guest("root", "data", group_order=points_elsewhere)
    assert "its content is not bound to it" in failed(storage, context(storage))
    assert not [one for one in storage.questions if "patch volumegroupsnapshotcontents" in one]


# a process that ends in between


class Killed(BaseException):
    """The end of a process: nothing is cleaned up."""


def killed_at(storage: GroupStorage, request_: str, backup: Item = BACKUP) -> None:
    """A process that ends with its first request of this beginning."""
    before = storage._ask

    def ask(question: str) -> None:
        before(question)
        if question.startswith(request_):
            raise Killed

    storage._ask = ask  # type: ignore[method-assign]
    with pytest.raises(BaseException):  # noqa: B017, PT011 - killed, by whatever way it comes out
        backed_up(storage, context(storage, backup))
    storage._ask = before  # type: ignore[method-assign]


MOMENTS = [
    "create volumegroupsnapshots",
    "watch volumegroupsnapshots",
    "patch volumegroupsnapshotcontents",
    "watch volumesnapshots",
    "patch volumesnapshots.snapshot.storage.k8s.io shop/snapshot-of-data",
    "delete volumegroupsnapshotcontents",
    "delete volumegroupsnapshots",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_process_of_the_backup_takes_no_disk_that_the_former_has_freed(
    moment: str,
) -> None:
    storage = with_guest("root", "data")
    killed_at(storage, moment)
    freed = {it.name(one) for one in storage.of("VolumeSnapshot") if it.annotations(one)}
    of = new_process(storage)
    found = {
        reference.name
        for name in ("data", "root")
        for reference in backed_up(storage, of, name).additional
    }
    assert len(found) == 2
    assert freed <= found
    assert len([one for one in storage.questions if "create volumesnapshots." in one]) == 2 - len(
        freed
    )


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_backup_deletes_what_a_killed_process_has_left(moment: str, policy: str) -> None:
    storage = with_guest("root", "data")
    storage.policy = policy
    died = {"name": "yesterday", "namespace": "velero", "uid": "b-0"}
    storage.objects.append({**BACKUP, "metadata": died, "status": {"phase": "Failed"}})
    killed_at(storage, moment, {**BACKUP, "metadata": died})
    former = {it.name(one) for one in storage.of("VolumeGroupSnapshot")}
    storage.objects = [*storage.objects, *cluster("notes")]
    backed_up(storage, context(storage), "notes")
    assert not former & {it.name(one) for one in storage.of("VolumeGroupSnapshot")}
    assert not {"bytes-of-root", "bytes-of-data"} & storage.bytes
    assert len(storage.of("VolumeSnapshot")) == len(storage.of("VolumeSnapshotContent")) == 1
    assert not storage.of("VolumeGroupSnapshotContent")
    assert_no_label(storage)


DIED = {"name": "yesterday", "namespace": "velero", "uid": "b-0"}


def with_a_left_group() -> GroupStorage:
    """A process of a failed backup was killed when it began to free the members."""
    storage = with_guest("root", "data")
    storage.objects.append({**BACKUP, "metadata": DIED, "status": {"phase": "Failed"}})
    killed_at(storage, "watch volumesnapshots", {**BACKUP, "metadata": DIED})
    for one in storage.of("PersistentVolumeClaim"):
        one["metadata"]["labels"] = {"group.stillpoint.dev/x": own_group._owner({"metadata": DIED})}
    storage.objects = [*storage.objects, *cluster("notes")]
    return storage


@pytest.mark.parametrize(
    "request_", ["patch persistentvolumeclaims shop/root", "delete volumegroupsnapshots"]
)
def test_what_cannot_be_taken_back_keeps_nothing_else_from_it(
    request_: str, caplog: pytest.LogCaptureFixture
) -> None:
    storage = with_a_left_group()
    [group] = storage.of("VolumeGroupSnapshot")
    second = copy.deepcopy(group)
    second["metadata"] |= {"name": "second", "uid": "second"}
    storage.objects.append(second)
    storage.failures[request_] = Unreachable("it", "cannot", "HTTP 500")
    backed_up(storage, context(storage), "notes")
    assert "HTTP 500" in caplog.text
    marked = [one for one in storage.of("PersistentVolumeClaim") if "group." in str(it.labels(one))]
    assert len(marked) + len(storage.of("VolumeGroupSnapshot")) == 1


def test_a_group_beside_left_members_is_found_whatever_the_policy_wants_today() -> None:
    storage = with_a_left_group()
    for one in storage.of("PersistentVolumeClaim"):
        one["metadata"]["labels"] = {}
    killed_at(storage, "delete volumegroupsnapshots", {**BACKUP, "metadata": DIED})
    [policy] = [one for one in storage.objects if it.name(one) == "policies"]
    policy["data"] = {"policy": POLICY.replace("group: true", "group: false")}
    backed_up(storage, context(storage), "notes")
    assert not storage.of("VolumeGroupSnapshot")


@pytest.mark.parametrize("backup", ["velero/yesterday", "velero/unknown"])
def test_of_a_group_that_only_calls_itself_ours_nothing_but_its_object_goes(backup: str) -> None:
    """Who may write group snapshots may have no right to what their class retains."""
    storage = with_guest("root", "data")
    storage.policy = "Retain"
    died = {"name": "yesterday", "namespace": "velero", "uid": "b-0"}
    storage.objects.append({**BACKUP, "metadata": died, "status": {"phase": "Failed"}})
    killed_at(storage, "patch volumegroupsnapshotcontents", {**BACKUP, "metadata": died})
    [theirs] = storage.of("VolumeGroupSnapshot")
    seal = {"stillpoint.dev/backup": backup, "stillpoint.dev/seal": "of another"}
    theirs["metadata"]["annotations"] = seal
    contents = [*storage.of("VolumeGroupSnapshotContent"), *storage.of("VolumeSnapshotContent")]
    storage.objects = [*storage.objects, *cluster("notes")]
    backed_up(storage, context(storage), "notes")
    assert not storage.of("VolumeGroupSnapshot")
    assert all(one in storage.objects for one in contents)
    assert {"bytes-of-root", "bytes-of-data"} <= storage.bytes


def test_where_velero_s_own_groups_show_the_uid_the_class_decides_about_a_left_group() -> None:
    """Whoever reads it can seal a group as the backup does."""
    storage = with_guest("root", "data")
    storage.policy = "Retain"
    spec = {"volumeGroupSnapshotLabelKey": "velero.io/group"}
    died = {**BACKUP, "metadata": DIED, "spec": spec, "status": {"phase": "Failed"}}
    storage.objects.append(died)
    killed_at(storage, "patch volumegroupsnapshotcontents", {**BACKUP, "metadata": DIED})
    grouped = cluster("notes")
    grouped[0]["metadata"]["labels"] = {"velero.io/group": "db"}
    storage.objects = [*storage.objects, *grouped]
    backed_up(storage, context(storage), "notes")
    assert not storage.of("VolumeGroupSnapshot")
    assert {"bytes-of-root", "bytes-of-data"} <= storage.bytes


def test_what_joined_a_left_group_is_not_deleted_with_its_bytes() -> None:
    """Anybody can write an owner on a snapshot; the group's content says who is a member."""
    storage = with_guest("root", "data")
    died = {"name": "yesterday", "namespace": "velero", "uid": "b-0"}
    storage.objects.append({**BACKUP, "metadata": died, "status": {"phase": "Failed"}})
    killed_at(storage, "patch volumegroupsnapshotcontents", {**BACKUP, "metadata": died})
    [group] = storage.of("VolumeGroupSnapshot")
    other, content = member(group, claim("other"), "bytes-of-other", "Retain")
    storage.objects = [*storage.objects, other, content, *cluster("notes")]
    backed_up(storage, context(storage), "notes")
    assert not storage.of("VolumeGroupSnapshot")
    assert content in storage.objects


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_bytes_of_freed_members_whose_backup_is_gone_go_as_the_class_says(policy: str) -> None:
    """Nobody can prove any more that they are ours; the group keeps no bytes."""
    storage = with_guest("root", "data")
    storage.policy = policy
    gone = {"name": "yesterday", "namespace": "velero", "uid": "b-0"}
    killed_at(storage, "delete volumegroupsnapshotcontents", {**BACKUP, "metadata": gone})
    storage.objects = [*storage.objects, *cluster("notes")]
    backed_up(storage, context(storage), "notes")
    assert len(storage.of("VolumeSnapshot")) == 1
    kept = {"bytes-of-root", "bytes-of-data"} & storage.bytes
    assert len(kept) == (2 if policy == "Retain" else 0)


@pytest.mark.parametrize(
    "phase_and_namespace", [("InProgress", "velero"), ("Failed", "another-velero")]
)
def test_labels_of_a_backup_that_goes_on_and_of_another_velero_stay(
    phase_and_namespace: tuple[str, str],
) -> None:
    phase, namespace = phase_and_namespace
    storage = with_guest("root", "data")
    other = {"name": "yesterday", "namespace": namespace, "uid": "b-0"}
    storage.objects.append({**BACKUP, "metadata": other, "status": {"phase": phase}})
    policy = {**CONFIG_MAP, "metadata": {**CONFIG_MAP["metadata"], "namespace": namespace}}
    storage.objects.append(policy)
    killed_at(storage, "watch volumegroupsnapshots", {**BACKUP, "metadata": other})
    storage.objects = [*storage.objects, *cluster("notes")]
    backed_up(storage, context(storage), "notes")
    assert len(storage.of("VolumeGroupSnapshot")) == 1
    [root] = [one for one in storage.of("PersistentVolumeClaim") if it.name(one) == "root"]
    assert [label for label in it.labels(root) if "group." in label]
