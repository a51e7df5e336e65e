"""Virtual machines put on the cluster, object by object, as virt-controller and CDI would."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from tests.cluster import manifests, running_manifests
from tests.cluster.api import Api, ApiError, Object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.populator import populate
from tests.cluster.storage import Storage, wait_until_bound

__all__ = ["Created", "Disk", "Machine", "create"]


class HasStorage(Protocol):
    @property
    def api(self) -> Api: ...

    @property
    def storage(self) -> Storage: ...


@dataclass(frozen=True)
class Created:
    """The objects of one machine, as the API server returned them last."""

    machine: Machine
    virtual_machine: Object
    instance: Object | None
    launcher_pod: Object | None
    attachment_pod: Object | None
    claims: dict[str, Object]
    """By the disk's name, those of hot-plugged disks too."""
    revisions: tuple[Object, ...]
    """Of the instancetype and of the preference."""


def create(cluster: HasStorage, machines: Sequence[Machine]) -> list[Created]:
    """Returns when all claims are bound and all pods run. The namespaces must exist."""
    api = cluster.api
    matched = create_matched(api, machines)
    with ThreadPoolExecutor(8) as workers:
        created = list(workers.map(lambda machine: create_one(api, machine, matched), machines))
        claims = [list(each.claims.values()) for each in created if each.machine.is_populated]
        list(workers.map(lambda each: populate(api, cluster.storage, each), claims))
    for namespace in sorted({machine.namespace for machine in machines}):
        wait_until_bound(api, namespace)
        wait_until_running(api, namespace)
    return created


def create_matched(api: Api, machines: Sequence[Machine]) -> dict[Machine, tuple[Object, ...]]:
    """Instancetype and preference of each machine; machines of a namespace share them."""
    return {
        machine: (
            create_or_get(api, manifests.instancetype(machine)),
            create_or_get(api, manifests.preference(machine)),
        )
        for machine in machines
        if machine.has_instancetype
    }


def create_one(api: Api, machine: Machine, matched: dict[Machine, tuple[Object, ...]]) -> Created:
    if machine.has_cloud_init:
        api.create(manifests.cloud_init_secret(machine))
    virtual_machine = api.create(manifests.virtual_machine(machine))
    revisions = tuple(
        api.create(manifests.controller_revision(machine, virtual_machine, each))
        for each in matched.get(machine, ())
    )
    claims = {disk.name: create_disk(api, machine, disk, virtual_machine) for disk in machine.disks}
    claims |= {disk.name: create_disk(api, machine, disk, None) for disk in machine.hotplugged}
    instance, launcher, attachment = (
        start(api, machine, virtual_machine) if machine.is_running else (None, None, None)
    )
    status = manifests.virtual_machine_status(machine, revisions)
    virtual_machine = api.replace_status(virtual_machine, status)
    return Created(machine, virtual_machine, instance, launcher, attachment, claims, revisions)


def create_disk(api: Api, machine: Machine, disk: Disk, owner: Object | None) -> Object:
    data_volume = api.create(manifests.data_volume(machine, disk, owner))
    claim = api.create(manifests.claim(machine, disk, data_volume))
    api.replace_status(data_volume, manifests.data_volume_status(machine, disk))
    return claim


def start(
    api: Api, machine: Machine, virtual_machine: Object
) -> tuple[Object, Object, Object | None]:
    """The instance of a running machine, its launcher pod, and the pod of its hot-plugged disks."""
    instance = api.create(running_manifests.instance(machine, virtual_machine))
    launcher = api.create(running_manifests.launcher_pod(machine, instance))
    attachment = None
    if machine.hotplugged:
        attachment = api.create(running_manifests.attachment_pod(machine, launcher, instance))
    status = running_manifests.instance_status(machine, launcher, attachment)
    return api.replace_status(instance, status), launcher, attachment


def hot_plug(cluster: HasStorage, machine: Machine, disk: Disk) -> Machine:
    """A disk plugged into a machine that runs and has none plugged in; the machine that results."""
    plugged = replace(machine, hotplugged=(disk,))
    claim = create_disk(cluster.api, plugged, disk, None)
    if machine.is_populated:
        populate(cluster.api, cluster.storage, [claim])
    wait_until_bound(cluster.api, machine.namespace)
    plug_in(cluster, plugged)
    return plugged


def plug_in(cluster: HasStorage, plugged: Machine) -> None:
    """Plugs the disks of a machine that runs into it; their claims are there."""
    api, machine = cluster.api, plugged
    instance = api.get("kubevirt.io/v1", "VirtualMachineInstance", machine.namespace, machine.name)
    launcher = api.get("v1", "Pod", machine.namespace, machine.launcher_pod)
    attachment = api.create(running_manifests.attachment_pod(plugged, launcher, instance))
    for kind, spec in (
        ("VirtualMachine", {"template": {"spec": manifests.guest(plugged, plugged.hotplugged)}}),
        ("VirtualMachineInstance", manifests.guest(plugged, plugged.hotplugged)),
    ):
        where = ("kubevirt.io/v1", kind, machine.namespace, machine.name)
        api.patch(*where, {"spec": spec})
    api.replace_status(instance, running_manifests.instance_status(plugged, launcher, attachment))


def create_or_get(api: Api, manifest: Object) -> Object:
    try:
        return api.create(manifest)
    except ApiError as error:
        if error.status != 409:
            raise
        metadata = manifest["metadata"]
        where = (manifest["apiVersion"], manifest["kind"], metadata.get("namespace"))
        return api.get(*where, metadata["name"])


def wait_until_running(api: Api, namespace: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while waiting := [
        pod["metadata"]["name"]
        for pod in api.list("v1", "Pod", namespace)
        if pod["status"]["phase"] == "Pending"
    ]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"pods in {namespace} not running: {', '.join(waiting)}")
        time.sleep(0.1)
