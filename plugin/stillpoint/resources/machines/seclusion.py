"""A machine that reaches nothing but its own disks, and what could still reach further.

Network: a guest gets a default interface unless `autoattachPodInterface` is false
(pkg/network/vmispec/defaults.go of KubeVirt v1.9), and every annotation of a template comes to its
launcher pod (filterVMIAnnotationsForPod in pkg/virt-controller/services/template.go), where multus
and others read theirs. KubeVirt reads one that names images to run beside the guest (pkg/hooks).

What is not known to stay within the machine counts as a way to anything else: kinds of volumes, of
devices, of interfaces, and domains of annotations.
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

_KNOWN_DEVICES = frozenset(
    (
        "autoattachGraphicsDevice",
        "autoattachInputDevice",
        "autoattachMemBalloon",
        "autoattachPodInterface",
        "autoattachSerialConsole",
        "blockMultiQueue",
        "clientPassthrough",
        "disableHotplug",
        "disks",
        "downwardMetrics",
        "filesystems",
        "inputs",
        "interfaces",
        "logSerialConsole",
        "networkInterfaceMultiqueue",
        "panicDevices",
        "rng",
        "sound",
        "tpm",
        "useVirtioTransitional",
        "video",
        "watchdog",
    )
)
"""Kinds of devices that QEMU plays, or that are of the machine's volumes and networks."""

_OF_NODE = ("gpus", "hostDevices")
_VSOCK = "autoattachVSOCK"
"""A way between guest and node, which the patch takes away."""

_KNOWN_INTERFACES = frozenset(
    (
        "acpiIndex",
        "bootOrder",
        "dhcpOptions",
        "macAddress",
        "model",
        "name",
        "pciAddress",
        "portRanges",
        "ports",
        "state",
        "tag",
    )
)
"""Fields of an interface that say nothing of where it leads."""

_BINDINGS = frozenset(("bridge", "masquerade"))
"""Those of KubeVirt's own bindings that lead to the launcher pod's interface and nowhere else; a
plugin's may bring a network of its own."""

_METADATA = ("spec", "template", "metadata")
_DEVICES = ("domain", "devices")
_KUBEVIRT = frozenset(("kubevirt.io", "vm.kubevirt.io", "alpha.kubevirt.io"))
"""Domains of labels and annotations that stay; `hooks.kubevirt.io` is not one of them."""

_SIDECARS = "hooks.kubevirt.io/hookSidecars"


def obstacles(machine: Item) -> Iterator[str]:
    """Parts of a machine by which its guest would reach the node, or what others use.

    Without them the guest would be another one: nothing is taken away.
    """
    yield from _obstacles(virtual_machine.template(machine))
    if _SIDECARS in it.mapping(machine, *_METADATA, "annotations"):
        yield f"{_SIDECARS} runs images beside its guest"


def _obstacles(specification: Item) -> Iterator[str]:
    for volume in it.sequence(specification, "volumes"):
        for kind in sorted(volume.keys() - {"name"} - _KNOWN_VOLUMES):
            yield f"volume {it.text(volume, 'name')} is a {kind}"
    for disk in it.sequence(specification, *_DEVICES, "disks"):
        if "lun" in disk:
            yield f"disk {it.text(disk, 'name')} is a LUN"
    for kind in _OF_NODE:
        for device in it.sequence(specification, *_DEVICES, kind):
            yield f"{it.text(device, 'name')} is a device of the node"
    devices = it.mapping(specification, *_DEVICES)
    for kind in sorted(devices.keys() - _KNOWN_DEVICES - {*_OF_NODE, _VSOCK}):
        if devices[kind]:
            yield f"it has {kind}, which this version does not know"


def change(machine: Item, *, keeps_pod_network: bool) -> Item:
    """The merge patch that takes a halted machine's ways to anything else away.

    It is of this version of the machine alone. Besides: the copy preempts nobody, keeps a log of
    its console, and ends at once when it is deleted, as none of its data is needed then.
    """
    specification = virtual_machine.template(machine)
    networks, devices = _network(specification, keeps_pod_network=keeps_pod_network)
    devices |= {"logSerialConsole": True, _VSOCK: None}
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


def stop(machine: Item) -> Item:
    """The merge patch that ends a machine; the API server refuses it for another of the name."""
    return {"metadata": {"uid": it.uid(machine)}, "spec": {"runStrategy": virtual_machine.HALTED}}


def gaps(machine: Item, *, keeps_pod_network: bool) -> Iterator[str]:
    """Ways to anything else that a machine still has, or comes to have when it is started."""
    specification = virtual_machine.template(machine)
    yield from obstacles(machine)
    yield from _connections(specification, keeps_pod_network=keeps_pod_network)
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
    yield from _obstacles(specification)
    yield from _connections(specification, keeps_pod_network=keeps_pod_network)
    for name in filter(_is_foreign, it.annotations(instance)):
        yield f"it has the annotation {name}"


def _network(specification: Item, *, keeps_pod_network: bool) -> tuple[Item, Item]:
    """Merge patches of the specification and of its devices, for networks and interfaces."""
    networks = it.sequence(specification, "networks")
    if keeps_pod_network and not networks and _attaches_by_itself(specification):
        return {}, {}  # the pod network alone, by KubeVirt's default
    pods = {it.text(one, "name") for one in networks if keeps_pod_network and _is_of_pods(one)}
    interfaces = [
        one
        for one in it.sequence(specification, *_DEVICES, "interfaces")
        if it.text(one, "name") in pods and _is_bound_to_pod(one)
    ]
    names = {it.text(one, "name") for one in interfaces}
    kept = [one for one in networks if it.text(one, "name") in names]
    devices = {"interfaces": interfaces or None, "autoattachPodInterface": bool(interfaces)}
    return {"networks": kept or None}, devices


def _connections(specification: Item, *, keeps_pod_network: bool) -> Iterator[str]:
    for one in it.sequence(specification, "networks"):
        if not (keeps_pod_network and _is_of_pods(one)):
            yield f"it is in the network {it.text(one, 'name')}"
    for one in it.sequence(specification, *_DEVICES, "interfaces"):
        if not (keeps_pod_network and _is_bound_to_pod(one)):
            yield f"it has the interface {it.text(one, 'name')}"
    if it.mapping(specification, *_DEVICES).get(_VSOCK):
        yield f"it has {_VSOCK}, a way to its node"


def _is_of_pods(network: Item) -> bool:
    return network.keys() == {"name", "pod"}


def _is_bound_to_pod(interface: Item) -> bool:
    """True for an interface that leads through the launcher pod's own."""
    bindings = interface.keys() - _KNOWN_INTERFACES
    return len(bindings) == 1 and bindings <= _BINDINGS


def _attaches_by_itself(specification: Item) -> bool:
    return it.mapping(specification, *_DEVICES).get("autoattachPodInterface") is not False


def _is_foreign(name: str) -> bool:
    """True for a label or annotation of which is not known that it stays within the machine."""
    domain, slash, _ = name.partition("/")
    return not slash or domain not in _KUBEVIRT
