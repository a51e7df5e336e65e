"""The DataUpload of a snapshot that the plugin has taken, and its operation in later processes."""

from typing import Any

import pytest

from stillpoint.actions.backup.snapshots import moved
from stillpoint.model.errors import Forbidden, NoResponse, Refusal
from stillpoint.model.item import Item
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import data_upload, own_snapshots
from stillpoint.velero.volumes.own_snapshots import Taken
from tests.unit.contexts import NOW, backup_context
from tests.unit.dictionary_reader import DictionaryReader

CLAIM: Item = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "db-root", "namespace": "shop", "uid": "claim-1"},
    "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
}
BACKUP: Item = {
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero", "uid": "backup-1"},
    "spec": {"snapshotMoveData": True, "storageLocation": "default"},
}
SNAPSHOT: Item = {
    "kind": "VolumeSnapshot",
    "metadata": {
        "name": "velero-db-root-x7k2p",
        "namespace": "shop",
        "labels": own_snapshots.new(CLAIM, BACKUP, "fast", "together")["metadata"]["labels"],
    },
    "spec": {"source": {"persistentVolumeClaimName": "db-root"}},
    "status": {"boundVolumeSnapshotContentName": "content-1"},
}
CONTENT: Item = {
    "kind": "VolumeSnapshotContent",
    "metadata": {"name": "content-1"},
    "spec": {
        "driver": "rbd.csi.ceph.com",
        "deletionPolicy": "Retain",
        "volumeSnapshotRef": {"namespace": "shop", "name": "velero-db-root-x7k2p"},
    },
}
TAKEN = Taken(SNAPSHOT, CONTENT)
OPERATION = data_upload.operation(BACKUP, CLAIM)


def agent(name: str = "node-agent", ready: int = 1) -> Item:
    return {
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "velero"},
        "status": {"numberReady": ready},
    }


def upload(**status: Any) -> Item:
    return {**data_upload.new(BACKUP, CLAIM, SNAPSHOT, CONTENT), "status": status}


def later(*objects: Item) -> tuple[DictionaryReader, BackupContext]:
    """What a process sees that Velero has started since."""
    reader = DictionaryReader(objects)
    return reader, backup_context(BACKUP, reader)


def kinds(reader: DictionaryReader) -> list[str]:
    return [each["kind"] for each in reader.objects]


class Forbidding(DictionaryReader):
    def create(self, resource: Any, item: Item) -> Item | None:
        raise Forbidden(f"{resource} {item['metadata']}", "cannot create", "no right", "grant it")


def test_the_claim_is_stored_as_velero_stores_it_and_its_upload_after_the_operation() -> None:
    reader, context = later(SNAPSHOT, CONTENT)
    outcome = moved.outcome(CLAIM, moved.begin(CLAIM, TAKEN, context), context)
    name = data_upload.name(BACKUP, OPERATION)
    assert outcome.operation == OPERATION
    assert outcome.additional == ()
    assert outcome.after_operation == (data_upload.RESOURCE.named("velero", name),)
    assert outcome.item["metadata"]["annotations"] == {
        "velero.io/volume-snapshot-name": "velero-db-root-x7k2p",
        "backup.velero.io/must-include-additional-items": "true",
        "velero.io/data-upload-name": f"velero/{name}",
    }
    assert outcome.item["spec"] == CLAIM["spec"]
    assert reader.objects[-1] == data_upload.new(BACKUP, CLAIM, SNAPSHOT, CONTENT)


def test_a_repeated_request_finds_the_first_upload() -> None:
    reader, context = later(SNAPSHOT, CONTENT)
    first = moved.begin(CLAIM, TAKEN, context)
    again = DictionaryReader(reader.objects)
    assert moved.begin(CLAIM, TAKEN, backup_context(BACKUP, again)) == first
    assert kinds(again).count("DataUpload") == 1


def test_a_new_process_knows_of_uploads_whose_snapshots_the_mover_has_deleted() -> None:
    reader, context = later(upload(phase="Completed"))
    assert moved.upload(CLAIM, context) == upload(phase="Completed")
    other = {**CLAIM, "metadata": {**CLAIM["metadata"], "uid": "claim-2"}}
    assert moved.upload(other, context) is None
    assert reader.questions == ["list datauploads.velero.io velero"]


def test_the_upload_of_somebody_else_is_left_alone_and_the_snapshot_discarded() -> None:
    theirs = upload()
    theirs["metadata"] |= {"labels": {"velero.io/backup-uid": "another"}}
    reader, context = later(SNAPSHOT, CONTENT, theirs)
    with pytest.raises(Refusal, match="exists, and is not of this backup; HINT: delete it"):
        moved.begin(CLAIM, TAKEN, context)
    assert theirs in reader.objects
    assert "VolumeSnapshot" not in kinds(reader)


def test_without_the_right_the_snapshot_goes_and_its_bytes_with_it() -> None:
    reader = Forbidding([SNAPSHOT, CONTENT])
    with pytest.raises(Forbidden, match="grant it"):
        moved.begin(CLAIM, TAKEN, backup_context(BACKUP, reader))
    assert "VolumeSnapshot" not in kinds(reader)
    assert reader.patches["/content-1"] == [{"spec": {"deletionPolicy": "Delete"}}]


class Losing(DictionaryReader):
    """The API server takes the object, or does not; its response never comes."""

    takes = True

    def create(self, resource: Any, item: Item) -> Item | None:
        if self.takes:
            super().create(resource, item)
        raise NoResponse(f"{resource} {item['metadata']['name']}", "cannot create", "it broke off")


def test_an_upload_whose_response_was_lost_is_at_work_and_keeps_its_snapshot() -> None:
    reader = Losing([SNAPSHOT, CONTENT])
    made = moved.begin(CLAIM, TAKEN, backup_context(BACKUP, reader))
    assert made == data_upload.new(BACKUP, CLAIM, SNAPSHOT, CONTENT)
    assert kinds(reader) == ["VolumeSnapshot", "VolumeSnapshotContent", "DataUpload"]


def test_an_upload_that_never_arrived_fails_its_claim_and_the_snapshot_goes() -> None:
    reader = Losing([SNAPSHOT, CONTENT])
    reader.takes = False
    with pytest.raises(NoResponse, match="it broke off"):
        moved.begin(CLAIM, TAKEN, backup_context(BACKUP, reader))
    assert kinds(reader) == ["VolumeSnapshotContent"]


@pytest.mark.parametrize(
    "agents", [[agent()], [agent(ready=0), agent("node-agent-windows")]], ids=["linux", "windows"]
)
def test_a_ready_node_agent_is_enough(agents: list[Item]) -> None:
    moved.check_mover(CLAIM, later(*agents)[1])


@pytest.mark.parametrize("agents", [[], [agent(ready=0)]], ids=["none", "none-ready"])
def test_without_a_ready_node_agent_the_claim_is_refused(agents: list[Item]) -> None:
    with pytest.raises(Refusal) as caught:
        moved.check_mover(CLAIM, later(*agents)[1])
    assert "PersistentVolumeClaim shop/db-root: cannot move its data: no node agent" in str(
        caught.value
    )


def test_the_mover_of_somebody_else_is_not_looked_for() -> None:
    asked = {**BACKUP, "spec": {**BACKUP["spec"], "datamover": "vendor"}}
    moved.check_mover(CLAIM, backup_context(asked, DictionaryReader([])))


@pytest.mark.parametrize(
    ("status", "completed", "description"),
    [
        ({}, False, "New: no node agent has accepted it"),
        ({"phase": "Accepted"}, False, "Accepted"),
        ({"phase": "InProgress", "progress": {"bytesDone": 3, "totalBytes": 7}}, False, None),
        ({"phase": "Completed", "progress": {"bytesDone": 7, "totalBytes": 7}}, True, None),
    ],
    ids=["new", "accepted", "in-progress", "completed"],
)
def test_progress_is_the_upload_s(status: Item, completed: bool, description: str | None) -> None:
    found = moved.progress(OPERATION, later(upload(**status))[1])
    assert (found.completed, found.error) == (completed, "")
    assert found.description == description or status["phase"]
    bytes_moved = status.get("progress", {})
    assert found.done == bytes_moved.get("bytesDone", 0)
    assert found.total == bytes_moved.get("totalBytes", 0)
    assert (found.units, found.updated) == ("Bytes", NOW)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ({"phase": "Failed", "message": "disk on fire", "node": "n1"}, "disk on fire"),
        ({"phase": "Failed", "node": "n1"}, "DataUpload has failed"),
        ({"phase": "Canceled", "acceptedByNode": "n1"}, "DataUpload is canceled"),
        ({"phase": "Canceled", "message": "no image", "node": "n1"}, "no image"),
    ],
)
def test_a_failure_has_claim_cause_and_remedy(status: Item, cause: str) -> None:
    found = moved.progress(OPERATION, later(upload(**status))[1])
    name = data_upload.name(BACKUP, OPERATION)
    assert found.completed
    assert found.error == (
        f"PersistentVolumeClaim shop/db-root: its data was not moved: DataUpload velero/{name}: "
        f"{cause}; HINT: read the log of Velero's node agent on node n1, and back up again"
    )


def test_an_upload_that_is_gone_is_an_error() -> None:
    with pytest.raises(Refusal, match="it is gone"):
        moved.progress(OPERATION, later()[1])


def test_cancelling_leaves_the_snapshot_to_a_mover_that_has_accepted_it() -> None:
    reader, context = later(upload(phase="InProgress"), SNAPSHOT, CONTENT)
    moved.cancel(OPERATION, context)
    name = data_upload.name(BACKUP, OPERATION)
    assert reader.patches == {f"velero/{name}": [{"spec": {"cancel": True}}]}
    assert "VolumeSnapshot" in kinds(reader)


def test_cancelling_discards_the_snapshot_that_no_mover_has_accepted() -> None:
    reader, context = later(upload(), SNAPSHOT, CONTENT)
    moved.cancel(OPERATION, context)
    assert "VolumeSnapshot" not in kinds(reader)
