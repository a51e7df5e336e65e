"""StorageProfile (cdi.kubevirt.io/v1beta1): what CDI knows of a StorageClass of the same name."""

from collections.abc import Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("cdi.kubevirt.io", "v1beta1", "storageprofiles", "StorageProfile")


def property_sets(profile: Item) -> Sequence[Item]:
    """Access and volume modes in effect, best first; empty where CDI knows none.

    Source: pkg/controller/storageprofile-controller.go of containerized-data-importer.
    """
    return it.sequence(profile, "status", "claimPropertySets")
