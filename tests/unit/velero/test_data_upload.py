"""A DataUpload is what Velero's own action would make, under a name that is the same each time."""

import re

import pytest

from stillpoint.model.item import Item
from stillpoint.velero.volumes import data_upload

CLAIM: Item = {
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": "db-root",
        "namespace": "shop",
        "uid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    },
    "spec": {"storageClassName": "fast"},
}
SNAPSHOT: Item = {
    "metadata": {"name": "velero-db-root-x7k2p", "namespace": "shop"},
    "spec": {"volumeSnapshotClassName": "fast-snapshots"},
}
CONTENT: Item = {"metadata": {"name": "snapcontent-1"}, "spec": {"driver": "rbd.csi.ceph.com"}}


def backup(name: str = "nightly", **spec: object) -> Item:
    return {
        "kind": "Backup",
        "metadata": {
            "name": name,
            "namespace": "velero",
            "uid": "11111111-2222-3333-4444-555555555555",
        },
        "spec": {"storageLocation": "default", "csiSnapshotTimeout": "7m0s", **spec},
    }


def test_it_has_all_that_velero_writes() -> None:
    """Compared with newDataUpload in pkg/backup/actions/csi/pvc_action.go of Velero v1.18."""
    made = data_upload.new(backup(), CLAIM, SNAPSHOT, CONTENT)
    operation = data_upload.operation(backup(), CLAIM)
    assert re.fullmatch(
        r"du-11111111-2222-3333-4444-555555555555\.aaaaaaaa-bbbb-ccc\w{6}", operation
    )
    assert made == {
        "apiVersion": "velero.io/v2alpha1",
        "kind": "DataUpload",
        "metadata": {
            "namespace": "velero",
            "name": data_upload.name(backup(), operation),
            "labels": {
                "velero.io/backup-name": "nightly",
                "velero.io/backup-uid": "11111111-2222-3333-4444-555555555555",
                "velero.io/pvc-uid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
                "velero.io/async-operation-id": operation,
            },
            "ownerReferences": [
                {
                    "apiVersion": "velero.io/v1",
                    "kind": "Backup",
                    "name": "nightly",
                    "uid": "11111111-2222-3333-4444-555555555555",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "snapshotType": "CSI",
            "csiSnapshot": {
                "volumeSnapshot": "velero-db-root-x7k2p",
                "storageClass": "fast",
                "snapshotClass": "fast-snapshots",
                "driver": "rbd.csi.ceph.com",
            },
            "sourcePVC": "db-root",
            "sourceNamespace": "shop",
            "backupStorageLocation": "default",
            "operationTimeout": "7m0s",
        },
    }


def test_mover_and_parallel_files_are_the_backup_s() -> None:
    asked = backup(datamover="other", uploaderConfig={"parallelFilesUpload": 4})
    spec = data_upload.new(asked, CLAIM, SNAPSHOT, CONTENT)["spec"]
    assert spec["datamover"] == "other"
    assert spec["dataMoverConfig"] == {"ParallelFilesUpload": "4"}


@pytest.mark.parametrize(
    "name", ["b", "a" * 52 + "." + "b" * 200, "a" * 51 + "-.b", "a.b-" * 60 + "c"]
)
def test_its_name_serves_for_pods_and_is_the_same_each_time(name: str) -> None:
    asked = backup(name)
    operation = data_upload.operation(asked, CLAIM)
    made = data_upload.name(asked, operation)
    label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    assert re.fullmatch(rf"{label}(\.{label})*", made)
    assert len(made) <= 63
    assert made == data_upload.name(asked, operation)
    other = {**CLAIM, "metadata": {**CLAIM["metadata"], "uid": "another"}}
    assert made != data_upload.name(asked, data_upload.operation(asked, other))
