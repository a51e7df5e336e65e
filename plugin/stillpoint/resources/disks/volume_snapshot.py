"""VolumeSnapshot (snapshot.storage.k8s.io/v1)."""

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item

RESOURCE = kinds.VOLUME_SNAPSHOT

ORIGINAL_UID = "velero.kubevirt.io/original-volumesnapshot-uid"
"""Annotation with the value that the user's own `pvc-uid` label had."""


def claim(snapshot: Item) -> str:
    """Name of the snapshot's claim; empty for a snapshot that was imported."""
    return it.text(snapshot, "spec", "source", "persistentVolumeClaimName")


def claims(snapshot: Item) -> tuple[str]:
    """Name of the snapshot's claim as the only key for `Index.list_grouped`."""
    return (claim(snapshot),)


def content(snapshot: Item) -> str:
    """Name of the VolumeSnapshotContent that the snapshot is bound to; empty if not yet."""
    return it.text(snapshot, "status", "boundVolumeSnapshotContentName")


def group(snapshot: Item) -> str:
    """Name of the VolumeGroupSnapshot that the snapshot was taken with; empty if with none.

    It is in the status, which the snapshot controller writes, and stays when the group is gone.
    """
    return it.text(snapshot, "status", "volumeGroupSnapshotName")


def is_taken(snapshot: Item) -> bool:
    """True if the storage has the bytes: the snapshot controller has copied their moment.

    Source: updateSnapshotStatus in pkg/common-controller/snapshot_controller.go of
    external-snapshotter v8.6; the driver gives moment and handle in one response.
    """
    return bool(content(snapshot)) and bool(it.text(snapshot, "status", "creationTime"))


def error(snapshot: Item) -> str:
    """The storage's latest message about a failure; snapshot and content have the same."""
    return it.text(snapshot, "status", "error", "message")


def is_unsupported(message: str) -> bool:
    """True if a failure says that the driver has no such call at all, so that waiting is no use.

    The sidecar hands on the error of gRPC as Go writes it (external-snapshotter v8.6).
    """
    return "code = Unimplemented" in message


def is_ready(snapshot: Item) -> bool | None:
    """True if a volume can be made of the snapshot; None if the storage says nothing."""
    status = it.mapping(snapshot, "status")
    return it.flag(status, "readyToUse") if "readyToUse" in status else None
