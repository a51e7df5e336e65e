"""A yard of machines comes back in every way that people restore, from snapshots and moved data.

Two equal namespaces are backed up, one by CSI snapshots alone, one with `snapshotMoveData`; then
all is restored side by side, and each disk is compared byte by byte with what it was at backup.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.cluster.api import Api, ApiError, Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import VIRTUAL_MACHINES, drop_finalizers, wait_until
from tests.cluster.node_agent import NodeAgent
from tests.cluster.storage import wait_until_bound
from tests.cluster.velero import API_VERSION, NAMESPACE, Settings
from tests.cluster.virt_controller import VirtController

METHODS = ("csi", "mover")
KUBEVIRT = "kubevirt.io/v1"
START_AS = "stillpoint.dev/start-as"
by_each_method = pytest.mark.parametrize("method", METHODS)


@dataclass
class Yard:
    """One namespace, its backup, and its restores by name, which run at the same time."""

    cluster: Cluster
    fresh: Cluster
    method: str
    workers: ThreadPoolExecutor
    restores: dict[str, "Future[Object]"] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return f"yard-{self.method}"

    @property
    def machines(self) -> tuple[Machine, ...]:
        db = Machine(self.namespace, "db", disks=(Disk("root"), Disk("data", "Block")))
        web = Machine(self.namespace, "web", disks=(Disk("root", "Block"),))
        return db, web, Machine(self.namespace, "archive", is_running=False)

    @property
    def claims(self) -> list[str]:
        return [machine.claim(disk) for machine in self.machines for disk in machine.disks]

    def content(self, claim: str) -> bytes:
        return f"{claim} of {self.namespace} ".encode() * 1000

    def write(self, content: Callable[[str], bytes]) -> None:
        for claim in self.claims:
            self.cluster.disk_image(self.namespace, claim).write_bytes(content(claim))

    def back_up(self) -> None:
        """The disks change after it, so that what comes back is of the backup."""
        self.write(self.content)
        spec = {
            "includedNamespaces": [self.namespace],
            "snapshotMoveData": self.method == "mover",
        }
        backup = self.cluster.backup(self.namespace, spec)
        log = self.cluster.backup_log(self.namespace)
        assert backup["status"]["phase"] == "Completed", log
        self.write(lambda claim: b"later than the backup of " + claim.encode())

    def target(self, name: str) -> str:
        return f"{self.namespace}-{name}"

    def begin(
        self, name: str, spec: Object | None = None, *, to_other: bool = True, **conditions: str
    ) -> None:
        """A restore into a namespace of its own name, unless it is to go where it came from."""
        where = {"namespaceMapping": {self.namespace: self.target(name)}} if to_other else {}
        self.restores[name] = self.workers.submit(
            (self.fresh if name == "fresh" else self.cluster).restore,
            self.target(name),
            {"backupName": self.namespace, **where, **(spec or {})},
            timeout_s=240,
            annotations={
                f"stillpoint.dev/{key.replace('_', '-')}": value
                for key, value in conditions.items()
            },
        )

    def assert_completed(self, name: str) -> None:
        """That the restore has, and that the claims it made are bound."""
        restore = self.restores[name].result()
        cluster = self.fresh if name == "fresh" else self.cluster
        log = cluster.restore_log(self.target(name))
        results = cluster.restore_results(self.target(name))
        assert restore["status"]["phase"] == "Completed", f"{results}\n{log}"
        is_at_home = name in ("again", "beside")
        wait_until_bound(cluster.api, self.namespace if is_at_home else self.target(name))

    def phase(self, name: str) -> str:
        restore = self.cluster.api.find(API_VERSION, "Restore", NAMESPACE, self.target(name))
        return str((restore or {}).get("status", {}).get("phase"))

    def machine(self, namespace: str, name: str) -> Object:
        return self.cluster.api.get(KUBEVIRT, "VirtualMachine", namespace, name)

    def assert_bytes(self, namespace: str, claims: dict[str, str]) -> None:
        """That claims, new name to old, hold what the old ones held at the backup."""
        for new, old in claims.items():
            held = self.cluster.disk_image(namespace, new).read_bytes().rstrip(b"\0")
            assert held == self.content(old), f"{namespace}/{new}"

    def assert_same_bytes(self, namespace: str, *claims: str) -> None:
        self.assert_bytes(namespace, {claim: claim for claim in claims})

    def names(self, namespace: str, cluster: Cluster | None = None) -> dict[str, list[str]]:
        """Machines and claims of a namespace."""
        api = (cluster or self.cluster).api
        kinds = {
            "machines": (KUBEVIRT, "VirtualMachine"),
            "claims": ("v1", "PersistentVolumeClaim"),
        }
        return {
            what: sorted(each["metadata"]["name"] for each in api.list(*kind, namespace))
            for what, kind in kinds.items()
        }

    def progress(self, name: str) -> dict[str, str]:
        """What Velero would tell a person of each item operation of ours, as of now."""
        target = {"kind": "RestoreItemOperations", "name": self.target(name)}
        request = velero_object("DownloadRequest", f"{time.monotonic_ns()}", {"target": target})
        self.cluster.api.create(request)
        where = (API_VERSION, "DownloadRequest", NAMESPACE, request["metadata"]["name"])
        wait_until(lambda: bool(self.cluster.api.get(*where).get("status")), "an answer")
        operations = self.cluster.archive.restore_operations(self.target(name))
        return {
            each["spec"]["resourceIdentifier"]["Name"]: each["status"].get("description", "")
            for each in operations
            if each["spec"]["restoreItemAction"].startswith("stillpoint.dev/")
        }


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
            yield Yards(made, restore(made, agents))
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
        with agents[0].downloads_held():
            begin_waiting(mover)
            web = {"labelSelector": {"matchLabels": {"app": "web"}}}
            mover.begin("late", web, wait="disks", wait_timeout="3s")
            wait_until(lambda: "PartiallyFailed" in mover.phase("late"), "a wait in vain", 120)
            wait_until(lambda: "Waiting" in mover.phase("other"), "a wait in progress", 120)
            seen.waiting = mover.machine(mover.target("late"), "web")
            seen.progress = mover.progress("other")
        begin_waiting(yards["csi"])
        for yard in yards.values():
            begin_beside(yard)
        for yard in yards.values():
            for each in yard.restores.values():
                each.result()
    for method, yard in yards.items():
        seen.beside[method] = yard.names(yard.namespace)
        delete_machines(yard)
        yard.begin("again", to_other=False)
    for yard in yards.values():
        yard.restores["again"].result()
    return seen


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


def delete_machines(yard: Yard) -> None:
    """As a person does who then restores at once: some of it is still being deleted."""
    api = yard.cluster.api
    for kind in VIRTUAL_MACHINES:
        drop_finalizers(api, kind, yard.namespace)
    data_volumes, claims = (
        ("cdi.kubevirt.io/v1beta1", "DataVolume"),
        ("v1", "PersistentVolumeClaim"),
    )
    for kind in (*VIRTUAL_MACHINES, data_volumes, claims, ("v1", "Pod")):
        for each in api.list(*kind, yard.namespace):
            if not each["metadata"]["name"].startswith("copy"):
                delete(api, *kind, yard.namespace, each["metadata"]["name"])


def delete(api: Api, *where: str) -> None:
    try:
        api.request("DELETE", api.path(*where))
    except ApiError as error:  # its owner went first, and took it along
        if error.status != 404:
            raise


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
def test_into_its_own_namespace_right_after_its_deletion(yards: Yards, method: str) -> None:
    yard = yards[method]
    yard.assert_completed("again")
    assert yard.names(yard.namespace)["machines"] == ["archive", "copy", "db", "web"]
    yard.assert_same_bytes(yard.namespace, *yard.claims)
