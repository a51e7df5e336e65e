"""The pods of a virtual machine: virt-launcher, which runs the guest, and attachment pods.

Source: KubeVirt v1.9, pkg/virt-controller/services/template.go.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.resources.machines import virtual_machine_instance

RESOURCE = kinds.POD

OF_MACHINES = "kubevirt.io in (virt-launcher, hotplug-disk)"
"""Label selector for both sorts."""

OF_OTHERS = "kubevirt.io notin (virt-launcher, hotplug-disk)"
"""Label selector for all other pods."""

COMPUTE = "compute"
"""Container of a launcher pod in which the guest runs."""

CONSOLE = "guest-console-log"
"""Container of a launcher pod whose log is what the guest prints to its first serial port.

Source: pkg/virt-controller/services/serialconsolelog.go of KubeVirt v1.9; before v1.6 it was no
init container.
"""

_CREATED_BY = "kubevirt.io/created-by"
_DOMAIN = "kubevirt.io/domain"
_OVER = ("Succeeded", "Failed")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def is_launcher(pod: Item) -> bool:
    """True if a guest runs, ran or will run in the pod."""
    return it.labels(pod).get("kubevirt.io") == "virt-launcher"


def is_of_machine(pod: Item) -> bool:
    """True if the selector `OF_MACHINES` matches the pod."""
    return it.labels(pod).get("kubevirt.io") in ("virt-launcher", "hotplug-disk")


def is_name_of_machine(name: str) -> bool:
    """True if KubeVirt gives such names to the pods of machines."""
    return name.startswith(("virt-launcher-", "hp-volume-"))


def is_over(pod: Item) -> bool:
    """True if nothing runs in the pod any more."""
    return it.text(pod, "status", "phase") in _OVER


def is_placed(pod: Item) -> bool:
    """True if the pod has a node: only there can anything run in it."""
    return bool(it.text(pod, "spec", "nodeName")) or it.text(pod, "status", "phase") != "Pending"


def ended(pod: Item) -> datetime | None:
    """When the last of its containers ended, by the clock of the node; None if none has."""
    times = (
        it.time(one, "state", "terminated", "finishedAt")
        for kind in _CONTAINERS
        for one in it.sequence(pod, "status", f"{kind[:-1]}Statuses")
    )
    return max(filter(None, times), default=None)


def released(pod: Item, claim: str) -> datetime | None:
    """When the last container with a claim ended, by the clock of the node; None if one may run.

    Containers that are put beside them, as by istio, run on when a guest has left the pod.
    """
    volumes = {
        it.text(volume, "name")
        for volume in it.sequence(pod, "spec", "volumes")
        if it.text(volume, "persistentVolumeClaim", "claimName") == claim
    }
    containers = [
        (f"{kind[:-1]}Statuses", it.text(container, "name"))
        for kind, container, one in _mounts(pod)
        if it.text(one, "name") in volumes
    ]
    ended = [
        it.time(one, "state", "terminated", "finishedAt")
        for field, name in containers
        for one in it.sequence(pod, "status", field)
        if it.text(one, "name") == name
    ]
    known = list(filter(None, ended))
    return max(known) if known and len(known) == len(containers) else None


def is_running(pod: Item) -> bool:
    """True if the pod's containers run."""
    return it.text(pod, "status", "phase") == "Running"


def has_console(launcher: Item) -> bool:
    """True if the launcher pod keeps what its guest prints to the console."""
    containers = (it.sequence(launcher, "spec", kind) for kind in ("initContainers", "containers"))
    return any(it.text(one, "name") == CONSOLE for each in containers for one in each)


def instances(pod: Item) -> Iterable[str]:
    """The name of the instance of a launcher pod; none for other pods."""
    if not is_launcher(pod):
        return ()
    name = it.owner(pod, "VirtualMachineInstance") or it.text(
        pod, "metadata", "annotations", _DOMAIN
    )
    return (name,) if name else ()


def launchers(pod: Item) -> Iterable[str]:
    """The name of the launcher pod of an attachment pod; none for other pods."""
    name = "" if is_launcher(pod) else it.owner(pod, "Pod")
    return (name,) if name else ()


def claims(pod: Item) -> Iterable[str]:
    """Names of the claims that the pod mounts."""
    named = (
        it.text(volume, "persistentVolumeClaim", "claimName")
        for volume in it.sequence(pod, "spec", "volumes")
    )
    return filter(None, named)


def written_claims(pod: Item) -> Iterable[str]:
    """Names of the claims that the pod mounts and may write to."""
    used = [
        (it.text(one, "name"), one.get("readOnly") is True)
        for _kind, _container, one in _mounts(pod)
    ]
    read = {name for name, is_read_only in used if is_read_only} - {
        name for name, is_read_only in used if not is_read_only
    }
    for volume in it.sequence(pod, "spec", "volumes"):
        source = it.mapping(volume, "persistentVolumeClaim")
        is_read_only = source.get("readOnly") is True or it.text(volume, "name") in read
        if (claim := it.text(source, "claimName")) and not is_read_only:
            yield claim


def _mounts(pod: Item) -> Iterator[tuple[str, Item, Item]]:
    """Each mount of a volume or device, with its container and the field that has that."""
    for kind in _CONTAINERS:
        for container in it.sequence(pod, "spec", kind):
            for mounts in ("volumeMounts", "volumeDevices"):
                for one in it.sequence(container, mounts):
                    yield kind, container, one


def of_instance(instance: Item) -> str:
    """Label selector for the launcher pods of an instance, those of migrations too."""
    return f"{_CREATED_BY}={it.uid(instance)}"


def are_all(pods: Iterable[Item], instance: Item) -> bool:
    """True if the launcher pods that an instance names are all among `pods`."""
    return set(virtual_machine_instance.active_pods(instance)) <= set(map(it.uid, pods))


def has_left(instance: Item, launcher: Item) -> bool:
    """True if the guest of an instance runs in other pods than this one."""
    active = virtual_machine_instance.active_pods(instance)
    return bool(active) and it.uid(launcher) not in active


def is_left(launcher: Item) -> bool:
    """True if the guest of a launcher pod has ended in it, whatever else still runs there."""
    return any(
        it.text(one, "name") == COMPUTE and bool(it.mapping(one, "state", "terminated"))
        for one in it.sequence(launcher, "status", "containerStatuses")
    )


def active_and_running(pods: Iterable[Item], instance: Item) -> Sequence[Item]:
    """The pods, of some, that run and name the instance as their controller, as a launcher does.

    Anybody who makes a pod can have it do so: see setActivePods in
    pkg/virt-controller/watch/vmi/lifecycle.go of KubeVirt v1.9.
    """
    active = virtual_machine_instance.active_pods(instance)
    return [one for one in pods if it.uid(one) in active and is_running(one)]


def live(pods: Sequence[Item], instance: Item) -> Item | None:
    """The launcher pod in which the guest runs now; None if not among `pods`.

    A live migration leaves a completed source behind and has source and target side by side until
    its end; the guest is on the instance's node until then.
    """
    alive = [pod for pod in pods if not is_over(pod)]
    active = virtual_machine_instance.active_pods(instance)
    node = it.text(instance, "status", "nodeName")

    def rank(pod: Item) -> tuple[bool, bool, bool, str]:
        return (
            it.uid(pod) in active,
            is_running(pod),
            it.text(pod, "spec", "nodeName") == node,
            it.text(pod, "metadata", "creationTimestamp"),
        )

    return max(alive, key=rank, default=None)
