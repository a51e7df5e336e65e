"""VolumeSnapshot (snapshot.storage.k8s.io/v1)."""

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Resource

RESOURCE = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot")

ORIGINAL_UID = "velero.kubevirt.io/original-volumesnapshot-uid"
"""Annotation with the value that the user's own `pvc-uid` label had."""


def claim(snapshot: Item) -> str:
    """Name of the claim that was cut; empty for a snapshot that was imported."""
    return it.text(snapshot, "spec", "source", "persistentVolumeClaimName")
