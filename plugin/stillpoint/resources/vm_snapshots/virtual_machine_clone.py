"""VirtualMachineClone (clone.kubevirt.io/v1beta1): a new machine from a machine or a snapshot.

Source: pkg/virt-controller/watch/clone of KubeVirt v1.9.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("clone.kubevirt.io", "v1beta1", "virtualmachineclones", "VirtualMachineClone")
OF_MACHINE, OF_SNAPSHOT = "VirtualMachine", "VirtualMachineSnapshot"
_GROUPS = {OF_MACHINE: "kubevirt.io", OF_SNAPSHOT: "snapshot.kubevirt.io"}


def manifest(identity: tuple[str, str], source: tuple[str, str], target: str, more: Item) -> Item:
    """A new clone.

    Args:
        identity: namespace and name of the clone.
        source: kind and name of what is cloned.
        target: name of the new machine.
        more: further fields of the specification.
    """
    kind, name = source
    return {
        "apiVersion": f"{RESOURCE.group}/{RESOURCE.version}",
        "kind": RESOURCE.kind,
        "metadata": {"name": identity[1], "namespace": identity[0]},
        "spec": {
            "source": {"apiGroup": _GROUPS[kind], "kind": kind, "name": name},
            "target": {"apiGroup": _GROUPS[OF_MACHINE], "kind": OF_MACHINE, "name": target},
            **more,
        },
    }


def source(clone: Item) -> str:
    """Kind and name of what is cloned: `VirtualMachine db`."""
    path = ("spec", "source")
    return f"{it.text(clone, *path, 'kind')} {it.text(clone, *path, 'name')}"


def target(clone: Item) -> str:
    """Name of the new machine, as KubeVirt says, else as it is to be."""
    return it.text(clone, "status", "targetName") or it.text(clone, "spec", "target", "name")


def phase(clone: Item) -> str:
    """The step at which the clone is, `RestoreInProgress`, or its end, `Succeeded` or `Failed`."""
    return it.text(clone, "status", "phase")


def trouble(clone: Item) -> str:
    """KubeVirt's reason why the clone is not ready; may be empty."""
    reasons = {
        it.text(one, "type"): it.text(one, "reason") or it.text(one, "message")
        for one in it.sequence(clone, "status", "conditions")
    }
    said = (reasons.get(one, "") for one in ("Ready", "Progressing"))
    return "; ".join(dict.fromkeys(filter(None, said)))
