"""Pods that have ended and machines that are stopped share disks with guests that run.

With several item-block workers Velero backs them up while a guest is still being frozen: whoever
comes first, a disk is taken in the freeze of its guest.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.freezes import assert_cut_inside_one_freeze
from tests.cluster.manifests import Disk, Machine
from tests.cluster.running_manifests import launcher_pod
from tests.cluster.velero import Settings

WORKERS = 8
LABEL = {"backup": "yes"}
TAKERS = {"velero": {}, "ours": {"stillpoint.dev/snapshotter": "all"}}
"""Annotations of the Backup, by who takes the snapshots."""
FREEZING_S = 4


@pytest.fixture(scope="module")
def workers(cluster: Cluster) -> Iterator[Cluster]:
    """A Velero with several of them."""
    plugin = cluster.velero.plugin_under_test()
    with cluster.velero_with(Settings(plugin=plugin, item_block_workers=WORKERS)):
        yield cluster


@pytest.mark.parametrize("taker", TAKERS)
def test_a_pod_that_has_ended_calls_for_no_disk_before_the_freeze(
    workers: Cluster, taker: str
) -> None:
    cluster, machine = workers, running(workers, f"ended-pods-{taker}")
    for pod in (importer(machine), migrated(cluster, machine)):
        cluster.api.replace_status(cluster.api.create(pod), {"phase": "Succeeded"})
    back_up(cluster, machine, taker)
    assert_cut_inside_one_freeze(cluster, machine)


@pytest.mark.parametrize("taker", TAKERS)
def test_a_stopped_machine_calls_for_no_disk_of_a_guest_before_the_freeze(
    workers: Cluster, taker: str
) -> None:
    """It is selected by its label, so it has to bring its disks."""
    cluster, machine = workers, running(workers, f"stopped-machine-{taker}")
    standby = Machine(machine.namespace, "standby", is_running=False, labels=tuple(LABEL.items()))
    cluster.create_vm(standby)
    where = ("kubevirt.io/v1", "VirtualMachine", machine.namespace, standby.name)
    volumes = cluster.api.get(*where)["spec"]["template"]["spec"]["volumes"]
    shared = {"persistentVolumeClaim": {"claimName": machine.claim(machine.disks[-1])}}
    volumes.append({"name": "shared", **shared})
    cluster.api.patch(*where, {"spec": {"template": {"spec": {"volumes": volumes}}}})
    back_up(cluster, machine, taker, labelSelector={"matchLabels": LABEL})
    assert_cut_inside_one_freeze(cluster, machine)
    own = f"{machine.namespace}/{standby.claim(standby.disks[0])}"
    assert len(cluster.snapshots_cut()[own]) == 1


def running(cluster: Cluster, namespace: str) -> Machine:
    """A machine whose guest takes its time to freeze."""
    disks = (Disk("root"), Disk("data", "Block"))
    machine = Machine(namespace, "db", disks, labels=tuple(LABEL.items()))
    cluster.create_namespace(namespace)
    cluster.create_vm(machine)
    cluster.node.disturb(namespace, machine.name, "freeze", delay_s=FREEZING_S)
    return machine


def importer(machine: Machine) -> Object:
    """A pod that has brought the guest's first disk here, after all others by its name."""
    claim = {"persistentVolumeClaim": {"claimName": machine.claim(machine.disks[0])}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": machine.metadata("z-importer"),
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "importer", "image": "importer"}],
            "volumes": [{"name": "disk", **claim}],
        },
    }


def migrated(cluster: Cluster, machine: Machine) -> Object:
    """The launcher pod that a live migration has left behind."""
    where = ("kubevirt.io/v1", "VirtualMachineInstance", machine.namespace, machine.name)
    pod = launcher_pod(machine, cluster.api.get(*where))
    pod["metadata"]["name"] = f"{machine.launcher_pod}-z"
    return pod


def back_up(cluster: Cluster, machine: Machine, taker: str, **spec: Any) -> None:
    name = machine.namespace
    spec = {**spec, "includedNamespaces": [name], "snapshotVolumes": taker == "velero"}
    backup = cluster.backup(name, spec, annotations=TAKERS[taker])
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(name)
