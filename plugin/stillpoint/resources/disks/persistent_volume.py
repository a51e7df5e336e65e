"""PersistentVolume (v1), which has the bytes of a claim."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("", "v1", "persistentvolumes", "PersistentVolume")


def csi_driver(volume: Item) -> str:
    """Name of the volume's CSI driver; empty for any other volume, which no snapshot covers."""
    return it.text(volume, "spec", "csi", "driver")


def csi_handle(volume: Item) -> str:
    """The CSI driver's name for the volume; empty for any other volume."""
    return it.text(volume, "spec", "csi", "volumeHandle")


def is_deleted_with_claim(volume: Item) -> bool:
    """True if the storage frees the volume when its claim goes."""
    return it.text(volume, "spec", "persistentVolumeReclaimPolicy") == "Delete"
