"""A machine that reaches nothing but its own disks, and what could still reach further.

Network: a guest gets a default interface unless `autoattachPodInterface` is false
(pkg/network/vmispec/defaults.go of KubeVirt v1.9), and every annotation of a template comes to its
launcher pod (filterVMIAnnotationsForPod in pkg/virt-controller/services/template.go), where multus
and others read theirs.
"""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.machines import virtual_machine

_KNOWN_VOLUMES = frozenset(
    (
        "cloudInitConfigDrive",
        "cloudInitNoCloud",
        "configMap",
        "containerDisk",
        "dataVolume",
        "downwardAPI",
        "downwardMetrics",
        "emptyDisk",
        "ephemeral",
        "memoryDump",
        "persistentVolumeClaim",
        "secret",
        "serviceAccount",
        "sysprep",
    )
)
"""Kinds of volumes that are of the machine's namespace, or of nothing."""

_METADATA = ("spec", "template", "metadata")
_DEVICES = ("domain", "devices")
_KUBEVIRT = "kubevirt.io"
_OF_NETWORKS = ("cni.cncf.io", "multus-cni.io")


def obstacles(specification: Item) -> Iterator[str]:
    """Parts of a guest's specification by which it would reach the node, or what others use."""
    for volume in it.sequence(specification, "volumes"):
        for kind in sorted(volume.keys() - {"name"} - _KNOWN_VOLUMES):
            yield f"volume {it.text(volume, 'name')} is a {kind}"
    for disk in it.sequence(specification, *_DEVICES, "disks"):
        if "lun" in disk:
            yield f"disk {it.text(disk, 'name')} is a LUN"
    for device in it.sequence(specification, *_DEVICES, "hostDevices"):
        yield f"{it.text(device, 'name')} is a device of the node"


def change(machine: Item, *, keeps_pod_network: bool) -> Item:
    """The merge patch that takes a halted machine's ways to anything else away.

    It is of this version of the machine alone. Besides: the copy preempts nobody, keeps a log of
    its console, and ends at once when it is deleted, as none of its data is needed then.
    """
    specification = virtual_machine.template(machine)
    networks, devices = _network(specification, keeps_pod_network=keeps_pod_network)
    devices |= {"logSerialConsole": True, "autoattachVSOCK": None}
    metadata = {
        kind: dict.fromkeys(filter(_is_foreign, it.mapping(machine, *_METADATA, kind)))
        for kind in ("annotations", "labels")
    }
    return {
        "metadata": {"resourceVersion": it.text(machine, "metadata", "resourceVersion")},
        "spec": {
            "runStrategy": virtual_machine.HALTED,
            "running": None,
            "template": {
                "metadata": {kind: names for kind, names in metadata.items() if names},
                "spec": {
                    **networks,
                    "domain": {"devices": devices},
                    "priorityClassName": None,
                    "terminationGracePeriodSeconds": 0,
                },
            },
        },
    }


def start(machine: Item) -> Item:
    """The merge patch that starts a machine once, if it is as it was read."""
    version = it.text(machine, "metadata", "resourceVersion")
    return {"metadata": {"resourceVersion": version}, "spec": {"runStrategy": "Once"}}


def stop() -> Item:
    """The merge patch that ends a machine."""
    return {"spec": {"runStrategy": virtual_machine.HALTED}}


def gaps(machine: Item, *, keeps_pod_network: bool) -> Iterator[str]:
    """Ways to anything else that a machine still has, or comes to have when it is started."""
    specification = virtual_machine.template(machine)
    yield from obstacles(specification)
    yield from _networks(specification, keeps_pod_network=keeps_pod_network)
    for kind in ("annotations", "labels"):
        for name in filter(_is_foreign, it.mapping(machine, *_METADATA, kind)):
            yield f"its template has the {kind.removesuffix('s')} {name}"
    if it.text(specification, "priorityClassName"):
        yield "it has a priority class"
    interfaces = it.sequence(specification, *_DEVICES, "interfaces")
    if not keeps_pod_network and not interfaces and _attaches_by_itself(specification):
        yield "KubeVirt would give it an interface"


def gaps_of_instance(instance: Item, *, keeps_pod_network: bool) -> Iterator[str]:
    """Ways to anything else that a started instance has, by a preference or a webhook."""
    specification = it.mapping(instance, "spec")
    yield from obstacles(specification)
    yield from _networks(specification, keeps_pod_network=keeps_pod_network)
    for name in it.annotations(instance):
        if _domain(name).endswith(_OF_NETWORKS):
            yield f"it has the annotation {name}"


def _network(specification: Item, *, keeps_pod_network: bool) -> tuple[Item, Item]:
    """Merge patches of the specification and of its devices, for networks and interfaces."""
    networks = it.sequence(specification, "networks")
    if keeps_pod_network and not networks and _attaches_by_itself(specification):
        return {}, {}  # the pod network alone, by KubeVirt's default
    kept = [one for one in networks if keeps_pod_network and _is_of_pods(one)]
    names = {it.text(one, "name") for one in kept}
    interfaces = [
        one
        for one in it.sequence(specification, *_DEVICES, "interfaces")
        if it.text(one, "name") in names
    ]
    devices = {"interfaces": interfaces or None, "autoattachPodInterface": bool(interfaces)}
    return {"networks": kept or None}, devices


def _networks(specification: Item, *, keeps_pod_network: bool) -> Iterator[str]:
    for one in it.sequence(specification, "networks"):
        if not (keeps_pod_network and _is_of_pods(one)):
            yield f"it is in the network {it.text(one, 'name')}"
    interfaces = it.sequence(specification, *_DEVICES, "interfaces")
    if interfaces and not keeps_pod_network:
        yield f"it has the interface {it.text(interfaces[0], 'name')}"


def _is_of_pods(network: Item) -> bool:
    return "pod" in network and "multus" not in network


def _attaches_by_itself(specification: Item) -> bool:
    return it.mapping(specification, *_DEVICES).get("autoattachPodInterface") is not False


def _is_foreign(name: str) -> bool:
    """True for a label or annotation that is not KubeVirt's."""
    domain = _domain(name)
    return domain != _KUBEVIRT and not domain.endswith(f".{_KUBEVIRT}")


def _domain(name: str) -> str:
    return name.partition("/")[0] if "/" in name else ""
