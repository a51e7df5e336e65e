"""VolumeSnapshotContent (snapshot.storage.k8s.io/v1): a snapshot in the storage."""

from collections.abc import Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference

RESOURCE = kinds.VOLUME_SNAPSHOT_CONTENT


def handle(content: Item) -> str:
    """The storage's name for the snapshot; empty until its bytes are there."""
    return it.text(content, "status", "snapshotHandle")


def driver(content: Item) -> str:
    """Name of the CSI driver that has the snapshot."""
    return it.text(content, "spec", "driver")


def restore_bytes(content: Item) -> int:
    """The least size of a volume that is made of the snapshot; 0 if the driver does not say."""
    size = it.mapping(content, "status").get("restoreSize")
    return size if isinstance(size, int) else 0


def snapshot(content: Item) -> Reference:
    """The VolumeSnapshot that the content says it is of."""
    bound = it.mapping(content, "spec", "volumeSnapshotRef")
    return kinds.VOLUME_SNAPSHOT.named(it.text(bound, "namespace"), it.text(bound, "name"))


def snapshot_uid(content: Item) -> str:
    """The uid of that VolumeSnapshot; empty until they are bound."""
    return it.text(content, "spec", "volumeSnapshotRef", "uid")


def is_bound_to(content: Item, snapshot: Item) -> bool:
    """True if the content says so too: who may write a snapshot's status can name any content."""
    bound = it.mapping(content, "spec", "volumeSnapshotRef")
    found = it.text(bound, "namespace"), it.text(bound, "name"), it.text(bound, "uid")
    return found == (it.namespace(snapshot), it.name(snapshot), it.uid(snapshot))


def is_deleted_with_snapshot(content: Item) -> bool:
    """True if the snapshot in the storage goes with its VolumeSnapshot."""
    return it.text(content, "spec", "deletionPolicy") == "Delete"


def is_in_group(content: Item) -> bool:
    """True if the snapshot was taken with a group.

    The sidecar then leaves its bytes to the deletion of the group (syncContent in
    pkg/sidecar-controller/snapshot_controller.go of external-snapshotter v8.6).
    """
    return bool(it.text(content, "status", "volumeGroupSnapshotHandle"))


def without_group() -> Item:
    """The merge patch of the status by which the bytes of a member can be deleted alone."""
    return {"status": {"volumeGroupSnapshotHandle": None}}


def without_group_if_of(snapshot: Item) -> Sequence[Item]:
    """The same as a JSON patch, which the API server refuses for a content of another snapshot."""
    return (
        {"op": "test", "path": "/spec/volumeSnapshotRef/uid", "value": it.uid(snapshot)},
        {"op": "remove", "path": "/status/volumeGroupSnapshotHandle"},
    )


def deletion_with_snapshot() -> Item:
    """The merge patch that lets the snapshot in the storage go with its VolumeSnapshot."""
    return {"spec": {"deletionPolicy": "Delete"}}


def is_of_existing(content: Item) -> bool:
    """True if the content was made for a snapshot that the storage had already."""
    return bool(it.text(content, "spec", "source", "snapshotHandle"))


def is_retained(content: Item) -> bool:
    """True if the snapshot in the storage stays when this object or its VolumeSnapshot goes."""
    return it.text(content, "spec", "deletionPolicy") == "Retain"
