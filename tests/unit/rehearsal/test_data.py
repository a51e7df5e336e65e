"""The way back of the data of disks: what a Restore makes of it, and what a copy is good for."""

import copy

import pytest

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.velero_steps import backup_request
from stillpoint.rehearsal.velero_steps.restore import RestoredItem
from stillpoint.rehearsal.verdict.verdict import Verdict
from tests.unit.rehearsal import examples

ELSEWHERE = {"shop": "shop-new"}
MARK = "cdi.kubevirt.io/storage.prePopulated"


def backup(**spec: object) -> Item:
    asked = backup_request.of_flags(["shop"], None)
    asked["spec"].update(spec)
    return asked


def restore(**spec: object) -> Item:
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {"name": "back", "namespace": "velero"},
        "spec": {"backupName": "rehearsal", "namespaceMapping": ELSEWHERE, **spec},
    }


def about(machine: Machine, code: str) -> tuple[str, ...]:
    return next((one.about for one in machine.judged.findings if one.code == code), ())


def restored(found: Rehearsal, kind: str, name: str) -> RestoredItem:
    (one,) = (
        one
        for one in found.restored
        if (one.reference.resource, one.reference.name) == (kind, name)
    )
    return one


def test_a_restore_without_volumes_is_blocked_and_marks_and_starts_nothing_empty() -> None:
    found = examples.rehearsed(examples.objects(), "shop", restore=restore(restorePVs=False))
    machine = examples.machine(found, "db")
    assert machine.judged.verdict is Verdict.BLOCKED
    names = about(machine, "disk-not-restored")
    assert names == ("db-root (restorePVs: false)", "db-data (restorePVs: false)")
    for name in ("db-root", "db-data"):
        filler = restored(found, "datavolumes", name).item or {}
        assert MARK not in it.annotations(filler)
        assert "CDI" in restored(found, "persistentvolumeclaims", name).why
    created = restored(found, "virtualmachines", "db").item or {}
    assert it.text(created, "spec", "runStrategy") == "Halted"
    reason = it.annotations(created)["stillpoint.dev/not-started"]
    assert "db-data" in reason
    assert "db-root" not in reason
    assert "virtctl start db -n shop-new" in reason
    plain = restored(found, "persistentvolumeclaims", "archive-2019-2025")
    assert plain.item is not None
    assert not [one for one in it.annotations(plain.item) if "populatedFor" in one]


def test_a_restore_with_volumes_keeps_marks_and_run_strategies() -> None:
    found = examples.rehearsed(examples.objects(), "shop", restore=restore())
    machine = examples.machine(found, "db")
    assert machine.judged.verdict is Verdict.READY
    assert MARK in it.annotations(restored(found, "datavolumes", "db-data").item or {})
    created = restored(found, "virtualmachines", "db").item or {}
    assert it.text(created, "spec", "runStrategy") == "Always"


@pytest.mark.parametrize(
    ("moves", "excluded", "is_told"),
    [
        (False, "pvc", True),
        (True, "persistentvolumeclaims", True),
        (True, "datauploads.velero.io", True),
        (False, "datauploads.velero.io", False),
        (False, "persistentvolumes", False),
    ],
)
def test_resources_that_a_restore_leaves_out_may_be_those_with_the_data(
    moves: bool, excluded: str, is_told: bool
) -> None:
    asked = restore(excludedResources=[excluded])
    found = examples.rehearsed(
        examples.objects(), backup=backup(snapshotMoveData=moves), restore=asked
    )
    assert bool(about(examples.machine(found, "db"), "disk-not-restored")) is is_told


def test_disks_that_are_there_keep_their_data_whatever_the_policy_for_objects_is() -> None:
    asked = restore(namespaceMapping={}, existingResourcePolicy="update")
    machine = examples.machine(examples.rehearsed(examples.objects(), "shop", restore=asked), "db")
    assert about(machine, "disk-stays") == ("db-root", "db-data")
    assert machine.judged.verdict is Verdict.BLOCKED
    asked = restore(existingResourcePolicy="update")
    machine = examples.machine(examples.rehearsed(examples.objects(), "shop", restore=asked), "db")
    assert machine.judged.verdict is Verdict.READY


def first_consumer() -> list[Item]:
    objects = examples.objects()
    for one in objects:
        if one["kind"] == "StorageClass":
            one["volumeBindingMode"] = "WaitForFirstConsumer"
    return objects


@pytest.mark.parametrize(
    ("annotations", "waiting"),
    [
        ({}, {"archive"}),
        ({"stillpoint.dev/run-strategy": "Halted"}, {"archive", "db", "web", "legacy", "reports"}),
        ({"stillpoint.dev/run-strategy": "archive=Always"}, set()),
        ({"stillpoint.dev/wait": "disks"}, {"archive"}),
    ],
)
def test_a_data_mover_waits_for_a_machine_that_the_restore_does_not_start(
    annotations: Item, waiting: set[str]
) -> None:
    asked = restore()
    asked["metadata"]["annotations"] = annotations
    moved = backup(snapshotMoveData=True)
    found = examples.rehearsed(first_consumer(), backup=moved, restore=asked)
    told = {one.reference.name for one in found.machines if about(one, "disk-waits-for-consumer")}
    assert told == waiting


def test_snapshots_that_stay_in_the_storage_wait_for_nobody() -> None:
    found = examples.rehearsed(first_consumer(), "shop", restore=restore())
    assert not any(about(one, "disk-waits-for-consumer") for one in found.machines)
    assert about(examples.machine(found, "archive"), "data-in-storage")
    found = examples.rehearsed(examples.objects(), backup=backup(snapshotMoveData=True))
    assert not any(about(one, "data-in-storage") for one in found.machines)


def on_files(objects: list[Item]) -> list[Item]:
    for one in objects:
        if one["kind"] == "PersistentVolumeClaim":
            one["spec"]["volumeMode"] = "Filesystem"
    return objects


def exporter(claim: str) -> Item:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "exporter", "namespace": "shop", "labels": {"app": "exporter"}},
        "spec": {
            "containers": [{"name": "c", "image": "i"}],
            "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}],
        },
        "status": {"phase": "Running"},
    }


def test_files_come_back_through_a_pod_of_the_users_own_and_through_no_other() -> None:
    files = backup(defaultVolumesToFsBackup=True)
    found = examples.rehearsed(on_files(examples.objects()), backup=files)
    assert about(examples.machine(found, "db"), "disk-without-way-back") == ("db-root", "db-data")
    assert not about(examples.machine(found, "archive"), "disk-without-way-back")
    objects = [*on_files(examples.objects()), exporter("archive-root")]
    machine = examples.machine(examples.rehearsed(objects, backup=files), "archive")
    assert machine.judged.verdict is Verdict.READY
    excluded = copy.deepcopy(files)
    excluded["spec"]["excludedResources"] = ["pods"]
    machine = examples.machine(examples.rehearsed(objects, backup=excluded), "archive")
    assert about(machine, "disk-without-way-back") == ("archive-root",)


@pytest.mark.parametrize("asked", [None, restore()], ids=["empty target", "copy beside it"])
def test_a_machine_is_to_start_when_the_files_that_would_be_copied_are_back(
    asked: Item | None,
) -> None:
    objects = [*on_files(examples.objects()), exporter("legacy-disk")]
    of_launchers = {"backup.velero.io/backup-volumes-excludes": "root"}
    examples.find(objects, "Pod", "virt-launcher-legacy")["metadata"]["annotations"] = of_launchers
    files = backup(defaultVolumesToFsBackup=True)
    found = examples.rehearsed(objects, backup=files, restore=asked)
    machine = examples.machine(found, "legacy")
    assert about(machine, "starts-after-files") == ("legacy-disk (pod exporter)",)
    created = restored(found, "virtualmachines", "legacy").item or {}
    assert "stillpoint.dev/start-as" in it.annotations(created)
    assert not about(examples.machine(found, "db"), "starts-after-files")


def test_a_machine_whose_files_would_not_come_back_is_not_said_to_start_after_them() -> None:
    objects = [*on_files(examples.objects()), exporter("legacy-disk")]
    files = backup(defaultVolumesToFsBackup=True)
    found = examples.rehearsed(objects, backup=files, restore=restore(excludedResources=["pods"]))
    assert not about(examples.machine(found, "legacy"), "starts-after-files")
    created = restored(found, "virtualmachines", "legacy").item or {}
    assert "stillpoint.dev/not-started" in it.annotations(created)


def test_no_files_can_be_copied_of_a_block_device() -> None:
    found = examples.rehearsed(examples.objects(), backup=backup(defaultVolumesToFsBackup=True))
    names = about(examples.machine(found, "db"), "disk-without-way-back")
    assert [name.partition(" ")[0] for name in names] == ["db-root", "db-data"]
    assert all("block device" in name for name in names)


def test_a_backup_of_metadata_restores_no_disk_that_claims_to_be_filled() -> None:
    asked = backup(snapshotVolumes=False)
    asked["metadata"]["labels"] = {"velero.kubevirt.io/metadataBackup": "true"}
    found = examples.rehearsed(examples.objects(), backup=asked, restore=restore())
    machine = examples.machine(found, "db")
    assert machine.judged.verdict is Verdict.DEGRADED
    assert machine.judged.level is Level.NONE
    assert MARK not in it.annotations(restored(found, "datavolumes", "db-data").item or {})
    created = restored(found, "virtualmachines", "db").item or {}
    assert it.text(created, "spec", "runStrategy") == "Halted"


def test_what_is_still_filled_does_not_begin_again_without_its_data_volume() -> None:
    objects = examples.objects()
    filler = examples.find(objects, "DataVolume", "db-root")
    filler["status"]["phase"] = "ImportInProgress"
    machine = examples.machine(examples.rehearsed(objects, "shop"), "db")
    assert about(machine, "disk-being-filled")
    assert machine.judged.verdict is Verdict.DEGRADED
    asked = restore(excludedResources=["datavolumes.cdi.kubevirt.io"])
    machine = examples.machine(examples.rehearsed(objects, "shop", restore=asked), "db")
    assert about(machine, "disk-not-populated") == ("db-root (ImportInProgress)",)
