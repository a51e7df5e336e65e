"""Snapshots that the plugin takes itself: which, together with which, and what if one fails."""

import copy
import dataclasses
import logging
from collections.abc import Callable, Iterable

import pytest

from stillpoint.actions import surroundings
from stillpoint.actions.backup import persistent_volume_claim as action
from stillpoint.actions.backup import virtual_machine_instance as instance_action
from stillpoint.actions.item_block import pod as pod_block
from stillpoint.actions.item_block import virtual_machine_instance as instance_block
from stillpoint.cluster.cache import OLDEST_S, CachedIndex
from stillpoint.model import item as it
from stillpoint.model.errors import Denied, Forbidden, StillpointError, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome
from stillpoint.model.reference import Resource
from stillpoint.resources.machines import pod
from stillpoint.velero.context import BackupContext
from tests.unit.actions.backup.storage import (
    Storage,
    bound,
    content_of,
    fails,
    says_nothing,
    takes,
)
from tests.unit.contexts import NOW, Hands, backup_context

BACKUP: Item = {
    "kind": "Backup",
    "metadata": {
        "name": "nightly",
        "namespace": "velero",
        "uid": "b-1",
        "annotations": {"stillpoint.dev/snapshotter": "all"},
    },
    "spec": {"snapshotVolumes": False, "csiSnapshotTimeout": "1m0s"},
}


def claim(name: str, **labels: str) -> Item:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": labels},
        "spec": {
            "storageClassName": "fast",
            "volumeName": f"pv-{name}",
            "resources": {"requests": {"storage": "64Mi"}},
        },
        "status": {"phase": "Bound"},
    }


def volume(name: str, driver: str = "fast.io") -> Item:
    source = {"csi": {"driver": driver}} if driver else {"hostPath": {}}
    return {"kind": "PersistentVolume", "metadata": {"name": f"pv-{name}"}, "spec": source}


def guest(name: str, *disks: str, state: str = "", **status: object) -> Item:
    own = {"name": f"persistent-state-for-{name}"}
    statuses = [{**own, "persistentVolumeClaimInfo": {"claimName": state}}] if state else []
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-of-{name}"},
        "spec": {
            "volumes": [
                {"name": disk, "persistentVolumeClaim": {"claimName": disk}} for disk in disks
            ]
        },
        "status": {"phase": "Running", "volumeStatus": statuses, **status},
    }


def launcher(name: str, *disks: str) -> Item:
    owner = {"kind": "VirtualMachineInstance", "name": name, "controller": True}
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"virt-launcher-{name}",
            "namespace": "shop",
            "labels": {"kubevirt.io": "virt-launcher"},
            "ownerReferences": [owner],
        },
        "spec": {"volumes": mounted(*disks)},
        "status": {"phase": "Running"},
    }


def attachment(name: str, *disks: str) -> Item:
    """The pod that attaches hot-plugged disks to a guest."""
    owner = {"kind": "Pod", "name": f"virt-launcher-{name}", "controller": True}
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"hp-volume-{name}",
            "namespace": "shop",
            "labels": {"kubevirt.io": "hotplug-disk"},
            "ownerReferences": [owner],
        },
        "spec": {"volumes": mounted(*disks)},
        "status": {"phase": "Running"},
    }


def mounted(*disks: str) -> list[Item]:
    return [{"name": disk, "persistentVolumeClaim": {"claimName": disk}} for disk in disks]


def running(name: str, *disks: str, state: str = "", plugged: tuple[str, ...] = ()) -> list[Item]:
    """A guest with its pods."""
    own = (*disks, state) if state else disks
    pods = [launcher(name, *own), *([attachment(name, *plugged)] if plugged else [])]
    return [guest(name, *disks, *plugged, state=state), *pods]


def snapshot_class(name: str = "fast", driver: str = "fast.io", **labels: str) -> Item:
    metadata = {"name": name, "labels": labels}
    return {"kind": "VolumeSnapshotClass", "metadata": metadata, "driver": driver}


def cluster(*disks: str, with_class: bool = True) -> list[Item]:
    """Claims with their volumes, and a class."""
    objects = [each for disk in disks for each in (claim(disk), volume(disk))]
    return [*objects, snapshot_class()] if with_class else objects


def new_process(storage: Storage, backup: Item = BACKUP) -> BackupContext:
    """A context of a process that has helped to build no item block."""
    return backup_context(backup, storage)


def context(storage: Storage, backup: Item = BACKUP) -> BackupContext:
    """A context when Velero has built the item blocks of the cluster as it is."""
    of = new_process(storage, backup)
    blocks_built(storage, of)
    return of


def blocks_built(storage: Storage, of: BackupContext) -> None:
    """Velero builds the blocks: pods first, and what an action names as soon as it does."""
    actions = {
        "Pod": pod_block.related_items,
        "VirtualMachineInstance": instance_block.related_items,
    }
    met: set[str] = set()

    def meet(item: Item) -> None:
        if it.describe(item) in met:
            return
        met.add(it.describe(item))
        for each in by_velero(storage, item):
            meet(each)
        if action_ := actions.get(item["kind"]):
            for named in action_(item, of):
                for each in storage.objects:
                    if (f"{each['kind'].lower()}s", it.name(each)) == (named.resource, named.name):
                        meet(each)

    for each in storage.of("Pod"):
        meet(each)


def by_velero(storage: Storage, item: Item) -> Iterable[Item]:
    """The claims of a pod and the pods of a claim, from Velero's own actions."""
    if item["kind"] == "Pod":
        claims = list(pod.claims(item))
        return [one for one in storage.of("PersistentVolumeClaim") if it.name(one) in claims]
    if item["kind"] == "PersistentVolumeClaim":
        return [one for one in storage.of("Pod") if it.name(item) in pod.claims(one)]
    return ()


def backed_up(storage: Storage, of: BackupContext, name: str = "root") -> BackupOutcome:
    """What the action makes of a claim of the cluster."""
    [item] = [one for one in storage.of("PersistentVolumeClaim") if it.name(one) == name]
    before = copy.deepcopy(item)
    outcome = action.execute(item, of)
    assert item == before
    return outcome


def created(storage: Storage) -> list[str]:
    """Claims whose VolumeSnapshots were created, in any order."""
    asked = [one for one in storage.questions if one.startswith("create volumesnapshots")]
    return sorted(one.partition("shop/velero-")[2].rpartition("-")[0] for one in asked)


def left(storage: Storage) -> list[str]:
    """Claims of which the cluster has VolumeSnapshots."""
    snapshots = storage.of("VolumeSnapshot")
    return sorted(one["spec"]["source"]["persistentVolumeClaimName"] for one in snapshots)


# the stored claim, and its VolumeSnapshot


def test_both_bounds_of_its_moment_are_known_if_this_process_has_asked_for_it() -> None:
    storage = Storage(cluster("root"))
    of = context(storage)
    backed_up(storage, of)
    assert of.snapshots.bounds("uid-root") == (NOW, NOW)
    again = context(storage)  # a process that is started again finds what the former one has made
    backed_up(storage, again)
    assert again.snapshots.bounds("uid-root") == (None, NOW)


def test_a_claim_is_stored_as_velero_stores_it_with_its_snapshot() -> None:
    storage = Storage(cluster("root"))
    outcome = backed_up(storage, context(storage))
    [snapshot] = storage.of("VolumeSnapshot")
    name = it.name(snapshot)
    assert [str(one) for one in outcome.additional] == [
        f"volumesnapshots.snapshot.storage.k8s.io shop/{name}"
    ]
    assert it.annotations(outcome.item) == {
        "velero.io/volume-snapshot-name": name,
        "backup.velero.io/must-include-additional-items": "true",
    }
    assert it.labels(outcome.item) == {
        "velero.kubevirt.io/pvc-uid": "uid-root",
        "velero.io/volume-snapshot-name": name,
        "velero.io/backup-name": "nightly",
    }
    assert outcome.item["spec"]["resources"]["requests"]["storage"] == "1Gi", "the restore size"
    assert not outcome.operation


def test_a_snapshot_is_made_as_velero_makes_it() -> None:
    objects = [claim("root", app="db", **{"velero.io/backup-name": "older"}), volume("root")]
    storage = Storage([*objects, snapshot_class()])
    backed_up(storage, context(storage))
    [snapshot] = storage.of("VolumeSnapshot")
    labels = it.labels(snapshot)
    assert it.name(snapshot).startswith("velero-root-")
    assert labels.pop("stillpoint.dev/taken-with")
    assert labels.pop("stillpoint.dev/taken-for")
    assert labels == {
        "app": "db",
        "velero.io/backup-name": "nightly",
        "velero.io/exclude-from-backup": "true",
    }
    assert snapshot["spec"] == {
        "source": {"persistentVolumeClaimName": "root"},
        "volumeSnapshotClassName": "fast",
    }


def test_a_request_that_is_large_enough_stays() -> None:
    objects = cluster("root")
    objects[0]["spec"]["resources"]["requests"]["storage"] = "10Gi"
    storage = Storage(objects)
    outcome = backed_up(storage, context(storage))
    assert outcome.item["spec"]["resources"]["requests"]["storage"] == "10Gi"


def test_no_name_is_too_long() -> None:
    storage = Storage(cluster("r" * 253))
    backed_up(storage, context(storage), "r" * 253)
    [snapshot] = storage.of("VolumeSnapshot")
    assert len(it.name(snapshot)) == 63


def test_two_backups_of_one_claim_do_not_meet() -> None:
    running: Item = {"status": {"phase": "InProgress"}}
    other = {**BACKUP, "metadata": {**BACKUP["metadata"], "name": "weekly", "uid": "b-2"}}
    storage = Storage([*cluster("root"), BACKUP | running, other | running])
    one, two = (backed_up(storage, context(storage, each)) for each in (BACKUP, other))
    assert one.additional != two.additional
    assert left(storage) == ["root", "root"]


# what is taken together


def test_all_disks_of_a_guest_are_taken_with_the_first_of_them() -> None:
    disks = ("root", "data", "state")
    storage = Storage([*cluster(*disks, "other"), *running("db", "root", "data", state="state")])
    of = context(storage)
    backed_up(storage, of)
    assert created(storage) == ["data", "root", "state"]
    labels = [it.labels(each)["stillpoint.dev/taken-with"] for each in storage.of("VolumeSnapshot")]
    assert len(set(labels)) == 1
    for disk in disks:
        backed_up(storage, of, disk)
    assert created(storage) == ["data", "root", "state"], "never a second one"
    assert len(storage.watched) == 1


def test_guests_that_share_a_disk_are_taken_together() -> None:
    guests = [
        *running("a", "a-root", "shared"),
        *running("b", "b-root", plugged=("shared",)),
        *running("c", "c-root"),
    ]
    storage = Storage([*cluster("a-root", "b-root", "c-root", "shared"), *guests])
    backed_up(storage, context(storage), "a-root")
    assert created(storage) == ["a-root", "b-root", "shared"]


def test_a_guest_whose_pods_do_not_mount_a_shared_disk_is_frozen_at_another_time() -> None:
    others = [guest("b", "b-root", "shared"), launcher("b", "b-root")]
    storage = Storage(
        [*cluster("root", "b-root", "shared"), *running("a", "root", "shared"), *others]
    )
    backed_up(storage, context(storage))
    assert created(storage) == ["root", "shared"]


def test_a_machine_of_64_disks_is_one_watch_and_two_requests_for_each_disk() -> None:
    disks = [f"disk-{number:02}" for number in range(64)]
    storage = Storage([*cluster(*disks), *running("db", *disks)])
    of = context(storage)
    for disk in disks:
        backed_up(storage, of, disk)
    assert created(storage) == disks
    assert len(storage.watched) == 1
    of_disks = [one for one in storage.questions if "list" not in one and "watch" not in one]
    assert len(of_disks) == 2 * 64, "a creation, and the content with its handle"


def test_a_claim_that_no_guest_uses_is_taken_alone() -> None:
    storage = Storage([*cluster("root", "notes"), *running("db", "root")])
    backed_up(storage, context(storage), "notes")
    assert created(storage) == ["notes"]


@pytest.mark.parametrize(
    "reason",
    [
        {"metadata": {"labels": {"velero.io/exclude-from-backup": "true"}}},
        {"metadata": {"deletionTimestamp": "2026-05-04T12:00:00Z"}},
        {"status": {"phase": "Pending"}},
        {"spec": {"volumeName": "pv-data"}},
    ],
    ids=["excluded", "being deleted", "unbound", "without a class"],
)
def test_a_disk_that_velero_will_not_come_with_is_not_taken(reason: Item) -> None:
    objects = [*cluster("root", "data"), *running("db", "root", "data")]
    data = next(one for one in objects if it.name(one) == "data")
    for field, value in reason.items():
        kept = data[field] if field == "metadata" else {}
        data[field] = {**kept, **value}
    storage = Storage(objects)
    backed_up(storage, context(storage))
    assert created(storage) == ["root"]


def test_a_disk_that_another_policy_sends_elsewhere_is_not_taken() -> None:
    policy = """
version: v1
volumePolicies:
- conditions: {pvcLabels: {tier: scratch}}
  action: {type: skip}
- conditions: {csi: {driver: fast.io}}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
"""
    config_map = {
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"policy": policy},
    }
    spec = {"resourcePolicy": {"kind": "configmap", "name": "policies"}}
    backup = {"metadata": {"name": "b", "namespace": "velero", "uid": "b-1"}, "spec": spec}
    scratch = [claim("tmp", tier="scratch"), volume("tmp")]
    storage = Storage(
        [*cluster("root", "data"), *scratch, *running("db", "root", "data", "tmp"), config_map]
    )
    of = context(storage, backup)
    backed_up(storage, of)
    assert created(storage) == ["data", "root"]
    assert not backed_up(storage, of, "tmp").additional


def test_policies_are_those_that_velero_has_read_when_the_backup_began() -> None:
    text = """
version: v1
volumePolicies:
- conditions: {csi: {driver: fast.io}}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
"""
    metadata = {"name": "policies", "namespace": "velero"}
    config_map: Item = {"kind": "ConfigMap", "metadata": metadata, "data": {"policy": text}}
    spec = {"resourcePolicy": {"kind": "configmap", "name": "policies"}}
    backup = {"metadata": {"name": "b", "namespace": "velero", "uid": "b-1"}, "spec": spec}
    storage, now_s = Storage([*cluster("root", "data"), config_map]), [0.0]
    view = CachedIndex(storage, lambda: now_s[0])
    of = dataclasses.replace(context(storage, backup), cluster=view)
    assert backed_up(storage, of, "root").additional
    config_map["data"] = {
        "policy": text.replace("custom, parameters: {snapshotter: stillpoint}", "snapshot")
    }
    now_s[0] += OLDEST_S + 1
    assert backed_up(storage, of, "data").additional


def test_disks_of_a_guest_that_came_for_another_disk_are_not_taken_with_it() -> None:
    spec = {**BACKUP["spec"], "labelSelector": {"matchLabels": {"keep": "yes"}}}
    objects = [*cluster("root", "data"), *running("db", "root", "data", "logs")]
    objects += [claim("logs", keep="yes"), volume("logs")]
    storage = Storage(objects)
    backed_up(storage, context(storage, {**BACKUP, "spec": spec}), "logs")
    assert created(storage) == ["logs"]


def test_nothing_is_taken_where_velero_takes_snapshots_or_when_it_finalizes() -> None:
    changes: list[Item] = [{"spec": {}}, {"status": {"phase": "Finalizing"}}, {"metadata": {}}]
    for change in changes:
        storage = Storage([*cluster("root"), *running("db", "root")])
        outcome = backed_up(storage, context(storage, {**BACKUP, **change}))
        assert not outcome.additional
        assert not created(storage)


# item blocks: a guest's disks are taken when its own block has begun its freeze


def test_a_disk_that_another_guest_gets_meanwhile_brings_no_disk_of_a_guest_that_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of its former guest it brings them: that guest stands still."""
    both = [*running("a", "a-root", plugged=("hot",)), *running("b", "b-root")]
    storage = Storage([*cluster("a-root", "b-root", "hot"), *both])
    of = context(storage)
    now = [*running("a", "a-root"), *running("b", "b-root", plugged=("hot",))]
    disks = [one for one in storage.objects if one["kind"] not in ("Pod", both[0]["kind"])]
    storage.objects[:] = [*disks, *now]
    later = dataclasses.replace(of, cluster=CachedIndex(storage))
    backed_up(storage, later, "hot")
    assert created(storage) == ["hot"]
    [warning] = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warning.startswith("hot, which guest b uses, is taken alone: ")
    assert "(mixed)" in warning
    backed_up(storage, later, "b-root")
    assert created(storage) == ["b-root", "hot"]


def test_a_disk_that_is_plugged_in_when_its_guest_has_its_block_is_taken_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = Storage([*cluster("root", "hot"), *running("db", "root")])
    of = context(storage)
    storage.objects[-2:] = running("db", "root", plugged=("hot",))
    later = dataclasses.replace(of, cluster=CachedIndex(storage))
    backed_up(storage, later, "hot")
    assert created(storage) == ["hot"]
    assert "hot, which guest db uses, is taken alone: " in caplog.text


def test_a_disk_that_the_backup_of_its_instance_brings_is_in_its_freeze(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = {"kind": "VirtualMachine", "metadata": {"name": "db", "namespace": "shop"}}
    storage = Storage([*cluster("root", "hot"), *running("db", "root"), machine])
    of = context(storage)
    [before] = storage.of("VirtualMachineInstance")
    storage.objects[-3:] = [*running("db", "root", plugged=("hot",)), machine]
    later = dataclasses.replace(of, cluster=CachedIndex(storage))
    backed_up(storage, later, "root")
    assert created(storage) == ["root"]
    instance_action.execute(before, later)
    backed_up(storage, later, "hot")
    assert created(storage) == ["hot", "root"]
    assert "item block" not in caplog.text


def migrated(*disks: str) -> tuple[Storage, BackupContext, Item]:
    """A guest that was migrated since the pods were listed."""
    before = launcher("db", *disks)
    before["metadata"]["uid"] = "pod-before"
    now = guest("db", *disks, activePods={"pod-later": "n2"}, nodeName="n2")
    storage = Storage([*cluster(*disks), now, before])
    of = new_process(storage)
    of.cluster.list_grouped(pod.RESOURCE, "shop", pod.instances, pod.OF_MACHINES)
    later = launcher("db", *disks)
    later["metadata"] |= {"name": "virt-launcher-later", "uid": "pod-later"}
    later["metadata"]["labels"]["kubevirt.io/created-by"] = it.uid(now)
    storage.objects[-1:] = [later]
    return storage, of, now


def test_the_pod_of_a_guest_that_was_migrated_is_looked_up_once_for_all_its_disks() -> None:
    """The guest stands still meanwhile."""
    disks = [f"disk{number}" for number in range(12)]
    storage, of, now = migrated(*disks)
    instance_block.related_items(now, of)
    before = storage.questions.count("list pods shop")
    backed_up(storage, of, "disk0")
    assert created(storage) == sorted(disks)
    of_others = 1  # which may want their files copied
    assert storage.questions.count("list pods shop") == before + of_others


def test_the_pod_of_a_guest_that_is_migrated_again_is_looked_up_again() -> None:
    storage, of, now = migrated("root")
    instance_block.related_items(now, of)
    again = guest("db", "root", activePods={"pod-last": "n3"}, nodeName="n3")
    [later] = storage.of("Pod")
    later["metadata"] |= {"name": "virt-launcher-last", "uid": "pod-last"}
    launched = surroundings.launcher_pod(of.cluster, again)
    assert launched
    assert it.name(launched) == "virt-launcher-last"
    unknown = guest("db", "root", activePods={"pod-of-a-controller-to-come": "n4"})
    launched = surroundings.launcher_pod(new_process(storage).cluster, unknown)
    assert launched, "that of before, if none is known"


def test_all_disks_of_a_guest_that_was_migrated_since_the_pods_were_listed_are_taken_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage, of, now = migrated("root", "data")
    named = instance_block.related_items(now, of)
    assert "virt-launcher-later" in {one.name for one in named}
    backed_up(storage, of, "root")
    assert created(storage) == ["data", "root"]
    assert "item block" not in caplog.text


def test_guests_that_share_a_disk_are_of_one_block() -> None:
    guests = [*running("a", "a-root", "shared"), *running("b", "b-root", plugged=("shared",))]
    storage = Storage([*cluster("a-root", "b-root", "shared"), *guests])
    of = context(storage)
    backed_up(storage, of, "b-root")
    assert created(storage) == ["a-root", "b-root", "shared"]


def test_disks_of_a_guest_whose_pods_the_backup_leaves_out_are_taken_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody freezes it: the shorter they are apart the better. It is told."""
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")])
    for one in storage.objects:
        if it.name(one) == "virt-launcher-db":
            it.labels(one)["velero.io/exclude-from-backup"] = "true"
    backed_up(storage, new_process(storage), "root")
    assert created(storage) == ["data", "root"]
    [warning] = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warning.startswith("nobody has frozen guest db: its launcher pod virt-launcher-db is")
    assert "snapshots of root, data are as a power failure would leave" in warning


def test_a_backup_of_claims_alone_says_that_nobody_freezes_their_guest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = Storage([*cluster("root"), *running("db", "root")])
    kinds = {"includedResources": ["persistentvolumeclaims", "persistentvolumes"]}
    of = context(storage, {**BACKUP, "spec": {**BACKUP["spec"], **kinds}})
    backed_up(storage, of, "root")
    [warning] = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert "nobody has frozen guest db" in warning


def test_a_guest_whose_block_is_still_to_be_built_does_not_stand_still() -> None:
    storage = Storage([*cluster("root", "hot"), *running("db", "root", plugged=("hot",))])
    backed_up(storage, new_process(storage), "hot")
    assert created(storage) == ["hot"]


# a process that Velero starts again


def test_a_new_process_finds_the_snapshots_of_the_former_one() -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")])
    first = backed_up(storage, context(storage), "root")
    again = context(storage)
    second = backed_up(storage, again, "data")
    assert left(storage) == ["data", "root"]
    assert backed_up(storage, again, "root").additional == first.additional
    assert first.additional != second.additional


def test_a_new_process_takes_no_disk_again_whose_data_is_on_its_way() -> None:
    agent = {
        "kind": "DaemonSet",
        "metadata": {"name": "node-agent", "namespace": "velero"},
        "status": {"numberReady": 1},
    }
    moving = {**BACKUP, "spec": {**BACKUP["spec"], "snapshotMoveData": True}}
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data"), agent])
    first = backed_up(storage, context(storage, moving), "root")
    [upload] = storage.of("DataUpload")
    moved = upload["spec"]["csiSnapshot"]["volumeSnapshot"]
    storage.objects = [one for one in storage.objects if it.name(one) != moved]
    again = context(storage, moving)
    second = backed_up(storage, again, "data")
    assert left(storage) == ["data"]
    assert backed_up(storage, again, "root") == first
    assert [it.name(one) for one in storage.of("DataUpload")] == [
        each.after_operation[0].name for each in (first, second)
    ]


def test_a_snapshot_of_that_name_that_is_not_ours_is_left_alone() -> None:
    storage = Storage(cluster("root"))
    backed_up(storage, context(storage))
    [snapshot] = storage.of("VolumeSnapshot")
    snapshot["metadata"]["labels"]["stillpoint.dev/taken-for"] = "theirs"
    snapshot["metadata"]["annotations"] = {}
    with pytest.raises(StillpointError, match="exists, and is not of this backup"):
        backed_up(storage, context(storage))
    assert left(storage) == ["root"]


def test_the_name_of_a_snapshot_cannot_be_made_from_what_another_one_shows() -> None:
    storage = Storage(cluster("root"))
    backed_up(storage, context(storage))
    [snapshot] = storage.of("VolumeSnapshot")
    assert "b-1" not in str(snapshot)


@pytest.mark.parametrize("label", ["stillpoint.dev/taken-with", "stillpoint.dev/taken-for"])
def test_a_snapshot_without_our_labels_fails_its_claim_and_no_other(label: str) -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")])
    backed_up(storage, context(storage))
    [snapshot] = [one for one in storage.of("VolumeSnapshot") if "velero-data-" in it.name(one)]
    del snapshot["metadata"]["labels"][label]
    again = context(storage)
    assert backed_up(storage, again, "root").additional
    with pytest.raises(StillpointError, match="exists, and is not of this backup"):
        backed_up(storage, again, "data")


def test_a_fault_of_ours_ends_every_claim_with_it_and_leaves_nothing() -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")], data=breaks)
    of = context(storage)
    for name in ("data", "root"):
        with pytest.raises(ZeroDivisionError):
            backed_up(storage, of, name)
    assert not left(storage)


def breaks(_storage: Storage, snapshot: Item) -> list[Item]:
    return [{**snapshot, "metadata": {**snapshot["metadata"], "x": 1 // 0}}]


def test_the_content_of_another_snapshot_is_not_taken() -> None:
    """Who may write the status of a snapshot can name any content in it."""
    storage = Storage(cluster("root"), root=points_elsewhere)
    with pytest.raises(StillpointError, match="content-of-another is of another VolumeSnapshot"):
        backed_up(storage, context(storage))
    assert not left(storage)
    assert not storage.patches


def points_elsewhere(storage: Storage, snapshot: Item) -> list[Item]:
    content = content_of({**snapshot, "metadata": {"name": "theirs"}}, snapshotHandle="s-2")
    content["metadata"] = {"name": "content-of-another"}
    storage.objects.append(content)
    names = {"boundVolumeSnapshotContentName": "content-of-another"}
    return [{**snapshot, "status": {**names, "creationTime": "2026-05-04T12:00:01Z"}}]


def test_a_disk_that_is_taken_after_the_thaw_of_its_guest_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", plugged=("data",))])
    of = context(storage)
    of.snapshots.thawed.add("uid-of-db")
    backed_up(storage, of)
    [warning] = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warning.startswith("guest db had been thawed already: root, data are of a later moment")


def test_a_snapshot_that_kubevirt_has_not_waited_for_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hands = Hands()

    def late(storage: Storage, snapshot: Item) -> Iterable[Item]:
        hands.sleep(301)
        return takes(storage, snapshot)

    backup = {**BACKUP, "spec": {**BACKUP["spec"], "csiSnapshotTimeout": "10m0s"}}
    storage = Storage([*cluster("root"), *running("db", "root")], root=late)
    of = dataclasses.replace(context(storage, backup), clock=hands.clock)
    assert backed_up(storage, of).additional
    [warning] = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warning.startswith("after 300 s KubeVirt thaws guest db by itself: the last of root")


def test_nothing_is_taken_for_a_velero_that_would_not_store_it() -> None:
    storage = Storage(cluster("root"))
    of = dataclasses.replace(context(storage), has_csi=False)
    with pytest.raises(StillpointError, match="without its feature EnableCSI"):
        backed_up(storage, of)
    assert not created(storage)


# what a former backup has left behind


def former(phase: str, uid: str = "b-0") -> Item:
    metadata = {"name": "yesterday", "namespace": "velero", "uid": uid}
    return {"kind": "Backup", "metadata": metadata, "status": {"phase": phase}}


def with_leftover(*beside: Item, is_archived: bool = False) -> Storage:
    """A cluster with a snapshot that a process took for a backup `yesterday`, and died."""
    storage = Storage([*cluster("root", "data"), *running("db", "data"), *beside])
    [metadata] = [former("InProgress")["metadata"]]
    died = context(storage, {**BACKUP, "metadata": {**BACKUP["metadata"], **metadata}})
    backed_up(storage, died)
    if is_archived:
        [snapshot] = storage.of("VolumeSnapshot")
        annotations = it.annotations(snapshot) | {"velero.io/csi-volumesnapshot-handle": "s-1"}
        snapshot["metadata"]["annotations"] = annotations
    return storage


@pytest.mark.parametrize(
    "backups",
    [[former("Completed")], [former("PartiallyFailed")], [former("Failed")]],
    ids=["completed", "partially failed", "failed"],
)
def test_the_next_backup_deletes_what_one_that_has_ended_has_left_behind(
    backups: list[Item],
) -> None:
    storage = with_leftover(*backups)
    of = context(storage)
    backed_up(storage, of, "data")
    assert left(storage) == ["data"]
    [changes] = storage.patches.values()
    assert changes == [{"spec": {"deletionPolicy": "Delete"}}], "in the storage too"


@pytest.mark.parametrize(
    "backups",
    [[], [former("Completed", uid="of the same name")]],
    ids=["deleted", "another of its name"],
)
def test_without_its_backup_a_leftover_is_deleted_as_its_class_says(backups: list[Item]) -> None:
    storage = with_leftover(*backups)
    backed_up(storage, context(storage), "data")
    assert left(storage) == ["data"]
    assert not storage.patches


def test_a_forged_leftover_does_not_take_retained_bytes_along() -> None:
    """Its labels can be copied from another one; its name cannot be known."""
    storage = with_leftover(former("Failed"))
    [snapshot] = storage.of("VolumeSnapshot")
    snapshot["metadata"]["name"] = "velero-root-bcdfg"
    backed_up(storage, context(storage), "data")
    assert left(storage) == ["data"]
    assert not storage.patches


def test_where_velero_s_own_groups_show_the_uid_a_leftover_s_class_decides_about_the_bytes() -> (
    None
):
    """Whoever reads it can make that name."""
    grouping = former("Failed") | {"spec": {"volumeGroupSnapshotLabelKey": "velero.io/group"}}
    storage = with_leftover(grouping)
    labelled = next(one for one in storage.of("PersistentVolumeClaim") if it.name(one) == "data")
    labelled["metadata"]["labels"] = {"velero.io/group": "db"}
    backed_up(storage, context(storage), "root")
    assert left(storage) == ["root"]
    assert not storage.patches


@pytest.mark.parametrize(
    ("backups", "is_archived", "kept"),
    [
        ([former("InProgress")], False, True),
        ([former("WaitingForPluginOperations")], False, True),
        ([former("Completed")], True, True),
        ([], True, True),
        ([former("Failed")], True, False),
    ],
)
def test_a_snapshot_that_a_backup_has_or_may_have_is_no_leftover(
    backups: list[Item], is_archived: bool, kept: bool
) -> None:
    storage = with_leftover(*backups, is_archived=is_archived)
    backed_up(storage, context(storage), "data")
    assert left(storage) == (["data", "root"] if kept else ["data"])


def test_another_veleros_snapshots_and_a_users_own_are_no_leftovers() -> None:
    storage = with_leftover()
    [snapshot] = storage.of("VolumeSnapshot")
    other = {"stillpoint.dev/backup": "openshift-adp/yesterday"}
    snapshot["metadata"]["annotations"] = other
    theirs = {
        "kind": "VolumeSnapshot",
        "metadata": {"name": "mine", "namespace": "shop"},
        "spec": {"source": {"persistentVolumeClaimName": "root"}},
    }
    storage.objects.append(theirs)
    backed_up(storage, context(storage), "data")
    assert left(storage) == ["data", "root", "root"]


def test_leftovers_are_looked_for_once_in_a_namespace() -> None:
    storage = Storage(cluster("root", "data"))
    of = context(storage)
    for disk in ("root", "data"):
        backed_up(storage, of, disk)
    looks = [one for one in storage.questions if one.startswith("list volumesnapshots.")]
    assert len(looks) == 1


def test_a_leftover_that_cannot_be_deleted_keeps_no_other_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = with_leftover()
    [snapshot] = storage.of("VolumeSnapshot")
    other = copy.deepcopy(snapshot)
    other["metadata"]["name"] = "velero-root-other"
    storage.objects.append(other)
    refused = Denied("it", "cannot delete", "HTTP 403: a webhook says no")
    storage.failures["delete volumesnapshots"] = refused
    backed_up(storage, context(storage), "data")
    assert left(storage) == ["data", "root"]
    assert f"VolumeSnapshot shop/{it.name(snapshot)} may be left behind: it: " in caplog.text


def test_a_look_for_leftovers_that_fails_costs_no_disk(caplog: pytest.LogCaptureFixture) -> None:
    storage = Storage(cluster("root"))
    storage.failures["list volumesnapshots."] = Forbidden("it", "cannot list", "HTTP 403")
    assert backed_up(storage, context(storage)).additional
    assert "may be left behind: it: cannot list: HTTP 403" in caplog.text


def test_no_call_waits_for_a_deletion() -> None:
    """The guest may stand still until the call ends: the account may lack the right to thaw."""
    storage = with_leftover(former("Completed"))
    tasks: list[Callable[[], None]] = []
    storage.orders["data"] = fails
    of = dataclasses.replace(context(storage), background=tasks.append)
    failed(storage, of, "data")
    assert left(storage) == ["data", "root"]
    for task in tasks:
        task()
    assert left(storage) == []


# failures: that claim fails, the others are good, nothing is left


def failed(storage: Storage, of: BackupContext, name: str = "root") -> str:
    with pytest.raises(StillpointError) as caught:
        backed_up(storage, of, name)
    assert caught.value.subject == f"PersistentVolumeClaim shop/{name}" or isinstance(
        caught.value, Forbidden | Unreachable
    )
    return str(caught.value)


def good_others(storage: Storage, of: BackupContext, *names: str) -> bool:
    return all(backed_up(storage, of, name).additional for name in names)


def test_a_driver_that_fails_fails_its_disk_alone_with_its_message() -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")], root=fails)
    of = context(storage)
    assert failed(storage, of) == (
        "PersistentVolumeClaim shop/root: cannot take a snapshot: none after 60 s "
        "(csiSnapshotTimeout), the storage's last message: pool is full; HINT: look at the events "
        "of its VolumeSnapshot and at the log of the driver's csi-snapshotter; set "
        "csiSnapshotTimeout of the Backup where the storage is slow"
    )
    assert good_others(storage, of, "data")
    assert left(storage) == ["data"]
    [change] = storage.patches["/" + content_name(storage, "root")]
    assert change == {"spec": {"deletionPolicy": "Delete"}}, "the storage's snapshot goes too"


def test_a_driver_without_snapshots_fails_its_disk_at_once() -> None:
    def cannot(_storage: Storage, snapshot: Item) -> Iterable[Item]:
        yield bound(snapshot, error={"message": "rpc error: code = Unimplemented desc = no"})
        raise AssertionError("nobody waits for more")

    storage = Storage(cluster("root"), root=cannot)
    told = failed(storage, context(storage))
    assert "cannot take a snapshot: rpc error: code = Unimplemented desc = no; HINT: its " in told
    assert left(storage) == []


def test_a_content_of_somebody_else_is_never_touched() -> None:
    def names_another(storage: Storage, snapshot: Item) -> list[Item]:
        content = content_of(snapshot)
        content["spec"]["volumeSnapshotRef"]["namespace"] = "theirs"
        storage.objects.append(content)
        return [bound(snapshot)]

    storage = Storage(cluster("root"), root=names_another)
    failed(storage, context(storage))
    assert left(storage) == []
    assert storage.patches == {}


def content_name(storage: Storage, disk: str) -> str:
    found = (it.name(one) for one in storage.of("VolumeSnapshotContent"))
    return next(name for name in found if f"velero-{disk}-" in name)


def test_a_disk_whose_snapshot_never_comes_fails_at_the_backups_limit() -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")], data=says_nothing)
    of = context(storage)
    assert good_others(storage, of, "root")
    assert "none after 60 s (csiSnapshotTimeout)" in failed(storage, of, "data")
    assert storage.watched == [60.0]
    assert left(storage) == ["root"]


def test_a_handle_before_an_error_is_a_snapshot_and_veleros_operation_tells_the_error() -> None:
    def takes_and_fails(storage: Storage, snapshot: Item) -> list[Item]:
        states = list(takes(storage, snapshot))
        return [*states, bound(snapshot, creationTime="x", error={"message": "not ready"})]

    storage = Storage(cluster("root"), root=takes_and_fails)
    assert backed_up(storage, context(storage)).additional


def test_a_driver_that_answers_twice_is_answered_once() -> None:
    def twice(storage: Storage, snapshot: Item) -> list[Item]:
        return 2 * list(takes(storage, snapshot))

    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")], root=twice)
    of = context(storage)
    assert good_others(storage, of, "root", "data")
    assert left(storage) == ["data", "root"]


def test_a_content_without_a_handle_is_no_snapshot() -> None:
    def lies(storage: Storage, snapshot: Item) -> list[Item]:
        storage.objects.append(content_of(snapshot))
        return [bound(snapshot, creationTime="2026-05-04T12:00:01Z")]

    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")], root=lies)
    of = context(storage)
    assert "has no handle of the storage" in failed(storage, of)
    assert good_others(storage, of, "data")
    assert left(storage) == ["data"]


def test_a_snapshot_that_somebody_deletes_fails_its_disk_at_once() -> None:
    def is_deleted(_storage: Storage, snapshot: Item) -> list[Item]:
        metadata = {**snapshot["metadata"], "deletionTimestamp": "2026-05-04T12:00:01Z"}
        return [{**snapshot, "metadata": metadata}]

    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")], root=is_deleted)
    of = context(storage)
    assert "somebody deletes VolumeSnapshot velero-root-" in failed(storage, of)
    assert good_others(storage, of, "data")


REQUESTS = {
    "create volumesnapshots.snapshot.storage.k8s.io shop/velero-root": "",
    "get volumesnapshotcontents.snapshot.storage.k8s.io /snapcontent-of-velero-root": "",
}


@pytest.mark.parametrize("code", [403, 404, 409, 429, 500])
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda text: text.split()[0])
def test_a_request_that_fails_fails_its_disk_alone(request_: str, code: int) -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")])
    kind = Forbidden if code == 403 else Unreachable
    storage.failures[request_] = kind("VolumeSnapshot x", "cannot", f"HTTP {code}")
    of = context(storage)
    assert f"HTTP {code}" in failed(storage, of)
    assert good_others(storage, of, "data")
    assert left(storage) == ["data"]


def test_a_creation_whose_response_was_lost_leaves_nothing_behind() -> None:
    class Loses(Storage):
        def create(self, resource: Resource, item: Item) -> Item | None:
            super().create(resource, item)
            raise Unreachable(it.describe(item), "cannot create", "connection reset")

    storage = Loses(cluster("root"))
    assert "connection reset" in failed(storage, context(storage))
    assert left(storage) == []


@pytest.mark.parametrize("kind", [Forbidden, Unreachable])
def test_without_a_watch_every_disk_fails_with_its_error(kind: type[StillpointError]) -> None:
    storage = Storage([*cluster("root", "data"), *running("db", "root", "data")])
    storage.failures["watch volumesnapshots"] = kind("volumesnapshots", "cannot watch", "HTTP 403")
    of = context(storage)
    for disk in ("root", "data"):
        assert "cannot watch: HTTP 403" in failed(storage, of, disk)
    assert left(storage) == []


def test_what_cannot_be_deleted_is_told(caplog: pytest.LogCaptureFixture) -> None:
    storage = Storage(cluster("root"), root=fails)
    storage.failures["delete volumesnapshots"] = Forbidden("it", "cannot delete", "HTTP 403")
    failed(storage, context(storage))
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "may be left behind: it: cannot delete: HTTP 403" in record.message


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"metadata": {"deletionTimestamp": "2026-05-04T12:00:00Z"}}, "the claim is being deleted"),
        ({"status": {"phase": "Pending"}}, "the claim is Pending, not bound to a volume; HINT: "),
        ({"spec": {"volumeName": "pv-gone"}}, "its PersistentVolume pv-gone does not exist"),
        ({"spec": {"volumeName": "pv-local"}}, "no CSI driver made its volume pv-local; HINT: let"),
        ({"spec": {"volumeName": "pv-other"}}, "VolumeSnapshotClass of driver other.io"),
        ({"spec": {"volumeName": "pv-two"}}, "is none of two-a, two-b; HINT: label one"),
    ],
)
def test_a_claim_that_can_have_no_snapshot_is_refused(change: Item, told: str) -> None:
    objects = [volume("local", ""), volume("other", "other.io"), volume("two", "two.io")]
    objects += [snapshot_class("two-a", "two.io"), snapshot_class("two-b", "two.io")]
    item = claim("root")
    for field, value in change.items():
        item[field] = {**item[field], **value}
    storage = Storage([*cluster("data"), *objects, item, *running("db", "root", "data")])
    of = context(storage)
    assert told in failed(storage, of)
    assert good_others(storage, of, "data")
    assert created(storage) == ["data"]


@pytest.mark.parametrize(
    ("annotated", "label", "chosen"),
    [
        ({"velero.io/csi-volumesnapshot-class": "Named"}, "labelled", "named"),
        ({}, "labelled", "labelled"),
        ({}, "fast", "fast"),
    ],
)
def test_the_class_is_chosen_as_velero_does(annotated: Item, label: str, chosen: str) -> None:
    objects = cluster("root", with_class=False)
    objects[0]["metadata"]["annotations"] = annotated
    for name in ("fast", "labelled", "named"):
        labels = {"velero.io/csi-volumesnapshot-class": "true"} if name == label else {}
        objects.append(snapshot_class(name, **labels))
    storage = Storage(objects)
    backed_up(storage, context(storage))
    [snapshot] = storage.of("VolumeSnapshot")
    assert snapshot["spec"]["volumeSnapshotClassName"] == chosen


def test_time_that_creations_took_is_not_waited_again() -> None:
    hands = Hands()

    class Slow(Storage):
        def create(self, resource: Resource, item: Item) -> Item | None:
            hands.sleep(12)
            return super().create(resource, item)

    storage = Slow(cluster("root"))
    backed_up(storage, backup_context(BACKUP, storage, hands=hands))
    assert storage.watched == [48.0]
