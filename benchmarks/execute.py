"""Execute of the backup action for virtual machines, through Velero's real client."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks import plugins
from stillpoint.model.item import Item
from tests.api_server.server import ApiServer
from tests.peers.build import binary

ROUNDS = 3_000


def run() -> None:
    """One machine of 11 KB, both plugins called in turns by Velero v1.18.3's manager."""
    with tempfile.TemporaryDirectory() as temporary, ApiServer(claims()) as server:
        folder = Path(temporary)
        plugins.payload(folder / "stillpoint")
        plugins.in_go(folder / "go")
        (folder / "item.json").write_text(json.dumps(machine()))
        (folder / "backup.json").write_text(json.dumps(backup()))
        server.kubeconfig(folder / "kubeconfig")
        lines = subprocess.run(
            [binary("latency", print), folder / "item.json", folder / "backup.json", str(ROUNDS),
             folder / "go", folder / "stillpoint"],
            check=True, text=True, stdout=subprocess.PIPE, timeout=600,
            env={**os.environ, "KUBECONFIG": str(folder / "kubeconfig")},
        ).stdout.splitlines()  # fmt: skip
    go, stillpoint = (json.loads(line) for line in lines)
    print(f"{'microseconds':16}{'Go framework':>14}{'stillpoint':>14}{'ratio':>8}")
    for key, title in (("p10_us", "p10"), ("p50_us", "p50"), ("cpu_us", "CPU per call")):
        print(f"{title:16}{go[key]:14}{stillpoint[key]:14}{stillpoint[key] / go[key]:8.2f}")


def machine() -> Item:
    """A stopped virtual machine whose JSON has 11 KB, as much as one of a real cluster."""
    disks = [{"name": f"disk{number}", "disk": {"bus": "virtio"}} for number in range(3)]
    fields: Item = {f"f:field{number}": {"f:a": {}, "f:b": {}, ".": {}} for number in range(190)}
    volumes = [
        {"name": "root", "dataVolume": {"name": "db-root"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "db-data"}},
        {"name": "cloudinit", "cloudInitNoCloud": {"secretRef": {"name": "db-cloudinit"}}},
    ]
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "uid": "3f2a9a66-6a0c-4f6e-9a56-0d3bd9a0c1f2",
            "annotations": {f"example.org/note-{number}": "x" * 60 for number in range(40)},
            "managedFields": [{"manager": "virt-controller", "fieldsV1": fields}],
        },
        "spec": {
            "runStrategy": "Halted",
            "instancetype": {"kind": "VirtualMachineInstancetype", "name": "small"},
            "preference": {"kind": "VirtualMachinePreference", "name": "fedora"},
            "template": {"spec": {"domain": {"devices": {"disks": disks}}, "volumes": volumes}},
        },
        "status": {
            "printableStatus": "Stopped",
            "instancetypeRef": {"controllerRevisionRef": {"name": "db-small-v1"}},
            "preferenceRef": {"controllerRevisionRef": {"name": "db-fedora-v1"}},
        },
    }


def claims() -> list[Item]:
    """Those of the machine: a disk without one is a warning, which is not what is measured."""
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"volumeName": f"pv-{name}"},
        }
        for name in ("db-root", "db-data")
    ]


def backup() -> Item:
    """A running Backup of one namespace."""
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "nightly", "namespace": "velero", "uid": "b-1"},
        "spec": {"includedNamespaces": ["shop"], "storageLocation": "default"},
        "status": {"phase": "InProgress"},
    }
