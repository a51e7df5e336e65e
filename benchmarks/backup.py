"""Backup of one namespace by real Velero, without and with our plugin."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.cluster.audit import Request
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine
from tests.cluster.velero import Settings

MACHINES = 300
ROUNDS = 2
NAMESPACE = "many"


@dataclass(frozen=True)
class Measured:
    """One backup: seconds until Velero said that it had completed, and what Velero asked."""

    wall_s: float
    requests: Counter[Request]
    items: int


def run() -> None:
    """300 running machines, each with a disk; no snapshots and no hooks, which would hide us."""
    cluster = Cluster()
    try:
        cluster.start()
        _populate(cluster)
        plugins = {"Velero alone": None, "with stillpoint": cluster.velero.plugin_under_test()}
        measured: dict[str, list[Measured]] = {name: [] for name in plugins}
        for round_number in range(ROUNDS):
            for name, plugin in plugins.items():
                measured[name].append(_backup(cluster, plugin, f"{round_number}-{bool(plugin)}"))
    finally:
        cluster.close()
    _report(measured)


def _populate(cluster: Cluster) -> None:
    cluster.create_namespace(NAMESPACE)
    machines = [
        Machine(NAMESPACE, f"vm-{number:04}", has_freeze_hooks=False) for number in range(MACHINES)
    ]
    cluster.create_vms(machines)
    time.sleep(31)  # what is younger than that when a backup starts is asked for again


def _backup(cluster: Cluster, plugin: Path | None, name: str) -> Measured:
    with cluster.velero_with(Settings(plugin=plugin)):
        since, begin = datetime.now(UTC), time.monotonic()
        backup = cluster.backup(
            f"many-{name.lower()}", {"includedNamespaces": [NAMESPACE], "snapshotVolumes": False}
        )
        wall_s = time.monotonic() - begin
        if backup["status"]["phase"] != "Completed":
            raise RuntimeError(cluster.backup_log(f"many-{name.lower()}")[-5_000:])
        items = backup["status"]["progress"]["itemsBackedUp"]
        return Measured(wall_s, cluster.requests(since), items)


def _report(measured: dict[str, list[Measured]]) -> None:
    alone, ours = measured.values()
    print(f"{'':18}{'wall s':>8}{'requests':>10}{'items':>8}")
    for name, runs in measured.items():
        requests = [run.requests.total() for run in runs]
        wall_s = median(run.wall_s for run in runs)
        print(f"{name:18}{wall_s:8.1f}{median(requests):10.0f}{runs[0].items:8}")
    ratio = median(run.wall_s for run in ours) / median(run.wall_s for run in alone)
    more = median(run.requests.total() for run in ours) - median(
        run.requests.total() for run in alone
    )
    print(f"wall {ratio:.2f} x, requests {more:+.0f}")
    print("requests of the plugin itself:")
    for request, count in sorted(ours[0].requests.items()):
        if request.agent.startswith("stillpoint"):
            print(f"  {count:4} {request.verb} {request.resource}")
