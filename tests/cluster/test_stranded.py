"""A guest that leaves its launcher pod while it is frozen, as when a node is drained."""

from concurrent.futures import ThreadPoolExecutor

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.evidence_guests import shown
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.node import Freeze

PLACE = "stranded"
MACHINE = Machine(PLACE, "db", (Disk("root"), Disk("data", "Block")))
INSTANCE = ("kubevirt.io/v1", "VirtualMachineInstance", PLACE, MACHINE.name)


def calls(cluster: Cluster) -> list[Freeze]:
    return [one for one in cluster.freezes() if one.namespace == PLACE]


def migrate(cluster: Cluster) -> None:
    """The instance runs elsewhere, and the pod that it has left is evicted."""
    instance: Object = cluster.api.get(*INSTANCE)
    moved = {"nodeName": "node2", "activePods": {"the-pod-on-node2": "node2"}}
    cluster.api.replace_status(instance, {**instance["status"], **moved})
    pod = ("v1", "Pod", PLACE, MACHINE.launcher_pod)
    cluster.api.delete(*pod)
    wait_until(lambda: cluster.api.find(*pod) is None, "the pod is gone")


def test_a_guest_that_is_migrated_while_frozen_is_thawed_by_the_plugin(cluster: Cluster) -> None:
    """Its storage takes its time for a disk, and Velero's hook finds no pod any more."""
    cluster.create_namespace(PLACE)
    cluster.create_vm(MACHINE)
    with ThreadPoolExecutor(1) as aside, cluster.storage.orders(PLACE, db_data="hold"):
        backup = aside.submit(cluster.backup, PLACE, {"includedNamespaces": [PLACE]})
        wait_until(lambda: bool(calls(cluster)), "the hook has frozen the guest")
        migrate(cluster)
    found = backup.result()
    assert [(one.verb, one.pod, one.has_changed) for one in calls(cluster)] == [
        ("freeze", f"{PLACE}/{MACHINE.launcher_pod}", True),
        ("unfreeze", "", True),
    ]
    assert "fsFreezeStatus" not in cluster.api.get(*INSTANCE)["status"]
    thaw = calls(cluster)[-1].time
    cuts = [cluster.snapshots_cut()[f"{PLACE}/{MACHINE.claim(disk)}"] for disk in MACHINE.disks]
    assert all(cut.finished <= thaw for [cut] in cuts), "it was thawed before its disks were taken"
    assert found["status"]["phase"] == "PartiallyFailed"
    said = shown(cluster.archive, found)
    assert set(said.levels().values()) == {"unknown"}
    told = (cluster.backup_log(PLACE), said.operations[MACHINE.name]["description"], said.reasons())
    words = ("was migrated or paused while frozen", "this plugin has the guest thawed")
    assert any(word in one for word in words for one in told), told
