"""Many virtual machines, with Velero's real client before the plugin and a stand-in behind it.

A real API server would need hours for 10,000 machines. The stand-in is that of the rehearsal: the
plugin lists over HTTP, in pages, as always.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from benchmarks import plugins
from stillpoint.model.item import Item
from tests.api_server.server import ApiServer
from tests.cluster import manifests, running_manifests
from tests.cluster.manifests import Machine
from tests.peers.build import binary

CASES = (
    (1, 100, 1),
    (1, 1_000, 1),
    (1, 1_000, 2),
    (1, 1_000, 4),
    (1, 1_000, 8),
    (10, 1_000, 1),
    (1, 10_000, 1),
)
"""Namespaces, machines in each, and Velero's item-block workers."""
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


def run() -> None:
    """Running machines with a disk each; the plugin's process alone, without Velero's own work.

    cores: CPU of the plugin's process over wall time. blocks: share of the wall time in which the
    one thread that asks for item blocks, as Velero's, waited for an answer.
    """
    print(f"{'':28}{'requests per':>14}\n"
          f"{'namespaces':>10}{'machines':>10}{'workers':>9}{'namespace':>13}{'CPU ms/VM':>11}"
          f"{'VM/s':>7}{'cores':>7}{'blocks':>8}{'RSS MB':>8}{'peak MB':>9}")  # fmt: skip
    for namespaces, machines, workers in CASES:
        cost = measure(namespaces, machines, workers)
        print(f"{namespaces:10}{namespaces * machines:10}{workers:9}"
              f"{cost['requests'] / namespaces:13.0f}{cost['cpu_ms']:11.2f}{cost['speed']:7.0f}"
              f"{cost['cpu_s'] / cost['wall_s']:7.2f}{cost['relating_s'] / cost['wall_s']:8.0%}"
              f"{cost['rss_mb']:8}{cost['peak_mb']:9}", flush=True)  # fmt: skip


def measure(namespaces: int, machines: int, workers: int) -> dict[str, Any]:
    """One backup of so many machines, as the driver saw it, and what the plugin asked."""
    names = [f"shop-{number}" for number in range(namespaces)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (folder / "blocks.jsonl").open("wb") as lines:
            for block in chain(blocks(["warm-up"], 1), blocks(names, machines)):
                lines.write(orjson.dumps(block) + b"\n")
        (folder / "backup.json").write_text(json.dumps(backup([*names, "warm-up"])))
        plugins.payload(folder / "plugin")
        served = [each["item"] for block in blocks(names, machines) for each in block]
        with ApiServer(served) as server:
            del served
            server.kubeconfig(folder / "kubeconfig")
            cost = _driven(folder, workers)
        cost["requests"] = sum("/warm-up/" not in each.path for each in server.requests)
    count = namespaces * machines
    return cost | {"cpu_ms": cost["cpu_s"] * 1000 / count, "speed": count / cost["wall_s"]}


def _driven(folder: Path, workers: int) -> dict[str, Any]:
    printed = subprocess.run(
        [binary("scale", print), folder / "blocks.jsonl", folder / "backup.json", str(workers),
         folder / "plugin"],
        check=True, text=True, stdout=subprocess.PIPE, timeout=1_800,
        env={**os.environ, "KUBECONFIG": str(folder / "kubeconfig")},
    ).stdout  # fmt: skip
    cost: dict[str, Any] = json.loads(printed)
    return cost


def blocks(namespaces: list[str], machines: int) -> Iterator[list[Item]]:
    """The items of each machine's block, in the order in which Velero would hand them over."""
    for namespace in namespaces:
        for number in range(machines):
            machine = Machine(namespace, f"vm-{number:05}")
            yield [{"resource": resource, "item": item} for resource, item in objects(machine)]


def objects(machine: Machine) -> Iterator[tuple[str, Item]]:
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


def backup(namespaces: list[str]) -> Item:
    """A running Backup of them."""
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "nightly", "namespace": "velero", "uid": "b-1"},
        "spec": {"includedNamespaces": namespaces, "storageLocation": "default"},
        "status": {"phase": "InProgress", "startTimestamp": STARTED},
    }
