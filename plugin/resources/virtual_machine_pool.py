"""VirtualMachinePool: makes virtual machines by a template (pool.kubevirt.io)."""

from collections.abc import Iterable, Iterator

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Reference, Resource
from plugin.resources import virtual_machine

RESOURCE = Resource("pool.kubevirt.io", "v1beta1", "virtualmachinepools", "VirtualMachinePool")


def references(pool: Item) -> Iterator[Reference]:
    """Every object of its namespace that the template of its machines needs."""
    template = it.required(pool, "spec", "virtualMachineTemplate", "spec")
    metadata = {"namespace": it.namespace(pool), "name": it.name(pool)}
    yield from virtual_machine.references(
        {"kind": RESOURCE.kind, "metadata": metadata, "spec": template}
    )


def of_machine(machine: Item) -> Iterable[str]:
    """Name of the pool that made a machine: one, or none."""
    name = it.owner(machine, RESOURCE.kind)
    return (name,) if name else ()
