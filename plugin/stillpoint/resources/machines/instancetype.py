"""Instancetypes and preferences (instancetype.kubevirt.io), the sizes that machines name.

KubeVirt keeps the revision in effect as a ControllerRevision. The object itself is needed where no
revision is known yet, and by whoever edits or creates machines after a restore.
"""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource

_GROUP, _VERSION = "instancetype.kubevirt.io", "v1beta1"

INSTANCETYPE = Resource(
    _GROUP, _VERSION, "virtualmachineinstancetypes", "VirtualMachineInstancetype"
)
PREFERENCE = Resource(_GROUP, _VERSION, "virtualmachinepreferences", "VirtualMachinePreference")
CLUSTER_INSTANCETYPE = Resource(
    _GROUP, _VERSION, "virtualmachineclusterinstancetypes", "VirtualMachineClusterInstancetype"
)
CLUSTER_PREFERENCE = Resource(
    _GROUP, _VERSION, "virtualmachineclusterpreferences", "VirtualMachineClusterPreference"
)

_NAMESPACED = (("instancetype", INSTANCETYPE), ("preference", PREFERENCE))
_OF_CLUSTER = (("instancetype", CLUSTER_INSTANCETYPE), ("preference", CLUSTER_PREFERENCE))


def local_references(machine: Item) -> Iterator[Reference]:
    """The instancetype and preference of its own namespace that a machine names."""
    for field, resource in _NAMESPACED:
        if it.text(machine, "spec", field, "name") and _kind(machine, field) in _names(resource):
            name = it.text(machine, "spec", field, "name")
            yield resource.named(it.namespace(machine), name)


def of_cluster(machine: Item) -> Iterator[Reference]:
    """The cluster-wide instancetype and preference that a machine names, with a kind or without."""
    for field, resource in _OF_CLUSTER:
        kind = _kind(machine, field)
        name = it.text(machine, "spec", field, "name")
        if name and (not kind or kind in _names(resource)):
            yield resource.named("", name)


def _kind(machine: Item, field: str) -> str:
    return it.text(machine, "spec", field, "kind").lower()


def _names(resource: Resource) -> tuple[str, str]:
    """Names of the kind for KubeVirt, in lower case (v1.9, pkg/instancetype/find/spec.go)."""
    return resource.plural, resource.kind.lower()
