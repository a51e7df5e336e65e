"""StorageClass (storage.k8s.io/v1)."""

from collections.abc import Iterable

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass")


_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def default(classes: Iterable[Item]) -> str:
    """Name of the class of claims that name none; empty if there is none.

    Of several the newest counts, and of those the first by name.
    Source: pkg/volume/util/storageclass.go of Kubernetes v1.36.
    """
    found = [one for one in classes if it.annotations(one).get(_DEFAULT) == "true"]
    found.sort(key=it.name)
    found.sort(key=lambda one: it.text(one, "metadata", "creationTimestamp"), reverse=True)
    return it.name(found[0]) if found else ""


def binds_at_first_use(storage_class: Item) -> bool:
    """True if a claim stays unbound until its first pod is scheduled."""
    return it.text(storage_class, "volumeBindingMode") == "WaitForFirstConsumer"


def provisioner(storage_class: Item) -> str:
    """Name of the driver that makes volumes of the class."""
    return it.text(storage_class, "provisioner")
