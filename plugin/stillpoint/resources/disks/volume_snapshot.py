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
