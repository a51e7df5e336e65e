"""VirtualMachineInstanceReplicaSet: makes instances by a template (kubevirt.io/v1)."""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.resources.machines import virtual_machine_instance

RESOURCE = Resource(
    "kubevirt.io",
    "v1",
    "virtualmachineinstancereplicasets",
    "VirtualMachineInstanceReplicaSet",
)


def references(replica_set: Item) -> Iterator[Reference]:
    """The objects of its namespace that the template of its instances needs."""
    template = it.require_mapping(replica_set, "spec", "template", "spec")
    metadata = {"namespace": it.namespace(replica_set), "name": it.name(replica_set)}
    yield from virtual_machine_instance.references(
        {"kind": RESOURCE.kind, "metadata": metadata, "spec": template}
    )
