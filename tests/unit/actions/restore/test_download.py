"""A claim whose bytes a data mover brings: renamed, or left out."""

from typing import Any

import orjson
import pytest

from stillpoint.actions.restore import persistent_volume_claim as action
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.outcome import RestoreOutcome
from stillpoint.velero.volumes import data_download
from tests.unit.contexts import restore_context
from tests.unit.dictionary_reader import DictionaryReader

RESTORE_UID = "11111111-2222-3333-4444-555555555555"
OPERATION = "dd-11111111-2222-3333-4444-555555555555.aaaaaaaa-bbbb-ccc"
CLAIM: Item = {
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": "db-root",
        "namespace": "shop",
        "uid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "annotations": {"velero.io/data-upload-name": "upload-1"},
    },
    "spec": {"volumeName": "pv-1", "dataSourceRef": {"kind": "VolumeImportSource", "name": "i"}},
    "status": {"phase": "Bound"},
}
MACHINE: Item = {
    "kind": "VirtualMachine",
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {
        "template": {
            "spec": {"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "db-root"}}]}
        }
    },
}
BACKUP: Item = {
    "kind": "Backup",
    "metadata": {"name": "b", "namespace": "velero"},
    "spec": {"csiSnapshotTimeout": "7m0s"},
}


def restore(**conditions: str) -> Item:
    return {
        "kind": "Restore",
        "metadata": {
            "name": "r",
            "namespace": "velero",
            "uid": RESTORE_UID,
            "annotations": {f"stillpoint.dev/{key}": word for key, word in conditions.items()},
        },
        "spec": {"backupName": "b", "namespaceMapping": {"shop": "shop-2"}},
    }


def order(**status: Any) -> Item:
    """As Velero's own action makes it, under a name that it generates."""
    operation = data_download.operation(RESTORE_UID, CLAIM)
    return {
        "apiVersion": "velero.io/v2alpha1",
        "kind": "DataDownload",
        "metadata": {
            "name": "r-x7k2p",
            "namespace": "velero",
            "uid": "of-the-first",
            "labels": {"velero.io/restore-name": "r", "velero.io/async-operation-id": operation},
        },
        "spec": {
            "snapshotID": "s-1",
            "targetVolume": {"pvc": "db-root", "pv": "", "namespace": "shop-2"},
        },
        "status": status,
    }


def result() -> Item:
    """The ConfigMap in which Velero notes where the bytes are."""
    found = {"backupStorageLocation": "default", "snapshotID": "s-1", "sourceNamespace": "shop"}
    return {
        "kind": "ConfigMap",
        "metadata": {
            "name": "upload-1-abcde",
            "namespace": "velero",
            "labels": {
                "velero.io/pvc-namespace-name": "shop.db-root",
                "velero.io/restore-uid": RESTORE_UID,
                "velero.io/resource-usage": "DataUpload",
            },
        },
        "data": {RESTORE_UID: orjson.dumps(found | {"nodeOS": "", "snapshotSize": 7}).decode()},
    }


def executed(asked: Item, cluster: DictionaryReader) -> RestoreOutcome:
    return action.execute(CLAIM, restore_context(asked, CLAIM, cluster, archive=[MACHINE]))


def orders(cluster: DictionaryReader, operation: str) -> list[Item]:
    return [
        one
        for one in cluster.objects
        if one["kind"] == "DataDownload"
        and one["metadata"]["labels"].get("velero.io/async-operation-id") == operation
    ]


def test_the_id_of_an_operation_is_velero_s() -> None:
    operation = data_download.operation(RESTORE_UID, CLAIM)
    assert operation.startswith(OPERATION)
    assert len(operation) == 63


def test_an_order_for_the_old_name_is_given_anew_for_the_new_one() -> None:
    cluster = DictionaryReader([order()])
    outcome = executed(restore(rename="db=db2"), cluster)
    assert cluster.patches["velero/r-x7k2p"] == [
        {"metadata": {"labels": {"velero.io/async-operation-id": None}}, "spec": {"cancel": True}}
    ]
    [ours] = orders(cluster, data_download.operation(RESTORE_UID, CLAIM))
    assert ours["spec"] == {
        "snapshotID": "s-1",
        "targetVolume": {"pvc": "db2-root", "pv": "", "namespace": "shop-2"},
    }
    assert set(ours["metadata"]) == {"name", "namespace", "labels"}
    assert "status" not in ours
    assert outcome.operation == "", "Velero's own operation goes on with ours"


def test_the_renamed_claim_waits_for_the_volume_that_the_data_mover_fills() -> None:
    outcome = executed(restore(rename="db=db2"), DictionaryReader([order()]))
    assert outcome.item["metadata"]["name"] == "db2-root"
    assert "volumeName" not in outcome.item["spec"]
    assert "dataSourceRef" not in outcome.item["spec"]
    [(label, value)] = outcome.item["spec"]["selector"]["matchLabels"].items()
    assert label == "velero.io/dynamic-pv-restore"
    assert value.startswith("shop-2.db2-root.")


def test_beside_the_living_claim_velero_orders_nothing_and_we_do() -> None:
    cluster = DictionaryReader([result(), BACKUP])
    outcome = executed(restore(rename="db=db2"), cluster)
    assert outcome.operation == data_download.operation(RESTORE_UID, CLAIM)
    [ours] = orders(cluster, outcome.operation)
    assert ours["spec"] == {
        "backupStorageLocation": "default",
        "snapshotID": "s-1",
        "snapshotSize": 7,
        "sourceNamespace": "shop",
        "operationTimeout": "7m0s",
        "targetVolume": {"pvc": "db2-root", "pv": "", "namespace": "shop-2"},
    }
    assert ours["metadata"]["ownerReferences"][0]["uid"] == RESTORE_UID


def test_without_a_note_of_where_the_bytes_are_the_claim_is_not_created() -> None:
    with pytest.raises(Refusal, match="no ConfigMap of Velero with the labels"):
        executed(restore(rename="db=db2"), DictionaryReader([BACKUP]))


def test_what_is_left_out_is_called_off_and_its_operation_ends_well() -> None:
    cluster = DictionaryReader([order()])
    asked = restore(only="web")
    web = MACHINE | {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {}}},
    }
    outcome = action.execute(CLAIM, restore_context(asked, CLAIM, cluster, archive=[web]))
    assert outcome.skip
    assert cluster.patches["velero/r-x7k2p"][0]["spec"] == {"cancel": True}
    [stand_in] = orders(cluster, data_download.operation(RESTORE_UID, CLAIM))
    assert stand_in["status"]["phase"] == "Completed"
    assert "no machine of stillpoint.dev/only needs it" in stand_in["status"]["message"]


def test_a_restore_without_volumes_orders_nothing() -> None:
    asked = restore(rename="db=db2")
    asked["spec"]["restorePVs"] = False
    cluster = DictionaryReader([])
    assert executed(asked, cluster).operation == ""
    assert not [question for question in cluster.questions if "datadownloads" in question]


@pytest.mark.parametrize(
    ("status", "completed", "error", "done"),
    [
        ({}, False, "", 0),
        ({"phase": "InProgress", "progress": {"bytesDone": 3, "totalBytes": 7}}, False, "", 3),
        ({"phase": "Completed", "progress": {"bytesDone": 7, "totalBytes": 7}}, True, "", 7),
        ({"phase": "Failed", "message": "no space"}, True, "no space", 0),
        ({"phase": "Canceled"}, True, "DataDownload is canceled", 0),
    ],
)
def test_progress_is_that_of_the_data_mover(
    status: Item, completed: bool, error: str, done: int
) -> None:
    cluster = DictionaryReader([order(**status)])
    operation = data_download.operation(RESTORE_UID, CLAIM)
    told = action.progress(operation, restore_context(restore(), {}, cluster))
    assert (told.completed, told.error, told.done) == (completed, error, done)
    assert told.description == status.get("phase", "New")


def test_a_cancelled_operation_cancels_the_data_mover() -> None:
    cluster = DictionaryReader([order(phase="InProgress")])
    operation = data_download.operation(RESTORE_UID, CLAIM)
    action.cancel(operation, restore_context(restore(), {}, cluster))
    assert cluster.patches["velero/r-x7k2p"] == [{"spec": {"cancel": True}}]


def test_an_order_that_is_gone_is_an_error_not_an_end() -> None:
    with pytest.raises(Refusal, match="there is none any more"):
        action.progress("dd-x", restore_context(restore(), {}, DictionaryReader([])))
