"""DataUpload (velero.io/v2alpha1), by which a data mover stores the bytes of a snapshot.

Source: pkg/backup/actions/csi/pvc_action.go of Velero v1.18, whose own action makes it for the
snapshots that it takes. Its name there is random; here it is derived from the operation, so that a
request that is repeated makes no second one.
"""

import hashlib
from collections.abc import Iterable

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.velero import marks
from stillpoint.velero.volumes import data_movement

RESOURCE = Resource("velero.io", "v2alpha1", "datauploads", "DataUpload")

_COMPLETED = "Completed"
_CLAIM_UID = "velero.io/pvc-uid"
_LONGEST_NAME = 63
"""Pods, claims and snapshots of the data mover take over the name of their DataUpload."""

_DIGEST = 10


def operation(backup: Item, claim: Item) -> str:
    """Id of the operation that moves the data of a claim."""
    return marks.label_value(f"du-{it.uid(backup)}.{it.uid(claim)}")


def name(backup: Item, operation_id: str) -> str:
    """Name of the DataUpload of an operation."""
    digest = hashlib.sha256(operation_id.encode()).hexdigest()[:_DIGEST]
    beginning = it.name(backup)[: _LONGEST_NAME - _DIGEST - 1].rstrip("-.")
    return f"{beginning}-{digest}"


def new(backup: Item, claim: Item, snapshot: Item, content: Item) -> Item:
    """A new DataUpload.

    Args:
        snapshot: the VolumeSnapshot of the claim.
        content: the VolumeSnapshotContent that it is bound to.
    """
    operation_id = operation(backup, claim)
    owner = {"apiVersion": "velero.io/v1", "kind": "Backup", "controller": True}
    return {
        "apiVersion": f"{RESOURCE.group}/{RESOURCE.version}",
        "kind": RESOURCE.kind,
        "metadata": {
            "namespace": it.namespace(backup),
            "name": name(backup, operation_id),
            "labels": {
                marks.OF_BACKUP: marks.label_value(it.name(backup)),
                marks.OF_BACKUP_UID: it.uid(backup),
                _CLAIM_UID: it.uid(claim),
                data_movement.OPERATION: operation_id,
            },
            "ownerReferences": [owner | {"name": it.name(backup), "uid": it.uid(backup)}],
        },
        "spec": _spec(backup, claim, snapshot, content),
    }


def is_of(upload: Item, backup: Item, claim: Item) -> bool:
    """True if the upload is that of the claim in the backup."""
    labels = it.labels(upload)
    found = labels.get(marks.OF_BACKUP_UID), labels.get(_CLAIM_UID)
    return found == (it.uid(backup), it.uid(claim))


def backup_uid(upload: Item) -> str:
    """Uid of the upload's Backup; empty if no label says it."""
    return it.text(upload, "metadata", "labels", marks.OF_BACKUP_UID)


def selector(backup: Item) -> str:
    """Label selector of the uploads of a backup."""
    return f"{marks.OF_BACKUP_UID}={it.uid(backup)}"


def claim_uids(upload: Item) -> Iterable[str]:
    """Uid of the upload's claim as the only key for `Index.list_grouped`."""
    return (it.text(upload, "metadata", "labels", _CLAIM_UID),)


def source_namespaces(upload: Item) -> Iterable[str]:
    """Namespace of the upload's claim as the only key for `Index.list_grouped`."""
    return (it.text(upload, "spec", "sourceNamespace"),)


def snapshot(upload: Item) -> Reference:
    """The VolumeSnapshot whose bytes are moved."""
    name = it.text(upload, "spec", "csiSnapshot", "volumeSnapshot")
    return kinds.VOLUME_SNAPSHOT.named(it.text(upload, "spec", "sourceNamespace"), name)


def claim(upload: Item) -> Reference:
    """The claim whose data is moved."""
    name = it.text(upload, "spec", "sourcePVC")
    return kinds.CLAIM.named(it.text(upload, "spec", "sourceNamespace"), name)


def phase(upload: Item) -> str:
    """For instance `Completed`; empty before a data mover has seen the upload."""
    return it.text(upload, "status", "phase")


def shortcoming(upload: Item) -> str:
    """Why the data was not moved wholly, in the data mover's words; empty if it was."""
    if phase(upload) != _COMPLETED:
        said = phase(upload), data_movement.message(upload)
        return ": ".join(filter(None, said)) or "without a phase"
    return "" if moved_snapshot(upload) else f"{_COMPLETED}, without a snapshotID"


def moved_snapshot(upload: Item) -> str:
    """The repository's name for what was moved; empty until it is."""
    return it.text(upload, "status", "snapshotID")


def moved_bytes(upload: Item) -> int | None:
    """The bytes of the disk; None if not known."""
    size = it.mapping(upload, "status", "progress").get("totalBytes")
    return size if isinstance(size, int) else None


def driver(upload: Item) -> str:
    """Name of the CSI driver of the snapshot; may be empty."""
    return it.text(upload, "spec", "csiSnapshot", "driver")


def _spec(backup: Item, claim: Item, snapshot: Item, content: Item) -> Item:
    asked = it.mapping(backup, "spec")
    mover = it.text(asked, "datamover")
    files = it.mapping(asked, "uploaderConfig").get("parallelFilesUpload") or 0
    return {
        "snapshotType": "CSI",
        "csiSnapshot": {
            "volumeSnapshot": it.name(snapshot),
            "storageClass": it.text(claim, "spec", "storageClassName"),
            "snapshotClass": it.text(snapshot, "spec", "volumeSnapshotClassName"),
            "driver": it.text(content, "spec", "driver"),
        },
        "sourcePVC": it.name(claim),
        "sourceNamespace": it.namespace(claim),
        "backupStorageLocation": it.text(asked, "storageLocation"),
        "operationTimeout": it.text(asked, "csiSnapshotTimeout") or "10m0s",
        **({"datamover": mover} if mover else {}),
        **({"dataMoverConfig": {"ParallelFilesUpload": str(files)}} if files else {}),
    }
