"""A yard of machines comes back in every way that people restore, from snapshots and moved data.

Two equal namespaces are backed up, one by CSI snapshots alone, one with `snapshotMoveData`, and in
both the plugin takes the disks of one machine itself; then all is restored side by side, also by
Velero alone, and each disk is compared byte by byte with what it was at backup.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import wait_until
from tests.cluster.node_agent import NodeAgent
from tests.cluster.velero import NAMESPACE, Settings
from tests.cluster.virt_controller import VirtController
from tests.cluster.yard import Yard, delete_machines

METHODS = ("csi", "mover")
DATA_DOWNLOAD = ("velero.io/v2alpha1", "DataDownload")
START_AS = "stillpoint.dev/start-as"
by_each_method = pytest.mark.parametrize("method", METHODS)


@dataclass
class Seen:
    """What was looked at while the restores ran."""

    progress: dict[str, str] = field(default_factory=dict)
    waiting: Object = field(default_factory=dict)
    beside: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    virt_controller: VirtController | None = None


@dataclass
class Yards:
    """All that was restored, while its sources lived and after they were deleted."""

    by_method: dict[str, Yard]
    seen: Seen

    def __getitem__(self, method: str) -> Yard:
        return self.by_method[method]


@pytest.fixture(scope="module")
def yards(cluster: Cluster) -> Iterator[Yards]:
    fresh = Cluster(beside=cluster)
    repository = cluster.folder / "moved"
    agents = [NodeAgent(each.api, cluster.storage, repository) for each in (cluster, fresh)]
    with ThreadPoolExecutor(20) as workers:
        try:
            starting = workers.submit(start_fresh, fresh, agents[1])
            agents[0].start()
            made = {method: Yard(cluster, fresh, method, workers) for method in METHODS}
            back_up(cluster, list(made.values()))
            starting.result()
            for yard in made.values():
                fresh.api.create(fresh.archive.synchronized_backup(yard.namespace))
            seen = restore(made, agents)
            with fresh.velero_with(Settings()):
                for yard in made.values():
                    yard.begin("alone")
                for yard in made.values():
                    yard.restores["alone"].result()
            yield Yards(made, seen)
        finally:
            for agent in agents:
                agent.close()
            fresh.close()


def start_fresh(fresh: Cluster, agent: NodeAgent) -> None:
    """A second API server, on the disks and the object store of the first."""
    fresh.start()
    plugin = fresh.velero.plugin_under_test()
    fresh.start_velero(Settings(plugin=plugin))
    agent.start()


def back_up(cluster: Cluster, yards: Sequence[Yard]) -> None:
    for yard in yards:
        cluster.create_namespace(yard.namespace)
    cluster.create_vms(machine for yard in yards for machine in yard.machines)
    for yard in yards:
        yard.back_up()


def restore(yards: dict[str, Yard], agents: Sequence[NodeAgent]) -> Seen:
    """Everything at once beside the living machines, and over them when they are deleted."""
    seen = Seen()
    mover = yards["mover"]
    others = [yard.target("other") for yard in yards.values()]
    with VirtController(mover.cluster.api, others, takes_s=3) as seen.virt_controller:
        with agents[0].held("DataDownload"):
            begin_waiting(mover)
            web = {"labelSelector": {"matchLabels": {"app": "web"}}}
            mover.begin("late", web, wait="disks", wait_timeout="3s")
            cancelled = {"itemOperationTimeout": "5s"}
            mover.begin("cancelled", cancelled, to_other=False, only="web", rename="web=stuck")
            for name in ("late", "cancelled"):
                mover.until_phase(name, "PartiallyFailed")
            mover.until_phase("other", "Waiting")
            seen.waiting = mover.machine(mover.target("late"), "web")
            wait_until(lambda: is_told(mover, seen), "Velero has asked for each machine")
        mover.restores["cancelled"].result()
        delete_machines(mover, lambda name: name.startswith("stuck"))
        begin_waiting(yards["csi"])
        for yard in yards.values():
            begin_beside(yard)
        for yard in yards.values():
            for each in yard.restores.values():
                each.result()
    for method, yard in yards.items():
        seen.beside[method] = yard.names(yard.namespace)
        delete_machines(yard, lambda name: not name.startswith("copy"))
        yard.begin("again", to_other=False)
    for yard in yards.values():
        yard.restores["again"].result()
    return seen


def is_told(yard: Yard, seen: Seen) -> bool:
    """True if Velero has looked how far each operation is, which it does after the phase began."""
    seen.progress = yard.progress("other")
    return all(seen.progress.get(machine) for machine in ("archive", "db"))


def begin_waiting(yard: Yard) -> None:
    """Machine by machine, until all guests run and answer."""
    yard.begin("other", wait="agent", start_wave_size="1")


def begin_beside(yard: Yard) -> None:
    """The restores that leave the machines of the yard as they are."""
    uid = yard.cluster.api.get("v1", "PersistentVolumeClaim", yard.namespace, "db-data")
    label = {"velero.kubevirt.io/pvc-uid": uid["metadata"]["uid"]}
    yard.begin("disk", {"labelSelector": {"matchLabels": label}})
    yard.begin("one", only="web")
    yard.begin("beside", to_other=False, only="db", rename="db=copy")
    yard.begin("fresh")


@by_each_method
def test_into_another_namespace_with_all_disks(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("other")
    assert yard.names(yard.target("other")) == {
        "machines": ["archive", "db", "web"],
        "claims": ["archive-root", "db-data", "db-root", "web-root"],
    }
    yard.assert_same_bytes(yard.target("other"), *yard.claims)


@by_each_method
def test_machines_that_ran_start_when_their_disks_are_there_one_at_a_time(
    yards: Yards, method: str
) -> None:
    namespace = yards[method].target("other")
    assert yards.seen.virt_controller
    controller = yards.seen.virt_controller
    first, second = (each for each in controller.started if each[1].startswith(f"{namespace}/"))
    running = {name: when for when, name in controller.running}
    assert {first[1], second[1]} == {f"{namespace}/db", f"{namespace}/web"}
    assert second[0] > running[first[1]]
    for name in ("db", "web"):
        machine = yards[method].machine(namespace, name)
        assert machine["spec"]["runStrategy"] == "Always"
        assert START_AS not in machine["metadata"]["annotations"]
    assert yards[method].machine(namespace, "archive")["spec"]["runStrategy"] == "Halted"


def test_velero_tells_how_far_each_machine_is(yards: Yards) -> None:
    told = yards.seen.progress
    assert told["db"] == "yard-mover-other/db: 0 of 2 disks bound; db-root is Pending"
    assert told["archive"].startswith("yard-mover-other/archive: 0 of 1 disks bound")


def test_a_wait_that_is_in_vain_fails_with_its_reason_and_leaves_the_machine_halted(
    yards: Yards,
) -> None:
    yard = yards["mover"]
    late = yard.restores["late"].result()
    assert late["status"]["phase"] == "PartiallyFailed"
    [error] = [
        each["status"]["error"]
        for each in yard.cluster.archive.restore_operations(yard.target("late"))
        if each["status"].get("error")
    ]
    assert "yard-mover-late/web: 0 of 1 disks bound; web-root is Pending; gave up after" in error
    assert yards.seen.waiting["spec"]["runStrategy"] == "Halted"
    annotations = yards.seen.waiting["metadata"]["annotations"]
    assert annotations[START_AS] == "Always"
    assert "web-root is Pending" in annotations["stillpoint.dev/not-started"]


def test_moving_that_takes_too_long_is_cancelled_by_velero_and_the_data_mover_hears_of_it(
    yards: Yards,
) -> None:
    """Beside a living claim it is our operation; Velero says no more than that it was too long."""
    yard = yards["mover"]
    assert yard.restores["cancelled"].result()["status"]["phase"] == "PartiallyFailed"
    [operation] = [
        each
        for each in yard.cluster.archive.restore_operations(yard.target("cancelled"))
        if each["spec"]["restoreItemAction"] == "stillpoint.dev/restore-persistent-volume-claim"
    ]
    assert operation["status"]["error"] == "Asynchronous action timed out"
    [download] = [
        each
        for each in yard.cluster.api.list(DATA_DOWNLOAD[0], DATA_DOWNLOAD[1], NAMESPACE)
        if each["spec"]["targetVolume"]["pvc"] == "stuck-root"
    ]
    assert download["spec"]["cancel"] is True
    assert download["status"]["phase"] == "Canceled"


@by_each_method
def test_one_disk_by_its_uid_and_nothing_else(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("disk")
    assert yard.names(yard.target("disk")) == {"machines": [], "claims": ["db-data"]}
    yard.assert_same_bytes(yard.target("disk"), "db-data")


@by_each_method
def test_one_machine_with_its_disks_and_nothing_else(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("one")
    assert yard.names(yard.target("one")) == {"machines": ["web"], "claims": ["web-root"]}
    yard.assert_same_bytes(yard.target("one"), "web-root")


@by_each_method
def test_beside_the_living_machine_under_another_name(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("beside")
    renamed = {"copy-root": "db-root", "copy-data": "db-data"}
    assert yards.seen.beside[method] == {
        "machines": ["archive", "copy", "db", "web"],
        "claims": sorted([*renamed, *yard.claims]),
    }
    yard.assert_bytes(yard.namespace, renamed)


@by_each_method
def test_into_a_fresh_cluster(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("fresh")
    assert yard.names(yard.target("fresh"), yard.fresh)["machines"] == ["archive", "db", "web"]
    yard.assert_same_bytes(yard.target("fresh"), *yard.claims)


@by_each_method
def test_by_velero_alone_whoever_took_the_snapshots(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("alone")
    yard.assert_same_bytes(yard.target("alone"), *yard.claims)


def test_an_upload_of_the_plugin_has_all_that_one_of_velero_has(yards: Yards) -> None:
    yard = yards["mover"]
    found = yard.cluster.backup_items(yard.namespace)
    uploads = {
        each["spec"]["sourcePVC"]: each for path, each in found.items() if "/datauploads" in path
    }
    assert sorted(uploads) == sorted(yard.claims)
    ours, theirs = uploads["db-root"], uploads["web-root"]
    assert "generateName" not in ours["metadata"]
    assert "generateName" in theirs["metadata"]
    assert outline(ours) == outline(theirs)


def outline(item: Object) -> Object:
    """Fields and labels without their values."""
    return {
        key: outline(value) if isinstance(value, dict) else type(value)
        for key, value in item.items()
        if key not in ("generateName", "managedFields")
    }


@by_each_method
def test_into_its_own_namespace_right_after_its_deletion(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("again")
    assert yard.names(yard.namespace)["machines"] == ["archive", "copy", "db", "web"]
    yard.assert_same_bytes(yard.namespace, *yard.claims)
