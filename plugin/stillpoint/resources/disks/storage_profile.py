"""StorageProfile (cdi.kubevirt.io/v1beta1): what CDI knows of a storage class, under its name."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("cdi.kubevirt.io", "v1beta1", "storageprofiles", "StorageProfile")


def snapshot_class(profile: Item) -> str:
    """Name of the VolumeSnapshotClass that CDI and KubeVirt take for the class; may be empty."""
    return it.text(profile, "status", "snapshotClass")
