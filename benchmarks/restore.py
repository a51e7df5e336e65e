"""Restore of one namespace by real Velero, without and with our plugin."""

import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.backup import Case, Measured, populate, report
from tests.cluster.cluster import Cluster
from tests.cluster.velero import Settings

CASE = Case(300, has_hooks=False, rounds=2)
SOURCE = CASE.namespace


def run() -> None:
    """300 machines into another namespace; no snapshots, no conditions."""
    cluster = Cluster()
    try:
        cluster.start()
        populate(cluster, CASE)
        plugin = cluster.velero.plugin_under_test()
        with cluster.velero_with(Settings(plugin=plugin)):
            spec = {"includedNamespaces": [SOURCE], "snapshotVolumes": False}
            cluster.backup(SOURCE, spec)
        alone, ours = [], []
        for turn in range(CASE.rounds):
            alone.append(_restore(cluster, f"alone-{turn}", None))
            ours.append(_restore(cluster, f"ours-{turn}", plugin))
        report(CASE.title, alone, ours)
    finally:
        cluster.close()


def _restore(cluster: Cluster, name: str, plugin: Path | None) -> Measured:
    with cluster.velero_with(Settings(plugin=plugin)):
        before = cluster.velero.cpu_s()
        since, begin = datetime.now(UTC), time.monotonic()
        spec = {"backupName": SOURCE, "namespaceMapping": {SOURCE: name}}
        restore = cluster.restore(name, spec, timeout_s=900)
        wall_s = time.monotonic() - begin
        if restore["status"]["phase"] != "Completed":
            raise RuntimeError(cluster.restore_log(name)[-5_000:])
        server_s, plugins_s = (
            after - earlier for after, earlier in zip(cluster.velero.cpu_s(), before, strict=True)
        )
        return Measured(wall_s, cluster.requests(since), (server_s, plugins_s))
