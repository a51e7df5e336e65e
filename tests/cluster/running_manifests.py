"""What KubeVirt 1.9 adds to a cluster while a virtual machine runs: its instance and its pods.

Shapes follow kubevirt/kubevirt: pkg/virt-controller/services/template.go for the pods,
pkg/storage/pod/annotations for the freeze hooks.
"""

import json

from tests.cluster.api import Object
from tests.cluster.manifests import TEMPLATE_LABELS, Disk, Machine, condition, guest, owner
from tests.cluster.node import CONSOLE_LOG
from tests.cluster.node import NAME as NODE


def instance(machine: Machine, virtual_machine: Object) -> Object:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {
            **machine.metadata(machine.name),
            "labels": {**TEMPLATE_LABELS, "kubevirt.io/nodeName": NODE},
            "annotations": {"kubevirt.io/latest-observed-api-version": "v1"},
            "finalizers": ["kubevirt.io/foregroundDeleteVirtualMachine"],
            "ownerReferences": [owner(virtual_machine)],
        },
        "spec": guest(machine, machine.hotplugged),
    }


def instance_status(machine: Machine, launcher: Object, attachment: Object | None) -> Object:
    conditions = [condition("Ready"), condition("LiveMigratable")]
    if machine.is_agent_connected:
        conditions.append(condition("AgentConnected"))
    return {
        "phase": "Running",
        "nodeName": NODE,
        "activePods": {launcher["metadata"]["uid"]: NODE},
        "conditions": conditions,
        "guestOSInfo": {"id": "fedora", "name": "Fedora Linux"},
        "interfaces": [{"name": "default", "ipAddress": "10.244.0.9", "mac": machine.mac_address}],
        "volumeStatus": [
            *(volume_status(machine, disk) for disk in machine.disks),
            *({"name": "cloudinit", "target": "vdz"} for _ in range(machine.has_cloud_init)),
            *(hotplug_status(machine, disk, attachment) for disk in machine.hotplugged),
        ],
    }


def volume_status(machine: Machine, disk: Disk) -> Object:
    return {
        "name": disk.name,
        "target": f"vd{disk.name}",
        "persistentVolumeClaimInfo": {
            "accessModes": ["ReadWriteOnce"],
            "claimName": machine.claim(disk),
            "capacity": {"storage": disk.size},
            "requests": {"storage": disk.size},
            "volumeMode": disk.mode,
        },
    }


def hotplug_status(machine: Machine, disk: Disk, attachment: Object | None) -> Object:
    pod = (attachment or {}).get("metadata", {})
    return {
        **volume_status(machine, disk),
        "phase": "Ready",
        "reason": "VolumeReady",
        "message": f"Successfully attach hotplugged volume {disk.name} to VM",
        "hotplugVolume": {"attachPodName": pod.get("name"), "attachPodUID": pod.get("uid")},
    }


def freeze_hooks(machine: Machine) -> dict[str, str]:
    def command(verb: str) -> str:
        whose = ["--name", machine.name, "--namespace", machine.namespace]
        return json.dumps(["/usr/bin/virt-freezer", verb, *whose])

    return {
        "pre.hook.backup.velero.io/container": "compute",
        "pre.hook.backup.velero.io/command": command("--freeze"),
        "pre.hook.backup.velero.io/timeout": "60s",
        "post.hook.backup.velero.io/container": "compute",
        "post.hook.backup.velero.io/command": command("--unfreeze"),
    }


def launcher_pod(machine: Machine, instance: Object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **machine.metadata(machine.launcher_pod),
            "labels": {
                **instance["metadata"]["labels"],
                "kubevirt.io": "virt-launcher",
                "kubevirt.io/created-by": instance["metadata"]["uid"],
                "vm.kubevirt.io/name": machine.name,
                "vmi.kubevirt.io/id": machine.name,
            },
            "annotations": {
                "kubevirt.io/domain": machine.name,
                "kubevirt.io/migrationTransportUnix": "true",
                "kubectl.kubernetes.io/default-container": "compute",
                **(freeze_hooks(machine) if machine.has_freeze_hooks else {}),
            },
            "ownerReferences": [owner(instance)],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "initContainers": [
                {
                    "name": CONSOLE_LOG,
                    "image": "quay.io/kubevirt/virt-launcher:v1.9.0",
                    "command": ["/usr/bin/virt-tail"],
                    "restartPolicy": "Always",
                }
            ],
            "containers": [
                {
                    "name": "compute",
                    "image": "quay.io/kubevirt/virt-launcher:v1.9.0",
                    "command": ["/usr/bin/virt-launcher-monitor", "--name", machine.name],
                    **mounts(machine.disks, "/var/run/kubevirt-private/vmi-disks"),
                }
            ],
            "volumes": [{"name": "private", "emptyDir": {}}, *claims(machine, machine.disks)],
        },
    }


def attachment_pod(machine: Machine, launcher: Object, instance: Object) -> Object:
    """One pod holds all hot-plugged disks; virt-launcher's own pod does not mount them."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **machine.metadata(machine.attachment_pod),
            "labels": {"kubevirt.io": "hotplug-disk"},
            "annotations": {
                "kubevirt.io/owner-vmi-name": machine.name,
                "kubevirt.io/owner-vmi-uid": instance["metadata"]["uid"],
            },
            "ownerReferences": [owner(launcher)],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "hotplug-disk",
                    "image": "quay.io/kubevirt/virt-launcher:v1.9.0",
                    "command": ["/bin/sh", "-c", "/usr/bin/container-disk --copy-path /path/hp"],
                    **mounts(machine.hotplugged, ""),
                }
            ],
            "volumes": [
                {"name": "hotplug-disks", "emptyDir": {}},
                *claims(machine, machine.hotplugged),
            ],
        },
    }


def mounts(disks: tuple[Disk, ...], folder: str) -> Object:
    return {
        "volumeMounts": [
            {"name": disk.name, "mountPath": f"{folder}/{disk.name}"}
            for disk in disks
            if disk.mode == "Filesystem"
        ],
        "volumeDevices": [
            {"name": disk.name, "devicePath": f"/dev/{disk.name}"}
            for disk in disks
            if disk.mode == "Block"
        ],
    }


def claims(machine: Machine, disks: tuple[Disk, ...]) -> list[Object]:
    return [
        {"name": disk.name, "persistentVolumeClaim": {"claimName": machine.claim(disk)}}
        for disk in disks
    ]
