"""A machine that runs, and all that is around it in its cluster: every question has an answer."""

from stillpoint.model.item import Item

ASK_NOTHING = {
    "stillpoint.dev/item-block-pod",
    "stillpoint.dev/item-block-data-volume",
    "stillpoint.dev/backup-action-object",
    "stillpoint.dev/backup-persistent-volume",
}
"""Beside restore actions; every other action reads something about a running machine."""

VOLUMES = [
    {"name": "root", "dataVolume": {"name": "root"}},
    {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
    {"name": "token", "secret": {"secretName": "token"}},
]
FIRMWARE: Item = {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"}
MACHINE: Item = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "db", "namespace": "shop", "uid": "1", "labels": {"keep": "yes"}},
    "spec": {
        "instancetype": {"kind": "VirtualMachineInstancetype", "name": "small"},
        "preference": {"kind": "VirtualMachinePreference", "name": "fedora"},
        "template": {"spec": {"domain": {"devices": {}, "firmware": FIRMWARE}, "volumes": VOLUMES}},
    },
    "status": {"created": True},
}
INSTANCE: Item = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachineInstance",
    "metadata": {
        "name": "db",
        "namespace": "shop",
        "uid": "2",
        "ownerReferences": [{"kind": "VirtualMachine", "name": "db", "uid": "1"}],
    },
    "spec": {"domain": {"devices": {}, "firmware": FIRMWARE}, "volumes": VOLUMES},
    "status": {
        "phase": "Running",
        "volumeStatus": [
            {"name": "data", "hotplugVolume": {"attachPodName": "hp-volume-x"}},
            {
                "name": "persistent-state-for-this-vm",
                "persistentVolumeClaimInfo": {"claimName": "state"},
            },
        ],
    },
}
LAUNCHER: Item = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "virt-launcher-db-x",
        "namespace": "shop",
        "labels": {
            "kubevirt.io": "virt-launcher",
            "kubevirt.io/created-by": "2",
            "vm.kubevirt.io/name": "db",
            "vmi.kubevirt.io/id": "db",
        },
        "annotations": {"kubevirt.io/domain": "db"},
        "ownerReferences": [{"kind": "VirtualMachineInstance", "name": "db", "controller": True}],
    },
    "spec": {"volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "root"}}]},
    "status": {"phase": "Running"},
}
DATA_VOLUME: Item = {
    "apiVersion": "cdi.kubevirt.io/v1beta1",
    "kind": "DataVolume",
    "metadata": {
        "name": "root",
        "namespace": "shop",
        "labels": {"kubevirt.io/created-by": "1"},
        "annotations": {"cdi.kubevirt.io/allowClaimAdoption": "true"},
    },
    "spec": {"storage": {}},
    "status": {"phase": "Succeeded"},
}
SNAPSHOT: Item = {
    "apiVersion": "snapshot.storage.k8s.io/v1",
    "kind": "VolumeSnapshot",
    "metadata": {"name": "root-x", "namespace": "shop"},
    "spec": {"source": {"persistentVolumeClaimName": "root"}},
}
ORDER: Item = {
    "apiVersion": "snapshot.kubevirt.io/v1beta1",
    "kind": "VirtualMachineSnapshot",
    "metadata": {"name": "before", "namespace": "shop"},
    "spec": {"source": {"kind": "VirtualMachine", "name": "db"}},
}
POOL: Item = {
    "apiVersion": "pool.kubevirt.io/v1beta1",
    "kind": "VirtualMachinePool",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"virtualMachineTemplate": {"spec": MACHINE["spec"]}},
}
REPLICA_SET: Item = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachineInstanceReplicaSet",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"template": {"spec": INSTANCE["spec"]}},
}


def claim(name: str) -> Item:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-of-{name}",
            "ownerReferences": [{"kind": "DataVolume", "name": name}] if name == "root" else [],
        },
        "spec": {"storageClassName": "fast", "volumeName": f"pv-{name}"},
        "status": {"phase": "Bound"},
    }


CLAIM = claim("root")
BACKUP: Item = {
    "kind": "Backup",
    "metadata": {"name": "b", "namespace": "velero", "uid": "b"},
    "spec": {
        "labelSelector": {"matchLabels": {"keep": "yes"}},
        "resourcePolicy": {"kind": "configmap", "name": "policies"},
    },
}
POLICY = """
version: v1
volumePolicies: [{conditions: {storageClass: [slow]}, action: {type: skip}}]
"""
CLUSTER: list[Item] = [
    MACHINE,
    INSTANCE,
    LAUNCHER,
    DATA_VOLUME,
    SNAPSHOT,
    *(claim(name) for name in ("root", "data", "state")),
    *(
        {"kind": "PersistentVolume", "metadata": {"name": f"pv-{name}"}, "spec": {}}
        for name in ("root", "data", "state")
    ),
    {
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"policy": POLICY},
    },
    {"kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "fast.io"},
    {"kind": "VolumeSnapshotClass", "metadata": {"name": "fast"}, "driver": "fast.io"},
    {"kind": "VirtualMachineInstancetype", "metadata": {"name": "small", "namespace": "shop"}},
    {"kind": "VirtualMachinePreference", "metadata": {"name": "fedora", "namespace": "shop"}},
]
VOLUME: Item = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "pv-root"},
    "spec": {"claimRef": {"namespace": "shop", "name": "root"}},
}
ITEMS = {
    "virtual-machine": MACHINE,
    "virtual-machine-instance": INSTANCE,
    "data-volume": DATA_VOLUME,
    "persistent-volume-claim": CLAIM,
    "persistent-volume": VOLUME,
    "volume-snapshot": SNAPSHOT,
    "pod": LAUNCHER,
    "action-object": ORDER,
    "virtual-machine-pool": POOL,
    "virtual-machine-instance-replica-set": REPLICA_SET,
}
"""By the end of an action's name, an object that it is for."""
