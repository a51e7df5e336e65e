"""Guests of the behaviour matrix, each with one disk, made out of ordinary machines."""

from collections.abc import Iterable
from typing import Any

from tests.cluster.api import Api, Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine, condition

KINDS = {
    "VM": ("kubevirt.io/v1", "VirtualMachine", "virtualmachines.kubevirt.io"),
    "VMI": ("kubevirt.io/v1", "VirtualMachineInstance", "virtualmachineinstances.kubevirt.io"),
    "pod": ("v1", "Pod", "pods"),
    "DV": ("cdi.kubevirt.io/v1beta1", "DataVolume", "datavolumes.cdi.kubevirt.io"),
    "PVC": ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
}
RUNNING = frozenset({"running", "paused", "alone", "alone-paused", "plain-running"})
GUESTS = (
    *("running", "paused", "stopped"),
    *("untemplated", "plain", "plain-running"),
    "collected",
    *("alone", "alone-paused", "disk"),
)
"""By default a machine has a DataVolume template for its disk.

untemplated: the machine, stopped, names a DataVolume that it has no template for.
plain: it names the claim; there is no DataVolume.
collected: it has a template, but CDI has removed the DataVolume that filled the claim.
alone: an instance that no machine owns. disk: a DataVolume and its claim that nobody uses.
"""


def create(cluster: Cluster, namespace: str, guests: Iterable[tuple[str, str]]) -> None:
    """Guests by (name, which); the namespace must exist."""
    guests = list(guests)
    machines = {
        name: Machine(namespace, name, is_running=which in RUNNING, has_instancetype=False)
        for name, which in guests
    }
    cluster.create_vms(machines.values())
    for name, which in guests:
        _change(cluster.api, machines[name], which)


def object_name(machine: Machine, part: str) -> str:
    (disk,) = machine.disks
    disk_name = machine.claim(disk)
    names = {"pod": machine.launcher_pod, "DV": disk_name, "PVC": disk_name}
    return names.get(part, machine.name)


def patch(api: Api, machine: Machine, part: str, change: Object) -> None:
    api_version, kind, _resource = KINDS[part]
    api.patch(api_version, kind, machine.namespace, object_name(machine, part), change)


def _change(api: Api, machine: Machine, which: str) -> None:
    if which.endswith("paused"):
        _pause(api, machine)
    if which.startswith("alone"):
        delete(api, machine, "VM", owned=("VMI", "DV"))
    if which == "disk":
        delete(api, machine, "VM", owned=("DV",))
    if which == "untemplated":
        patch(api, machine, "VM", {"spec": {"dataVolumeTemplates": None}})
    if which.startswith("plain"):
        use_the_claim_itself(api, machine, is_running=which == "plain-running")
    if which.startswith("plain") or which == "collected":
        delete(api, machine, "DV", owned=("PVC",))


def _pause(api: Api, machine: Machine) -> None:
    api_version, kind, _resource = KINDS["VMI"]
    instance = api.get(api_version, kind, machine.namespace, machine.name)
    conditions = [*instance["status"]["conditions"], condition("Paused", reason="PausedByUser")]
    api.replace_status(instance, instance["status"] | {"conditions": conditions})


def use_the_claim_itself(api: Api, machine: Machine, *, is_running: bool) -> None:
    claim = {"claimName": object_name(machine, "PVC")}
    volumes: list[Any] = [{"name": "root", "persistentVolumeClaim": claim}]
    template = {"template": {"spec": {"volumes": volumes}}, "dataVolumeTemplates": None}
    patch(api, machine, "VM", {"spec": template})
    if is_running:
        patch(api, machine, "VMI", {"spec": {"volumes": volumes}})


def delete(api: Api, machine: Machine, part: str, owned: Iterable[str]) -> None:
    """Without what it owns, which would be collected."""
    orphaned: Object = {"metadata": {"ownerReferences": None}}
    for each in owned:
        patch(api, machine, each, orphaned)
    patch(api, machine, part, {"metadata": {"finalizers": None}})
    api_version, kind, _resource = KINDS[part]
    api.delete(api_version, kind, machine.namespace, object_name(machine, part))
