"""What lives around one item of a namespace and is not named in it.

All questions about a namespace are answered from one list per kind (`model.reader.Index`).
"""

from collections.abc import Sequence

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reader import Index
from plugin.resources import (
    persistent_volume_claim,
    pod,
    virtual_machine,
    virtual_machine_instance,
)


def instance(cluster: Index, machine: Item) -> Item | None:
    """The instance of a virtual machine; None if there is none."""
    if not virtual_machine.has_instance(machine):
        return None
    return cluster.get(virtual_machine_instance.RESOURCE, *it.identify(machine))


def launcher_pod(cluster: Index, instance: Item) -> Item | None:
    """The pod in which the guest of an instance runs now; None if it runs in none."""
    pods = cluster.grouped(pod.RESOURCE, it.namespace(instance), pod.instances, pod.OF_MACHINES)
    return pod.live(pods.get(it.name(instance), ()), instance)


def state_claims(cluster: Index, machine: Item) -> Sequence[Item]:
    """The claims that hold vTPM, EFI and changed-block state of a virtual machine."""
    by_machine = cluster.grouped(
        persistent_volume_claim.RESOURCE,
        it.namespace(machine),
        persistent_volume_claim.machines_with_state,
    )
    return by_machine.get(it.name(machine), ())
