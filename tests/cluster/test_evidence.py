"""Evidence of each disk in the archive, and a line for each machine, as Velero shows it.

Guests with our package say on their console what they hold, by a program that virt-freezer calls
here as QEMU's agent calls the hook.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from stillpoint.backup_files import search
from stillpoint.evidence import observations
from stillpoint.report import contents, judge
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.evidence_guests import Shown, give_agent, shown
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.node_agent import NodeAgent

SHOP = "evidence"
HELD = Machine(SHOP, "held", disks=(Disk("root"), Disk("data", "Block")))
WANTING = Machine(SHOP, "wanting")
STOPPED = Machine(SHOP, "stopped", is_running=False)
OURS = {"stillpoint.dev/snapshotter": "all"}
MACHINE = ("kubevirt.io/v1", "VirtualMachine")
SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")


def back_up(cluster: Cluster, name: str, namespace: str, *, is_ours: bool) -> Shown:
    spec = {"includedNamespaces": [namespace], "snapshotVolumes": not is_ours}
    return shown(cluster.archive, cluster.backup(name, spec, annotations=OURS if is_ours else {}))


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Cluster:
    cluster.create_namespace(SHOP)
    cluster.create_vms([HELD, WANTING, STOPPED])
    give_agent(cluster, HELD, cluster.folder / "guests" / SHOP)
    demand = {"metadata": {"annotations": {"stillpoint.dev/require": "application"}}}
    cluster.api.patch(*MACHINE, SHOP, WANTING.name, demand)
    return cluster


@pytest.fixture(scope="module", params=["ours", "velero"])
def found(request: pytest.FixtureRequest, shop: Cluster) -> Shown:
    return back_up(shop, f"evidence-{request.param}", SHOP, is_ours=request.param == "ours")


def test_each_disk_has_its_level_in_the_archive(found: Shown) -> None:
    assert found.levels() == {
        "held-root": "application",
        "held-data": "application",
        "wanting-root": "filesystem",
        "stopped-root": "stopped",
    }, found.reasons()
    held = found.evidence["held-root"]
    assert held.machine.name == "held"
    assert held.machine_level == "application"
    assert held.record == found.evidence["held-data"].record != ""
    assert held.applications == ("postgresql:15/main",)
    proofs = {one.code for one in held.proofs}
    assert "nothing-lost" in proofs
    assert proofs & {"held-by-guest", "held-by-hook"}, "by when its line was received"


def test_velero_shows_a_line_for_each_machine(found: Shown) -> None:
    said = {name: each["description"] for name, each in found.operations.items()}
    assert said["held"].startswith(f"{SHOP}/held: application (2 disks, stood still ")
    assert said["stopped"] == f"{SHOP}/stopped: stopped (1 disk)"
    assert {each["phase"] for name, each in found.operations.items() if name != "wanting"} == {
        "Completed"
    }


def test_a_demand_that_is_not_met_fails_that_machine_s_operation_alone(found: Shown) -> None:
    assert found.backup["status"]["phase"] == "PartiallyFailed"
    status = found.operations["wanting"]
    assert status["phase"] == "Failed"
    assert status["error"].startswith("wanted application, got filesystem, because ")
    assert found.evidence["wanting-root"].required == "application"


def test_a_guest_whose_hook_failed_is_as_after_a_power_failure(cluster: Cluster) -> None:
    machine = machine_in(cluster, "evidence-failing", "db")
    cluster.node.disturb(machine.namespace, "db", "freeze", exit_code=1)
    try:
        found = back_up(cluster, machine.namespace, machine.namespace, is_ours=True)
    finally:
        cluster.node.soothe()
    assert found.levels() == {"db-root": "crash"}, found.reasons()


def test_a_report_tells_whose_hook_failed_by_velero_s_log(cluster: Cluster) -> None:
    machine = machine_in(cluster, "evidence-one-failing", "db")
    cluster.create_vms([Machine(machine.namespace, "web"), Machine(machine.namespace, "cache")])
    for name in ("db", "web"):
        cluster.node.disturb(machine.namespace, name, "freeze", exit_code=1)
    try:
        back_up(cluster, machine.namespace, machine.namespace, is_ours=False)
    finally:
        cluster.node.soothe()
    [files] = search.named(search.find(cluster.velero.bucket), [machine.namespace])
    report = judge.judge(contents.read(files), datetime.now(UTC))
    told = {
        one.name: problem.about
        for one in report.machines
        for problem in one.problems
        if problem.code == "hook-failed"
    }
    assert told.keys() == {"db", "web"}
    [about] = told["db"]
    assert about.startswith("the freeze: command terminated with exit code 1")


@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "velero"])
def test_backups_in_close_succession_reach_what_each_reaches_alone(
    cluster: Cluster, *, is_ours: bool
) -> None:
    """As of schedules of one minute. KubeVirt says seconds later that the former one has thawed."""
    namespace = f"evidence-close-{'ours' if is_ours else 'velero'}"
    held, bare = machine_in(cluster, namespace, "db"), Machine(namespace, "web")
    cluster.create_vms([bare])
    give_agent(cluster, held, cluster.folder / "guests" / namespace)
    for machine in (held, bare):
        cluster.node.disturb(namespace, machine.name, "unfreeze", late_s=6)
    try:
        with ThreadPoolExecutor(2) as aside:
            backups = [
                aside.submit(back_up, cluster, f"{namespace}-{number}", namespace, is_ours=is_ours)
                for number in range(2)
            ]
    finally:
        cluster.node.soothe()
    for found in (each.result() for each in backups):
        wanted = {"db-root": "application", "web-root": "filesystem"}
        assert found.levels() == wanted, found.reasons()


def test_moved_data_has_its_evidence_with_the_upload(cluster: Cluster) -> None:
    machine = machine_in(cluster, "evidence-moved", "db")
    give_agent(cluster, machine, cluster.folder / "guests" / machine.namespace)
    agent = NodeAgent(cluster.api, cluster.storage, cluster.folder / "evidence-moved")
    try:
        agent.start()
        spec = {"includedNamespaces": [machine.namespace], "snapshotMoveData": True}
        found = shown(cluster.archive, cluster.backup("evidence-moved", spec))
        own = {**spec, "snapshotVolumes": False}
        ours = shown(cluster.archive, cluster.backup("evidence-moved-own", own, annotations=OURS))
    finally:
        agent.close()
    for each in (found, ours):
        assert each.backup["status"]["phase"] == "Completed"
        assert each.levels() == {"db-root": "application"}, each.reasons()


def test_a_plugin_that_is_killed_in_the_middle_leaves_nothing_that_looks_better(
    cluster: Cluster,
) -> None:
    machine = machine_in(cluster, "evidence-killed", "db", "root", "data")
    namespace = machine.namespace
    give_agent(cluster, machine, cluster.folder / "guests" / namespace)

    def noted() -> list[Object]:
        return [
            each
            for each in cluster.api.list(*SNAPSHOT, namespace)
            if observations.CUT in each["metadata"].get("annotations", {})
        ]

    with ThreadPoolExecutor(1) as aside, cluster.storage.orders(namespace, db_data="hang"):
        backup = aside.submit(back_up, cluster, namespace, namespace, is_ours=False)
        wait_until(lambda: bool(noted()), "the first disk is taken")
        for number in cluster.velero.plugin_processes():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
    found = backup.result()
    assert set(found.levels().values()) == {"unknown"}


def machine_in(cluster: Cluster, namespace: str, name: str, *disks: str) -> Machine:
    machine = Machine(namespace, name, disks=tuple(map(Disk, disks or ("root",))))
    cluster.create_namespace(namespace)
    cluster.create_vms([machine])
    return machine
