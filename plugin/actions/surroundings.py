"""What lives around one item of a namespace: the machine, its instance, pods and state.

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


def machine(cluster: Index, namespace: str, name: str) -> Item | None:
    """A virtual machine."""
    return cluster.get(virtual_machine.RESOURCE, namespace, name)


def instance(cluster: Index, namespace: str, name: str) -> Item | None:
    """An instance; that of a virtual machine has the machine's name."""
    return cluster.get(virtual_machine_instance.RESOURCE, namespace, name)


def launcher_pod(cluster: Index, running: Item) -> Item | None:
    """The pod in which the guest of an instance runs now; None if it runs in none."""
    pods = cluster.grouped(pod.RESOURCE, it.namespace(running), pod.instances, pod.OF_MACHINES)
    return pod.live(pods.get(it.name(running), ()), running)


def instance_of_launcher(cluster: Index, namespace: str, launcher: str) -> str:
    """Name of the instance whose guest runs in the launcher pod of this name; may be empty."""
    pods = cluster.grouped(pod.RESOURCE, namespace, _names, pod.OF_MACHINES)
    for found in pods.get(launcher, ()):
        return next(iter(pod.instances(found)), "")
    return ""


def state_claims(cluster: Index, namespace: str, name: str) -> Sequence[Item]:
    """The claims that hold vTPM, EFI and changed-block state of a virtual machine."""
    by_machine = cluster.grouped(
        persistent_volume_claim.RESOURCE, namespace, persistent_volume_claim.machines_with_state
    )
    return by_machine.get(name, ())


def _names(item: Item) -> tuple[str]:
    return (it.name(item),)
