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

YOUNG_S = 31
"""What is younger than that when a backup starts is fetched again (`actions.graph`)."""


@dataclass(frozen=True)
class Measured:
    """One backup: seconds until Velero said that it had completed, and what it and we asked.

    Attributes:
        cpu_s: of the Velero server, and of its plugins.
    """

    wall_s: float
    requests: Counter[Request]
    cpu_s: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Case:
    """Machines of one namespace, and how often they are backed up each way."""

    machines: int
    has_hooks: bool
    rounds: int

    @property
    def namespace(self) -> str:
        return f"{'hooked' if self.has_hooks else 'plain'}-{self.machines}"

    @property
    def title(self) -> str:
        return f"{self.machines} machines{', freeze hooks' if self.has_hooks else ''}"


CASES = (Case(10, False, 1), Case(100, False, 1), Case(300, False, 3), Case(300, True, 3))


def run() -> None:
    """Running machines with a disk each; no snapshots, which would hide what we cost."""
    cluster = Cluster()
    try:
        cluster.start()
        for case in CASES:
            populate(cluster, case)
        time.sleep(YOUNG_S)
        for case in CASES:
            report(case.title, *_compare(cluster, case))
    finally:
        cluster.close()


def populate(cluster: Cluster, case: Case) -> None:
    cluster.create_namespace(case.namespace)
    cluster.create_vms(
        [
            Machine(case.namespace, f"vm-{number:04}", has_freeze_hooks=case.has_hooks)
            for number in range(case.machines)
        ]
    )


def _compare(cluster: Cluster, case: Case) -> tuple[list[Measured], list[Measured]]:
    """Backups without and with the plugin, in turns."""
    alone, ours = [], []
    namespace = case.namespace
    for turn in range(case.rounds):
        alone.append(_backup(cluster, namespace, f"{namespace}-alone-{turn}", None))
        plugin = cluster.velero.plugin_under_test()
        ours.append(_backup(cluster, namespace, f"{namespace}-ours-{turn}", plugin))
    return alone, ours


def _backup(cluster: Cluster, namespace: str, name: str, plugin: Path | None) -> Measured:
    with cluster.velero_with(Settings(plugin=plugin)):
        since, begin = datetime.now(UTC), time.monotonic()
        spec = {"includedNamespaces": [namespace], "snapshotVolumes": False}
        backup = cluster.backup(name, spec)
        wall_s = time.monotonic() - begin
        if backup["status"]["phase"] != "Completed":
            raise RuntimeError(cluster.backup_log(name)[-5_000:])
        return Measured(wall_s, cluster.requests(since))


def report(title: str, alone: list[Measured], ours: list[Measured]) -> None:
    print(f"{title:26}{'wall s':>8}{'requests':>10}")
    for name, runs in (("  Velero alone", alone), ("  with stillpoint", ours)):
        print(f"{name:26}{_wall_s(runs):8.1f}{_requests(runs):10.0f}")
    more = _requests(ours) - _requests(alone)
    print(f"  ratio, difference       {_wall_s(ours) / _wall_s(alone):8.2f}{more:+10.0f}")
    if any(ours[0].cpu_s):
        for name, runs in (("alone", alone), ("with stillpoint", ours)):
            server_s, plugins_s = (median(run.cpu_s[part] for run in runs) for part in (0, 1))
            print(f"  CPU s, Velero {name}: server {server_s:.1f}, plugins {plugins_s:.1f}")
    asked = sum(
        count for request, count in ours[0].requests.items() if request.agent == "stillpoint"
    )
    print(f"  requests of the plugin itself: {asked}")


def _wall_s(runs: list[Measured]) -> float:
    return median(run.wall_s for run in runs)


def _requests(runs: list[Measured]) -> float:
    return median(run.requests.total() for run in runs)
