"""Objects as KubeVirt 1.9 and CDI 1.66 leave them on a cluster, for one virtual machine.

Shapes follow kubevirt/kubevirt, that of the revisions its pkg/instancetype/revision. What only a
running machine has is in running_manifests.py.
"""

import uuid
from dataclasses import dataclass
from typing import Literal

from tests.cluster import populator
from tests.cluster.api import Object
from tests.cluster.node import NAME as NODE
from tests.cluster.storage import AT_FIRST_USE, CLASS, SELECTED_NODE

TEMPLATE_LABELS = {"kubevirt.io/size": "small"}
"""A user's own: KubeVirt sets none on a template, and an instance has these and no others of it."""

STARTED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Disk:
    """One disk, on a DataVolume and a claim named VIRTUAL_MACHINE-NAME."""

    name: str
    mode: Literal["Filesystem", "Block"] = "Filesystem"
    size: str = "64Mi"
    storage_class: str = CLASS


@dataclass(frozen=True)
class Machine:
    """What to put on the cluster; by default it runs, with one disk and a guest agent."""

    namespace: str
    name: str
    disks: tuple[Disk, ...] = (Disk("root"),)
    hotplugged: tuple[Disk, ...] = ()
    hotplugged_in_spec: bool = True
    """Whether the machine's template names the hot-plugged disks, not its instance only."""
    is_running: bool = True
    is_agent_connected: bool = True
    has_freeze_hooks: bool = True
    has_cloud_init: bool = True
    has_instancetype: bool = True
    is_instancetype_cluster_wide: bool = False
    is_populated: bool = False
    """Whether CDI's populators filled its disks: their claims keep a source then."""
    labels: tuple[tuple[str, str], ...] = ()

    def claim(self, disk: Disk) -> str:
        return f"{self.name}-{disk.name}"

    @property
    def firmware_uuid(self) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.{self.namespace}")

    @property
    def mac_address(self) -> str:
        return "02:" + self.firmware_uuid.bytes[:5].hex(":")

    @property
    def cloud_init_secret(self) -> str:
        return f"{self.name}-cloud-init"

    @property
    def launcher_pod(self) -> str:
        return f"virt-launcher-{self.name}-x7k2p"

    @property
    def attachment_pod(self) -> str:
        """Named at random, not after the machine."""
        return f"hp-volume-{self.firmware_uuid.hex[:5]}"

    def metadata(self, name: str) -> Object:
        return {"name": name, "namespace": self.namespace}


def owner(of: Object) -> Object:
    return {
        "apiVersion": of["apiVersion"],
        "kind": of["kind"],
        "name": of["metadata"]["name"],
        "uid": of["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(kind: str, status: str = "True", reason: str | None = None) -> Object:
    found = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": STARTED}
    return found | ({"reason": reason} if reason else {})


def cloud_init_secret(machine: Machine) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": machine.metadata(machine.cloud_init_secret),
        "stringData": {"userdata": f"#cloud-config\nhostname: {machine.name}\n"},
    }


def virtual_machine(machine: Machine) -> Object:
    wide = "Cluster" if machine.is_instancetype_cluster_wide else ""
    matchers: Object = {
        "instancetype": {"kind": f"VirtualMachine{wide}Instancetype", "name": "u1.small"},
        "preference": {"kind": f"VirtualMachine{wide}Preference", "name": "fedora"},
    }
    hotplugged = machine.hotplugged if machine.hotplugged_in_spec else ()
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            **machine.metadata(machine.name),
            "labels": {"app": machine.name, **dict(machine.labels)},
            "annotations": {"kubevirt.io/latest-observed-api-version": "v1"},
            "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"],
        },
        "spec": {
            "runStrategy": "Always" if machine.is_running else "Halted",
            **(matchers if machine.has_instancetype else {}),
            "dataVolumeTemplates": [
                {
                    "metadata": {"name": machine.claim(disk)},
                    "spec": data_volume_spec(disk),
                }
                for disk in machine.disks
            ],
            "template": {
                "metadata": {"labels": TEMPLATE_LABELS},
                "spec": guest(machine, hotplugged),
            },
        },
    }


def virtual_machine_status(machine: Machine, revisions: tuple[Object, ...]) -> Object:
    status: Object = {
        "created": machine.is_running,
        "ready": machine.is_running,
        "printableStatus": "Running" if machine.is_running else "Stopped",
        "runStrategy": "Always" if machine.is_running else "Halted",
        "volumeSnapshotStatuses": [{"name": disk.name, "enabled": True} for disk in machine.disks],
        "conditions": [condition("Ready", str(machine.is_running))],
    }
    if machine.is_running and machine.is_agent_connected:
        status["conditions"].append(condition("AgentConnected"))
    for field, revision in zip(("instancetypeRef", "preferenceRef"), revisions, strict=False):
        status[field] = {
            "kind": revision["data"]["kind"],
            "name": revision["data"]["metadata"]["name"],
            "controllerRevisionRef": {"name": revision["metadata"]["name"]},
        }
    return status


def guest(machine: Machine, hotplugged: tuple[Disk, ...]) -> Object:
    """What the template of a virtual machine and the spec of its instance have in common."""
    disks: list[Object] = [{"name": disk.name, "disk": {"bus": "virtio"}} for disk in machine.disks]
    volumes: list[Object] = [
        {"name": disk.name, "dataVolume": {"name": machine.claim(disk)}} for disk in machine.disks
    ]
    if machine.has_cloud_init:
        disks.append({"name": "cloudinit", "disk": {"bus": "virtio"}})
        secret = {"name": machine.cloud_init_secret}
        volumes.append({"name": "cloudinit", "cloudInitNoCloud": {"secretRef": secret}})
    for disk in hotplugged:
        disks.append({"name": disk.name, "disk": {"bus": "scsi"}, "serial": disk.name})
        source = {"name": machine.claim(disk), "hotpluggable": True}
        volumes.append({"name": disk.name, "dataVolume": source})
    return {
        "architecture": "amd64",
        "domain": {
            "devices": {
                "disks": disks,
                "interfaces": [
                    {"name": "default", "masquerade": {}, "macAddress": machine.mac_address}
                ],
            },
            "firmware": {
                "uuid": str(machine.firmware_uuid),
                "serial": f"serial-{machine.name}",
            },
            **({} if machine.has_instancetype else {"memory": {"guest": "2Gi"}}),
        },
        "evictionStrategy": "LiveMigrate",
        "networks": [{"name": "default", "pod": {}}],
        "terminationGracePeriodSeconds": 180,
        "volumes": volumes,
    }


def data_volume_spec(disk: Disk) -> Object:
    return {
        "source": {"registry": {"url": "docker://quay.io/containerdisks/fedora:latest"}},
        "storage": {
            "accessModes": ["ReadWriteOnce"],
            "volumeMode": disk.mode,
            "resources": {"requests": {"storage": disk.size}},
        },
    }


def data_volume(machine: Machine, disk: Disk, virtual_machine: Object | None) -> Object:
    """Owned by the virtual machine that has a template for it; a hot-plugged one stands alone."""
    metadata = machine.metadata(machine.claim(disk))
    metadata["annotations"] = {"cdi.kubevirt.io/storage.usePopulator": "true"}
    if virtual_machine is not None:
        metadata["annotations"]["cdi.kubevirt.io/allowClaimAdoption"] = "true"
        metadata["labels"] = {"kubevirt.io/created-by": virtual_machine["metadata"]["uid"]}
        metadata["ownerReferences"] = [owner(virtual_machine)]
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": metadata,
        "spec": data_volume_spec(disk),
    }


def data_volume_status(machine: Machine, disk: Disk) -> Object:
    return {
        "phase": "Succeeded",
        "progress": "100.0%",
        "claimName": machine.claim(disk),
        "conditions": [
            condition("Bound", reason="Bound"),
            condition("Ready"),
            condition("Running", "False", "Completed"),
        ],
    }


def claim(machine: Machine, disk: Disk, data_volume: Object) -> Object:
    """Pending until it is populated, if it is to be."""
    cdi = "cdi.kubevirt.io/storage."
    is_late = disk.storage_class == AT_FIRST_USE
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            **machine.metadata(machine.claim(disk)),
            "labels": {
                **data_volume["metadata"].get("labels", {}),
                "app": "containerized-data-importer",
                "app.kubernetes.io/component": "storage",
                "app.kubernetes.io/managed-by": "cdi-controller",
            },
            "annotations": {
                **data_volume["metadata"]["annotations"],
                "cdi.kubevirt.io/createdForDataVolume": data_volume["metadata"]["uid"],
                f"{cdi}condition.running": "false",
                f"{cdi}condition.running.message": "Import Complete",
                f"{cdi}condition.running.reason": "Completed",
                f"{cdi}contentType": "kubevirt",
                f"{cdi}pod.phase": "Succeeded",
                f"{cdi}pod.restarts": "0",
                f"{cdi}populator.progress": "100.0%",
                f"{cdi}preallocation.requested": "false",
                **({SELECTED_NODE: NODE} if is_late else {}),
            },
            "ownerReferences": [owner(data_volume)],
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": disk.size}},
            "storageClassName": disk.storage_class,
            "volumeMode": disk.mode,
            **({"dataSourceRef": populator.source(data_volume)} if machine.is_populated else {}),
        },
    }


def instancetype(machine: Machine) -> Object:
    return matched(
        machine, "Instancetype", "u1.small", {"cpu": {"guest": 1}, "memory": {"guest": "2Gi"}}
    )


def preference(machine: Machine) -> Object:
    return matched(machine, "Preference", "fedora", {"devices": {"preferredDiskBus": "virtio"}})


def matched(machine: Machine, kind: str, name: str, spec: Object) -> Object:
    wide = machine.is_instancetype_cluster_wide
    return {
        "apiVersion": "instancetype.kubevirt.io/v1beta1",
        "kind": f"VirtualMachine{'Cluster' if wide else ''}{kind}",
        "metadata": {"name": name} if wide else machine.metadata(name),
        "spec": spec,
    }


def controller_revision(machine: Machine, virtual_machine: Object, of: Object) -> Object:
    """The copy of an instancetype or preference that the virtual machine was started with."""
    metadata = of["metadata"]
    generation, version = metadata["generation"], of["apiVersion"].partition("/")[2]
    kept = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp")
    prefix = "instancetype.kubevirt.io/object-"
    name = f"{machine.name}-{metadata['name']}-{version}-{metadata['uid']}-{generation}"
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            **machine.metadata(name),
            "labels": {
                f"{prefix}generation": str(generation),
                f"{prefix}kind": of["kind"],
                f"{prefix}name": metadata["name"],
                f"{prefix}uid": metadata["uid"],
                f"{prefix}version": version,
            },
            "ownerReferences": [owner(virtual_machine)],
        },
        "data": {**of, "metadata": {key: metadata[key] for key in kept if key in metadata}},
        "revision": 0,
    }
