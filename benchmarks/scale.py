"""Many virtual machines, with Velero's real client before the plugin and a stand-in behind it.

A real API server would need hours for 10,000 machines. The stand-in is that of the rehearsal: the
plugin lists over HTTP, in pages, as always.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from benchmarks import plugins
from plugin.model.item import Item
from plugin.rehearsal.api_server import ApiServer
from tests.cluster import manifests, running_manifests
from tests.cluster.manifests import Machine
from tests.peers.build import binary

SIZES = (100, 1_000, 10_000)
WORKERS = (1, 8)
NAMESPACE = "shop"
MANAGED_FIELDS = [
    {
        "manager": f"manager-{number}",
        "operation": "Update",
        "fieldsV1": {f"f:field{field}": {"f:a": {}, "f:b": {}, ".": {}} for field in range(60)},
    }
    for number in range(2)
]
"""4 KB, a third of an object, as it is on a cluster."""
CREATED = "2026-11-01T00:00:00Z"
STARTED = "2026-11-02T00:00:00Z"


@dataclass(frozen=True)
class Measured:
    """One backup: what the driver printed, and the plugin's requests to the API server."""

    printed: dict[str, Any]
    requests: int


def run() -> None:
    """Running machines with a disk each, all in one namespace; the plugin's process alone."""
    print(f"{'machines':>8}{'workers':>8}{'requests':>9}{'CPU ms/VM':>10}{'VM/s':>6}{'RSS MB':>7}"
          f"{'peak MB':>8}")  # fmt: skip
    for size in SIZES:
        for workers in WORKERS:
            measured = measure(size, workers)
            cost = measured.printed
            print(f"{size:8}{workers:8}{measured.requests:9}{cost['cpu_s'] * 1000 / size:10.2f}"
                  f"{size / cost['wall_s']:6.0f}{cost['rss_mb']:7}{cost['peak_mb']:8}",
                  flush=True)  # fmt: skip


def measure(size: int, workers: int) -> Measured:
    """One backup of so many machines."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_blocks(folder / "blocks.jsonl", size)
        (folder / "backup.json").write_text(json.dumps(backup()))
        plugins.ours(folder / "plugin")
        objects = [each["item"] for block in blocks(size) for each in block]
        with ApiServer(objects) as server:
            del objects
            server.kubeconfig(folder / "kubeconfig")
            printed = subprocess.run(
                [binary("scale", print), folder / "blocks.jsonl", folder / "backup.json",
                 str(workers), folder / "plugin"],
                check=True, text=True, stdout=subprocess.PIPE, timeout=1_800,
                env={**os.environ, "KUBECONFIG": str(folder / "kubeconfig")},
            ).stdout  # fmt: skip
        of_namespace = [each for each in server.requests if f"/{NAMESPACE}/" in each.path]
        return Measured(json.loads(printed), len(of_namespace))


def write_blocks(path: Path, size: int) -> None:
    """The warm-up is a machine of another namespace."""
    with path.open("wb") as lines:
        for block in chain(blocks(1, "warm-up"), blocks(size)):
            lines.write(orjson.dumps(block) + b"\n")


def blocks(size: int, namespace: str = NAMESPACE) -> Iterator[list[Item]]:
    """The items of each machine's block, in the order in which Velero would hand them over."""
    for number in range(size):
        machine = Machine(namespace, f"vm-{number:05}")
        yield [{"resource": resource, "item": item} for resource, item in objects_of(machine)]


def objects_of(machine: Machine) -> Iterator[tuple[str, Item]]:
    """Pod, instance, machine, DataVolume and claim, as they lie on a cluster."""
    (disk,) = machine.disks
    owner = stored(manifests.virtual_machine(machine))
    owner["status"] = manifests.virtual_machine_status(machine, ())
    instance = stored(running_manifests.instance(machine, owner))
    launcher = stored(running_manifests.launcher_pod(machine, instance))
    launcher["status"] = {"phase": "Running"}
    instance["status"] = running_manifests.instance_status(machine, launcher, None)
    data_volume = stored(manifests.data_volume(machine, disk, owner))
    data_volume["status"] = manifests.data_volume_status(machine, disk)
    claim = stored(manifests.claim(machine, disk, data_volume))
    claim["status"] = {"phase": "Bound"}
    yield "pods", launcher
    yield "virtualmachineinstances.kubevirt.io", instance
    yield "virtualmachines.kubevirt.io", owner
    yield "datavolumes.cdi.kubevirt.io", data_volume
    yield "persistentvolumeclaims", claim


def stored(manifest: Item) -> Item:
    """With what the API server adds."""
    metadata = manifest["metadata"]
    added = {
        "uid": f"{manifest['kind']}-{metadata['namespace']}-{metadata['name']}",
        "resourceVersion": "4711",
        "creationTimestamp": CREATED,
        "managedFields": MANAGED_FIELDS,
    }
    return {**manifest, "metadata": metadata | added}


def backup() -> Item:
    """A running Backup of the namespace."""
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "nightly", "namespace": "velero", "uid": "b-1"},
        "spec": {"includedNamespaces": [NAMESPACE, "warm-up"], "storageLocation": "default"},
        "status": {"phase": "InProgress", "startTimestamp": STARTED},
    }
