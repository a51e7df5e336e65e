"""A guest whose snapshots the plugin takes is thawed by it, before Velero's post hook comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.freezes import assert_cut_inside_one_freeze
from tests.cluster.manifests import Disk, Machine
from tests.cluster.node import Freeze
from tests.cluster.storage import DRIVER
from tests.cluster.velero import NAMESPACE

PLACE = "early-thaw"
POLICIES = f"""
version: v1
volumePolicies:
- conditions: {{pvcLabels: {{by: velero}}}}
  action: {{type: snapshot}}
- conditions: {{csi: {{driver: {DRIVER}}}}}
  action: {{type: custom, parameters: {{snapshotter: stillpoint}}}}
"""
OURS = Machine(PLACE, "ours", (Disk("root"), Disk("data", "Block")), (Disk("hot"),))
MIXED = Machine(PLACE, "mixed", (Disk("root"), Disk("velero")))


@dataclass(frozen=True)
class Backed:
    """One backup of both machines.

    Attributes:
        freezes: calls by machine, the oldest first.
    """

    cluster: Cluster
    status: Object
    log: str
    freezes: Mapping[str, Sequence[Freeze]]


@pytest.fixture(scope="module")
def backed(cluster: Cluster) -> Backed:
    cluster.create_namespace(PLACE)
    cluster.create_vms([OURS, MIXED])
    where = ("v1", "PersistentVolumeClaim", PLACE, MIXED.claim(MIXED.disks[1]))
    cluster.api.patch(*where, {"metadata": {"labels": {"by": "velero"}}})
    cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": PLACE, "namespace": NAMESPACE},
            "data": {"policies.yaml": POLICIES},
        }
    )
    policies = {"kind": "configmap", "name": PLACE}
    backup = cluster.backup(PLACE, {"includedNamespaces": [PLACE], "resourcePolicy": policies})
    log = cluster.backup_log(PLACE)
    calls = [call for call in cluster.freezes() if call.namespace == PLACE]
    freezes = {
        machine.name: [call for call in calls if call.name == machine.name]
        for machine in (OURS, MIXED)
    }
    return Backed(cluster, backup["status"], log, freezes)


def test_the_plugin_thaws_after_the_last_disk_and_the_post_hook_finds_nothing_to_do(
    backed: Backed,
) -> None:
    assert backed.status["phase"] == "Completed", backed.log
    pod = f"{PLACE}/{OURS.launcher_pod}"
    calls = [(one.verb, one.pod, one.has_changed) for one in backed.freezes["ours"]]
    assert calls == [("freeze", pod, True), ("unfreeze", "", True), ("unfreeze", pod, False)]
    assert {call.exit_code for call in backed.freezes["ours"]} == {0}
    assert_cut_inside_one_freeze(backed.cluster, OURS)
    assert "guest ours thawed: the storage has all its disks" in backed.log


def test_a_guest_with_a_disk_that_velero_takes_is_left_to_the_post_hook(backed: Backed) -> None:
    pod = f"{PLACE}/{MIXED.launcher_pod}"
    calls = [(one.verb, one.pod, one.has_changed) for one in backed.freezes["mixed"]]
    assert calls == [("freeze", pod, True), ("unfreeze", pod, True)]
    assert_cut_inside_one_freeze(backed.cluster, MIXED)


def test_a_guest_that_another_velero_of_the_cluster_may_hold_is_left_to_the_post_hook(
    backed: Backed,
) -> None:
    """Nothing here reconciles that Backup: to this Velero it is one that goes on."""
    cluster, elsewhere = backed.cluster, f"{PLACE}-other-velero"
    cluster.create_namespace(elsewhere)
    cluster.api.create(
        {
            "apiVersion": "velero.io/v1",
            "kind": "Backup",
            "metadata": {"name": PLACE, "namespace": elsewhere},
            "spec": {"includedNamespaces": [PLACE]},
            "status": {"phase": "InProgress"},
        }
    )
    policies = {"kind": "configmap", "name": PLACE}
    name, before = f"{PLACE}-second", len(cluster.freezes())
    backup = cluster.backup(name, {"includedNamespaces": [PLACE], "resourcePolicy": policies})
    cluster.api.delete("velero.io/v1", "Backup", elsewhere, PLACE)
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(name)
    calls = [call for call in cluster.freezes()[before:] if call.name == OURS.name]
    pod = f"{PLACE}/{OURS.launcher_pod}"
    found = [(one.verb, one.pod, one.has_changed) for one in calls]
    assert found == [("freeze", pod, True), ("unfreeze", pod, True)]
