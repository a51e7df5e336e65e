"""StorageClass (storage.k8s.io/v1)."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass")


def binds_at_first_use(storage_class: Item) -> bool:
    """True if a claim stays unbound until its first pod is scheduled."""
    return it.text(storage_class, "volumeBindingMode") == "WaitForFirstConsumer"


def provisioner(storage_class: Item) -> str:
    """Name of the driver that makes volumes of the class."""
    return it.text(storage_class, "provisioner")
