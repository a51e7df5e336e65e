"""What belonged together belongs together again: a pool and its machines, a machine and its own."""

import time
from dataclasses import dataclass, field

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine, owner
from tests.cluster.namespaces import wait_until
from tests.cluster.pool_controller import LABEL, MACHINE, POOL, REVISION, PoolController
from tests.cluster.storage import wait_until_bound

NAMES = ("till-1", "till-4")
CLAIM = ("v1", "PersistentVolumeClaim")
STATE = "persistent-state-for-till-4-x9k2d"


@dataclass
class Tills:
    """A pool whose first machines have gone, its backup, and what became of it elsewhere."""

    cluster: Cluster
    namespace: str = "tills"
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def back(self) -> str:
        return f"{self.namespace}-back"

    def make(self) -> None:
        api = self.cluster.api
        self.cluster.create_namespace(self.namespace)
        machines = [
            Machine(self.namespace, name, is_running=False, has_cloud_init=False, is_populated=True)
            for name in NAMES
        ]
        created = self.cluster.create_vms(machines)
        pool = api.create(pool_of(self.namespace))
        api.create(revision_of(pool))
        for one in created:
            change: Object = {
                "ownerReferences": [owner(pool)],
                "labels": {LABEL: "till-2", "pool": "till"},
                "finalizers": ["pool.kubevirt.io/finalizer"],
            }
            api.patch(*MACHINE, self.namespace, one.machine.name, {"metadata": change})
        self._make_state()
        for name in NAMES:
            claim = f"{name}-root"
            self.contents[claim] = f"sales of {name} ".encode() * 1000
            self.cluster.disk_image(self.namespace, claim).write_bytes(self.contents[claim])

    def _make_state(self) -> None:
        api = self.cluster.api
        machine = api.get(*MACHINE, self.namespace, "till-4")
        metadata = {
            "name": STATE,
            "namespace": self.namespace,
            "labels": {"persistent-state-for": "till-4"},
            "ownerReferences": [owner(machine)],
        }
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Mi"}},
        }
        api.create({"apiVersion": CLAIM[0], "kind": CLAIM[1], "metadata": metadata, "spec": spec})
        tpm = {"domain": {"devices": {"tpm": {"persistent": True}}}}
        api.patch(*MACHINE, self.namespace, "till-4", {"spec": {"template": {"spec": tpm}}})
        wait_until_bound(api, self.namespace)


def pool_of(namespace: str) -> Object:
    return {
        "apiVersion": POOL[0],
        "kind": POOL[1],
        "metadata": {"name": "till", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"pool": "till"}},
            "virtualMachineTemplate": {
                "metadata": {"labels": {"pool": "till"}},
                "spec": {"runStrategy": "Always", "template": {"spec": {"domain": {}}}},
            },
        },
    }


def revision_of(pool: Object) -> Object:
    return {
        "apiVersion": REVISION[0],
        "kind": REVISION[1],
        "metadata": {
            "name": "till-2",
            "namespace": pool["metadata"]["namespace"],
            "ownerReferences": [owner(pool)],
        },
        "data": pool["spec"],
        "revision": 2,
    }


@pytest.fixture(scope="module")
def tills(cluster: Cluster) -> Tills:
    made = Tills(cluster)
    made.make()
    backup = cluster.backup(made.namespace, {"includedNamespaces": [made.namespace]})
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(made.namespace)
    return made


@pytest.fixture(scope="module")
def pools(tills: Tills) -> PoolController:
    """The controller of pools, after the restore and a second more."""
    cluster = tills.cluster
    with PoolController(cluster.api, tills.back) as controller:
        restore = cluster.restore(
            tills.back,
            {"backupName": tills.namespace, "namespaceMapping": {tills.namespace: tills.back}},
            annotations={"stillpoint.dev/run-strategy": "Halted"},
        )
        assert restore["status"]["phase"] == "Completed", cluster.restore_log(tills.back)
        wait_until_bound(cluster.api, tills.back)
        time.sleep(1)  # for the controller to look again, several times
        pool = cluster.api.get(*POOL, tills.back, "till")
        assert not pool["spec"]["paused"]
    return controller


def test_a_pool_takes_its_machines_back_and_makes_no_others(
    tills: Tills, pools: PoolController
) -> None:
    api = tills.cluster.api
    machines = api.list(*MACHINE, tills.back)
    pool = api.get(*POOL, tills.back, "till")
    assert [one["metadata"]["name"] for one in machines] == list(NAMES)
    for one in machines:
        [found] = one["metadata"]["ownerReferences"]
        assert (found["uid"], found["controller"]) == (pool["metadata"]["uid"], True)
    assert (pools.made, pools.deleted) == ([], [])


def test_they_are_as_up_to_date_as_they_were(tills: Tills, pools: PoolController) -> None:
    assert pools.rewritten == []
    revision = tills.cluster.api.get(*REVISION, tills.back, "till-2-restored")
    pool = tills.cluster.api.get(*POOL, tills.back, "till")
    assert revision["metadata"]["ownerReferences"][0]["uid"] == pool["metadata"]["uid"]


def test_the_run_strategy_of_the_restore_reaches_both(tills: Tills, pools: PoolController) -> None:
    del pools
    pool = tills.cluster.api.get(*POOL, tills.back, "till")
    assert pool["spec"]["virtualMachineTemplate"]["spec"]["runStrategy"] == "Halted"
    for one in tills.cluster.api.list(*MACHINE, tills.back):
        assert one["spec"]["runStrategy"] == "Halted"


def test_their_disks_hold_what_they_held(tills: Tills, pools: PoolController) -> None:
    del pools
    for claim, content in tills.contents.items():
        held = tills.cluster.disk_image(tills.back, claim).read_bytes().rstrip(b"\0")
        assert held == content
        was = tills.cluster.api.get(*CLAIM, tills.namespace, claim)["spec"]["dataSourceRef"]
        now = tills.cluster.api.get(*CLAIM, tills.back, claim)["spec"]["dataSourceRef"]
        assert (was["kind"], now["kind"]) == ("VolumeImportSource", "VolumeSnapshot")


def test_state_and_revisions_are_the_machines_again_and_go_with_it(
    tills: Tills, pools: PoolController
) -> None:
    """Last: it deletes."""
    del pools
    api = tills.cluster.api
    machine = api.get(*MACHINE, tills.back, "till-4")
    state = api.get(*CLAIM, tills.back, STATE)
    assert state["metadata"]["ownerReferences"][0]["uid"] == machine["metadata"]["uid"]
    revision = machine["spec"]["instancetype"]["revisionName"]
    found = api.get(*REVISION, tills.back, revision)
    assert found["metadata"]["ownerReferences"][0]["uid"] == machine["metadata"]["uid"]
    api.patch(*MACHINE, tills.back, "till-4", {"metadata": {"finalizers": None}})
    api.delete(*MACHINE, tills.back, "till-4")
    gone = (*REVISION, tills.back, revision)
    wait_until(lambda: api.find(*gone) is None, "the revision goes with its machine")


def test_a_machine_alone_comes_back_without_its_pool_and_can_be_deleted(tills: Tills) -> None:
    alone = f"{tills.namespace}-alone"
    restore = tills.cluster.restore(
        alone,
        {"backupName": tills.namespace, "namespaceMapping": {tills.namespace: alone}},
        annotations={"stillpoint.dev/only": "till-1"},
    )
    assert restore["status"]["phase"] == "Completed", tills.cluster.restore_log(alone)
    api = tills.cluster.api
    assert api.list(*POOL, alone) == []
    machine = api.get(*MACHINE, alone, "till-1")
    assert "finalizers" not in machine["metadata"]
    api.delete(*MACHINE, alone, "till-1")
    assert api.find(*MACHINE, alone, "till-1") is None
