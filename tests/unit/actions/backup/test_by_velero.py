"""Claims that are left to Velero, and that Velero has not taken."""

import copy
import dataclasses

import pytest

from stillpoint.actions.backup import persistent_volume_claim as action
from stillpoint.model import item as it
from stillpoint.model.errors import SnapshotFailed
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome
from stillpoint.velero.context import BackupContext
from tests.unit.actions.backup.storage import Storage
from tests.unit.actions.backup.test_own_snapshots import (
    blocks_built,
    cluster,
    running,
)
from tests.unit.contexts import backup_context

NAME = "velero.io/volume-snapshot-name"
BACKUP: Item = {
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero", "uid": "b-1"},
    "spec": {"resourcePolicy": {"kind": "configmap", "name": "policies"}},
    "status": {"phase": "InProgress"},
}


def policies(action_: str, conditions: str = "{}") -> Item:
    return {
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"p": f"{{version: v1, volumePolicies: "
                      f"[{{conditions: {conditions}, action: {action_}}}]}}"},
    }  # fmt: skip


def storage_with(action_: str, conditions: str = "{}") -> Storage:
    disks = [*cluster("root", "data"), *running("db", "root", "data")]
    return Storage(copy.deepcopy([*disks, policies(action_, conditions)]))


def context(storage: Storage, backup: Item = BACKUP) -> BackupContext:
    of = dataclasses.replace(backup_context(backup, storage), is_observed=True)
    blocks_built(storage, of)
    return of


def backed_up(storage: Storage, of: BackupContext, name: str, taken: str = "") -> BackupOutcome:
    """What the action makes of a claim as Velero's action leaves it."""
    [item] = [one for one in storage.of("PersistentVolumeClaim") if it.name(one) == name]
    return action.execute(it.with_annotation(item, NAME, taken) if taken else item, of)


def test_a_disk_that_velero_should_have_taken_and_has_not_fails() -> None:
    storage = storage_with("{type: snapshot}")
    of = context(storage)
    with pytest.raises(SnapshotFailed, match="leave it, has taken none; HINT: was the ConfigMap"):
        backed_up(storage, of, "root")
    backed_up(storage, of, "data", taken="velero-data-x2z4b")


def test_so_does_one_about_which_no_policy_decides() -> None:
    storage = storage_with("{type: snapshot}", "{pvcLabels: {by: velero}}")
    with pytest.raises(SnapshotFailed):
        backed_up(storage, context(storage), "root")


@pytest.mark.parametrize("kind", ["skip", "fs-backup", "custom"])
def test_a_disk_that_nobody_is_to_snapshot_is_stored_as_it_is(kind: str) -> None:
    storage = storage_with(f"{{type: {kind}}}")
    assert not backed_up(storage, context(storage), "root").additional


def test_so_is_one_of_which_a_pod_of_no_machine_has_the_files_copied() -> None:
    storage = storage_with("{type: snapshot}", "{pvcLabels: {by: velero}}")
    storage.objects.append(
        {
            "kind": "Pod",
            "metadata": {
                "name": "web",
                "namespace": "shop",
                "annotations": {"backup.velero.io/backup-volumes": "files"},
            },
            "spec": {
                "volumes": [{"name": "files", "persistentVolumeClaim": {"claimName": "root"}}]
            },
            "status": {"phase": "Running"},
        }
    )
    backed_up(storage, context(storage), "root")


def test_so_is_one_of_which_velero_takes_no_snapshots_by_csi() -> None:
    storage = storage_with("{type: snapshot}")
    for one in storage.of("PersistentVolume"):
        one["spec"] = {"hostPath": {}}
    backed_up(storage, context(storage), "root")
    storage = storage_with("{type: snapshot}")
    of = dataclasses.replace(context(storage), has_csi=False)
    backed_up(storage, of, "root")


def test_without_policies_nobody_can_have_edited_them() -> None:
    storage = storage_with("{type: snapshot}")
    backed_up(storage, context(storage, {**BACKUP, "spec": {}}), "root")
