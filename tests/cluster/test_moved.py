"""The plugin's own snapshots on their way through a data mover: saved, failed, and cancelled."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.node_agent import SNAPSHOTS, VELERO, NodeAgent
from tests.cluster.storage import wait_until_bound
from tests.cluster.velero import API_VERSION, NAMESPACE

SOURCE = "moved"
DB = Machine(SOURCE, "db", disks=(Disk("root"), Disk("data", "Block")), has_instancetype=False)
OWN = {"stillpoint.dev/snapshotter": "all"}
ACTION = "stillpoint.dev/backup-persistent-volume-claim"


@dataclass
class Moved:
    """Backups of one machine, by name, each of which left nothing in the cluster."""

    cluster: Cluster
    backups: dict[str, Object] = field(default_factory=dict)

    def back_up(self, name: str, **spec: object) -> None:
        asked = {"includedNamespaces": [SOURCE], "snapshotVolumes": False, "snapshotMoveData": True}
        self.backups[name] = self.cluster.backup(name, asked | spec, annotations=OWN)
        wait_until(lambda: self.snapshots() == [], f"no snapshot of {name} is left")

    def snapshots(self) -> list[str]:
        """VolumeSnapshots, their contents, and what the storage has of the machine's disks."""
        api = self.cluster.api
        snapshots = api.list(SNAPSHOTS, "VolumeSnapshot", SOURCE)
        contents = [
            each
            for each in api.list(SNAPSHOTS, "VolumeSnapshotContent")
            if each["spec"]["volumeSnapshotRef"]["namespace"] == SOURCE
        ]
        stored = [
            cut.snapshot
            for claim, cuts in self.cluster.snapshots_cut().items()
            for cut in cuts
            if claim.startswith(f"{SOURCE}/") and self.bytes_of(cut.snapshot).exists()
        ]
        return [*(each["metadata"]["name"] for each in (*snapshots, *contents)), *stored]

    def bytes_of(self, handle: str) -> Path:
        return self.cluster.storage.folder / "snapshots" / handle

    def uploads(self, backup: str) -> dict[str, Object]:
        """DataUploads by their claim."""
        found = self.cluster.api.list(VELERO, "DataUpload", NAMESPACE)
        return {
            each["spec"]["sourcePVC"]: each
            for each in found
            if each["metadata"]["labels"]["velero.io/backup-name"] == backup
        }

    def operations(self, backup: str) -> dict[str, Object]:
        """Status of our operations, by their claim."""
        return {
            each["spec"]["resourceIdentifier"]["Name"]: each["status"]
            for each in self.cluster.archive.backup_operations(backup)
            if each["spec"]["backupItemAction"] == ACTION
        }


@pytest.fixture(scope="module")
def moved(cluster: Cluster) -> Iterator[Moved]:
    found = Moved(cluster)
    cluster.create_namespace(SOURCE)
    cluster.create_vms([DB])
    for disk in DB.disks:
        cluster.disk_image(SOURCE, DB.claim(disk)).write_bytes(content(DB.claim(disk)))
    found.back_up("moved-by-nobody")
    agent = NodeAgent(cluster.api, cluster.storage, cluster.folder / "moved")
    try:
        agent.start()
        with ThreadPoolExecutor(1) as aside, agent.held("DataUpload"):
            troubled = aside.submit(found.back_up, "moved-in-trouble")
            make_trouble(found)
            agent.release("DataUpload")
            troubled.result()
        with agent.held("DataUpload"):
            found.back_up("moved-too-late", itemOperationTimeout="3s")
        found.back_up("moved")
        yield found
    finally:
        agent.close()


def make_trouble(moved: Moved) -> None:
    """The storage loses one snapshot, and a person cancels the other."""

    def are_moving() -> bool:
        found = moved.uploads("moved-in-trouble").values()
        phases = [each.get("status", {}).get("phase") for each in found]
        return phases == ["InProgress", "InProgress"]

    wait_until(are_moving, "both disks are moved")
    uploads, api = moved.uploads("moved-in-trouble"), moved.cluster.api
    name = uploads["db-root"]["spec"]["csiSnapshot"]["volumeSnapshot"]
    snapshot = api.get(SNAPSHOTS, "VolumeSnapshot", SOURCE, name)
    content = snapshot["status"]["boundVolumeSnapshotContentName"]
    handle = api.get(SNAPSHOTS, "VolumeSnapshotContent", None, content)["status"]["snapshotHandle"]
    shutil.rmtree(moved.bytes_of(handle))
    data = uploads["db-data"]["metadata"]["name"]
    api.patch(VELERO, "DataUpload", NAMESPACE, data, {"spec": {"cancel": True}})


def content(claim: str) -> bytes:
    return f"{claim} at the backup ".encode() * 1000


def test_without_a_data_mover_nothing_is_taken_and_the_error_says_so(moved: Moved) -> None:
    assert moved.backups["moved-by-nobody"]["status"]["phase"] == "PartiallyFailed"
    errors = str(moved.cluster.backup_results("moved-by-nobody")["errors"])
    for disk in DB.disks:
        assert f"PersistentVolumeClaim {SOURCE}/{DB.claim(disk)}: cannot move its data" in errors
    assert f"no node agent of Velero is ready in namespace {NAMESPACE}; HINT: deploy" in errors


def test_disks_are_moved_and_no_snapshot_is_left(moved: Moved) -> None:
    backup = moved.backups["moved"]
    assert backup["status"]["phase"] == "Completed", moved.cluster.backup_log("moved")
    statuses = moved.operations("moved")
    assert {name: each["phase"] for name, each in statuses.items()} == {
        "db-root": "Completed",
        "db-data": "Completed",
    }
    assert all(each["operationUnits"] == "Bytes" for each in statuses.values())


def test_velero_s_books_say_how_each_volume_was_saved(moved: Moved) -> None:
    """A restore goes by the last entry of a volume; the one before says that Velero skipped it."""
    found = {each["pvcName"]: each for each in moved.cluster.archive.volume_infos("moved")}
    for disk in DB.disks:
        info, upload = found[DB.claim(disk)], moved.uploads("moved")[DB.claim(disk)]
        operation = upload["metadata"]["labels"]["velero.io/async-operation-id"]
        assert info["backupMethod"] == "CSISnapshot"
        assert (info["snapshotDataMoved"], info["skipped"]) == (True, False)
        assert info["snapshotDataMovementInfo"]["operationID"] == operation
        assert info["snapshotDataMovementInfo"]["snapshotHandle"] == upload["status"]["snapshotID"]
        assert info["result"] == "succeeded"


def test_a_failed_move_names_claim_cause_and_remedy(moved: Moved) -> None:
    assert moved.backups["moved-in-trouble"]["status"]["phase"] == "PartiallyFailed"
    statuses = moved.operations("moved-in-trouble")
    uploads = moved.uploads("moved-in-trouble")
    for name, upload in uploads.items():
        told = (
            f"PersistentVolumeClaim {SOURCE}/{name}: its data was not moved: "
            f"DataUpload {NAMESPACE}/{upload['metadata']['name']}: "
        )
        assert statuses[name]["error"].startswith(told)
        assert "HINT: read the log of Velero's node agent on node" in statuses[name]["error"]
    assert "No such file or directory" in statuses["db-root"]["error"]
    assert "DataUpload is canceled" in statuses["db-data"]["error"]


def test_a_move_that_takes_too_long_is_cancelled_and_leaves_no_snapshot(moved: Moved) -> None:
    assert moved.backups["moved-too-late"]["status"]["phase"] == "PartiallyFailed"
    for name, status in moved.operations("moved-too-late").items():
        assert status["error"] == "Asynchronous action timed out"
        where = (VELERO, "DataUpload", NAMESPACE)
        upload = moved.uploads("moved-too-late")[name]["metadata"]["name"]
        wait_until(
            lambda: moved.cluster.api.get(*where, upload)["status"]["phase"] == "Canceled",  # noqa: B023
            f"{name} is cancelled",
        )


def test_moved_data_comes_back(moved: Moved) -> None:
    spec = {"backupName": "moved", "namespaceMapping": {SOURCE: "moved-restored"}}
    restore = moved.cluster.restore("moved-restored", spec)
    assert restore["status"]["phase"] == "Completed", moved.cluster.restore_log("moved-restored")
    wait_until_bound(moved.cluster.api, "moved-restored")
    for disk in DB.disks:
        claim = DB.claim(disk)
        held = moved.cluster.disk_image("moved-restored", claim).read_bytes().rstrip(b"\0")
        assert held == content(claim)


def test_the_uploads_go_with_their_backup(moved: Moved) -> None:
    request = velero_object(
        "DeleteBackupRequest", "moved-too-late", {"backupName": "moved-too-late"}
    )
    moved.cluster.api.create(request)
    where = (API_VERSION, "Backup", NAMESPACE, "moved-too-late")
    wait_until(lambda: moved.cluster.api.find(*where) is None, "the backup is deleted")
    wait_until(lambda: moved.uploads("moved-too-late") == {}, "so are its uploads")
