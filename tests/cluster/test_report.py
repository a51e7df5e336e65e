"""Reports on backups that a real Velero has made: by snapshots, moved, as files, and not at all."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from stillpoint.backup_files import search
from stillpoint.backup_files.disk_data import Method
from stillpoint.report import contents, judge
from stillpoint.report.model import Machine, Report, Verdict
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk
from tests.cluster.manifests import Machine as Made
from tests.cluster.node_agent import NodeAgent
from tests.cluster.velero import NAMESPACE

SHOP = "reported"
DB = Made(SHOP, "db", disks=(Disk("root"), Disk("data", "Block")), hotplugged=(Disk("extra"),))
WEB = Made(SHOP, "web", disks=(Disk("root"), Disk("scratch"), Disk("files")))
ARCHIVE = Made(SHOP, "archive", is_running=False)
POLICY = """
version: v1
volumePolicies:
- conditions: {pvcLabels: {how: own}}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
- conditions: {pvcLabels: {how: files}}
  action: {type: fs-backup}
- conditions: {pvcLabels: {how: skip}}
  action: {type: skip}
"""
LABELS = {"db-root": "own", "db-data": "own", "db-extra": "own"} | {
    "web-scratch": "skip",
    "web-files": "files",
}


@pytest.fixture(scope="module")
def reports(cluster: Cluster) -> Mapping[str, Report]:
    """Of one backup in every way but moved, and of one that was moved."""
    api = cluster.api
    cluster.create_namespace(SHOP)
    cluster.create_vms([DB, WEB, ARCHIVE])
    for name, how in LABELS.items():
        labels = {"metadata": {"labels": {"how": how}}}
        api.patch("v1", "PersistentVolumeClaim", SHOP, name, labels)
    metadata = {"name": SHOP, "namespace": NAMESPACE}
    kind = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    api.create(kind | {"data": {"policy": POLICY}})
    policy = {"kind": "configmap", "name": SHOP}
    cluster.backup("reported-mixed", {"includedNamespaces": [SHOP], "resourcePolicy": policy})
    agent = NodeAgent(api, cluster.storage, cluster.folder / "reported")
    try:
        agent.start()
        cluster.backup("reported-moved", {"includedNamespaces": [SHOP], "snapshotMoveData": True})
    finally:
        agent.close()
    found = search.named(search.find(cluster.velero.bucket), ["reported-mixed", "reported-moved"])
    now = datetime.now(UTC)
    return {files.name: judge.judge(contents.read(files), now) for files in found}


def machine(report: Report, name: str) -> Machine:
    [found] = [one for one in report.machines if one.title == f"{SHOP}/{name}"]
    return found


def methods(report: Report, name: str) -> dict[str, Method]:
    return {disk.name: disk.method for disk in machine(report, name).disks}


def test_each_disk_has_the_method_that_velero_took(reports: Mapping[str, Report]) -> None:
    mixed, moved = reports["reported-mixed"], reports["reported-moved"]
    assert methods(mixed, "db") == dict.fromkeys(("root", "data", "extra"), Method.SNAPSHOT)
    assert methods(mixed, "archive") == {"root": Method.SNAPSHOT}
    assert methods(mixed, "web") == {
        "root": Method.SNAPSHOT,
        "scratch": Method.SKIPPED,
        "files": Method.SKIPPED,  # no node agent was there
    }
    for name in ("db", "web", "archive"):
        assert set(methods(moved, name).values()) == {Method.MOVED}


def test_what_could_be_restored(reports: Mapping[str, Report]) -> None:
    mixed, moved = reports["reported-mixed"], reports["reported-moved"]
    assert [machine(mixed, name).is_restorable for name in ("db", "archive")] == [True, True]
    web = machine(mixed, "web")
    assert (web.is_restorable, web.verdict) == (False, Verdict.NOT_RESTORABLE)
    [why] = web.why_not
    assert "web-scratch (any: skipped due to resource policy" in why
    assert "web-files (podvolume: encountered a problem" in why
    assert all(one.is_restorable for one in moved.machines)


def test_handles_sizes_and_drivers_are_those_of_the_storage(
    cluster: Cluster, reports: Mapping[str, Report]
) -> None:
    taken = cluster.storage.snapshots()
    for disk in machine(reports["reported-mixed"], "db").disks:
        assert disk.handle in taken
        assert (disk.driver, disk.size_bytes) == ("disks.stillpoint.test", 64 * 1024**2)
    for disk in machine(reports["reported-moved"], "db").disks:
        assert disk.handle.startswith("moved-")


def test_the_backup_is_as_velero_says(reports: Mapping[str, Report]) -> None:
    mixed, moved = (report.backup for report in reports.values())
    assert (mixed.phase, moved.phase) == ("PartiallyFailed", "Completed")
    assert (mixed.hooks_attempted, mixed.hooks_failed) == (4, 0)
    assert moved.started
    assert moved.completed
    assert moved.started < moved.completed
    assert [one.code for one in reports["reported-mixed"].problems] == ["partially-failed"]
    assert reports["reported-moved"].problems == ()
