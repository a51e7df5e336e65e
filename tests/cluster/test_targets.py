"""Restores over machines that exist: what the readiness policy lets Velero do, and what not."""

from dataclasses import dataclass

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import TEMPLATE_LABELS, Machine
from tests.cluster.virt_controller import VirtController

NAMESPACE = "targets"
KUBEVIRT = "kubevirt.io/v1"
POLICY = "stillpoint.dev/target-readiness-policy"
LATER = {"changed": "since-the-backup"}


@dataclass
class Targets:
    """Two machines that run and were changed since their backup; a restore changes them back."""

    cluster: Cluster
    controller: VirtController
    kept: Object
    """The instance of `keeps` before any restore."""
    left_alone: Object
    """A restore that leaves what exists as it is, told to stop it all the same."""
    over: Object
    """A restore that updates: `keeps` fails immediately, `stops` is stopped."""

    def machine(self, name: str) -> Object:
        return self.cluster.api.get(KUBEVIRT, "VirtualMachine", NAMESPACE, name)

    def errors(self, restore: Object) -> list[str]:
        found = self.cluster.restore_results(restore["metadata"]["name"])["errors"]
        return list(found.get("namespaces", {}).get(NAMESPACE, []))


@pytest.fixture(scope="module")
def targets(cluster: Cluster) -> Targets:
    api = cluster.api
    cluster.create_namespace(NAMESPACE)
    cluster.create_vms([Machine(NAMESPACE, "keeps"), Machine(NAMESPACE, "stops")])
    spec: Object = {"includedNamespaces": [NAMESPACE], "snapshotVolumes": False}
    backup = cluster.backup(NAMESPACE, spec)
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(NAMESPACE)
    for name in ("keeps", "stops"):
        where = (KUBEVIRT, "VirtualMachine", NAMESPACE, name)
        api.patch(*where, {"spec": {"template": {"metadata": {"labels": LATER}}}})
    kept = api.get(KUBEVIRT, "VirtualMachineInstance", NAMESPACE, "keeps")
    policies = {POLICY: f"FailImmediate, {NAMESPACE}/stops=StopTarget"}
    with VirtController(api, [NAMESPACE], takes_s=3) as controller:
        left_alone = cluster.restore(
            f"{NAMESPACE}-none", {"backupName": NAMESPACE}, annotations={POLICY: "StopTarget"}
        )
        assert controller.stopped == []
        update = {"backupName": NAMESPACE, "existingResourcePolicy": "update"}
        over = cluster.restore(f"{NAMESPACE}-update", update, annotations=policies)
        assert controller.wait_for_running(f"{NAMESPACE}/stops")
    return Targets(cluster, controller, kept, left_alone, over)


def test_stop_target_stops_the_machine_and_no_other_then_restores_over_it(
    targets: Targets,
) -> None:
    assert [name for _when, name in targets.controller.stopped] == [f"{NAMESPACE}/stops"]
    machine = targets.machine("stops")
    assert machine["spec"]["template"]["metadata"]["labels"] == TEMPLATE_LABELS
    assert machine["metadata"]["labels"]["velero.io/restore-name"] == f"{NAMESPACE}-update"


def test_a_machine_that_was_stopped_to_be_restored_over_runs_again(targets: Targets) -> None:
    assert targets.machine("stops")["spec"]["runStrategy"] == "Always"
    [stopped] = targets.controller.stopped
    [running] = targets.controller.running
    assert running[1] == f"{NAMESPACE}/stops"
    assert running[0] > stopped[0]


def test_fail_immediate_fails_this_machine_alone_and_it_runs_on_as_it_was(
    targets: Targets,
) -> None:
    assert targets.over["status"]["phase"] == "PartiallyFailed"
    errors = targets.errors(targets.over)
    assert len(errors) == 1, errors
    [error] = errors
    assert f"VirtualMachine {NAMESPACE}/keeps: cannot restore over it: it runs" in error
    assert "(FailImmediate); HINT: stop it" in error
    machine = targets.machine("keeps")
    assert machine["spec"]["runStrategy"] == "Always"
    assert machine["spec"]["template"]["metadata"]["labels"] == {
        **TEMPLATE_LABELS,
        **LATER,
    }
    api = targets.cluster.api
    instance = api.get(KUBEVIRT, "VirtualMachineInstance", NAMESPACE, "keeps")
    assert instance["metadata"]["uid"] == targets.kept["metadata"]["uid"]


def test_nothing_is_stopped_for_a_restore_that_would_leave_it_as_it_is(targets: Targets) -> None:
    errors = targets.errors(targets.left_alone)
    assert len(errors) == 2
    for error in errors:
        assert "it exists, and stopped for nothing: Velero would leave it as it is" in error
        assert "existingResourcePolicy: update" in error
