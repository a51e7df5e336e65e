"""One item block per machine: every disk is cut in its one freeze, however it was selected.

Each namespace holds machines of 1, 4 and 16 disks, in their templates or hot-plugged beside a root
disk, and is one backup by one way of selection. The backups run side by side.

Where a claim alone is selected, Velero's own action brings all that its pods mount. Machines of 16
disks are marked `exhaustive` (`make exhaustive`, some minutes more) but for those that are selected
by their own label.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from tests.cluster import virtual_machines
from tests.cluster.api import Object
from tests.cluster.audit import events
from tests.cluster.cluster import Cluster
from tests.cluster.freezes import assert_cut_inside_one_freeze
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.populator import populate
from tests.cluster.storage import wait_until_bound
from tests.cluster.velero import PLUGIN_ACCOUNT, Settings

Selection = Literal["namespace", "machine", "claim"]
SELECTIONS: tuple[Selection, ...] = ("namespace", "machine", "claim")
LABEL = {"backup": "yes"}
POLL_S = 5
"""Between two looks of Velero for a snapshot's handle, one disk after the other."""
BLOCKS_AHEAD = 10
"""Velero v1.18, pkg/backup/item_block_worker_pool.go."""


@dataclass(frozen=True)
class Backed:
    """A cluster on which every machine was backed up by every selection."""

    cluster: Cluster
    workers: int
    phases: dict[Selection, str]


def disks(prefix: str, count: int) -> tuple[Disk, ...]:
    """Every other one is a block device."""
    modes: tuple[Literal["Filesystem", "Block"], ...] = ("Filesystem", "Block")
    return tuple(Disk(f"{prefix}{number:02}", modes[number % 2]) for number in range(count))


def machines(sizes: Sequence[int]) -> list[Machine]:
    return [
        machine
        for size in sizes
        for machine in (
            Machine("", f"spec-{size}", disks=disks("disk", size)),
            Machine("", f"hot-{size}", hotplugged=disks("hot", size)),
        )
    ]


def in_namespace(machine: Machine, selection: Selection, workers: int) -> Machine:
    labels = tuple(LABEL.items()) if selection == "machine" else ()
    return replace(machine, namespace=f"blocks-{selection}-{workers}", labels=labels)


def last_disk(machine: Machine) -> Disk:
    """The one whose claim alone is labelled: a hot-plugged one, if there are any."""
    return (*machine.disks, *machine.hotplugged)[-1]


def is_slow(selection: Selection, machine: Machine, workers: int) -> bool:
    return machine.name.endswith("-16") and (workers, selection) != (8, "machine")


def backed_up(cluster: Cluster, workers: int, *, is_whole: bool) -> Backed:
    chosen = [
        in_namespace(machine, selection, workers)
        for selection in SELECTIONS
        for machine in machines((1, 4, 16))
        if is_whole or not is_slow(selection, machine, workers)
    ]
    for namespace in dict.fromkeys(machine.namespace for machine in chosen):
        cluster.create_namespace(namespace)
    cluster.create_vms(chosen)
    for machine in chosen:
        if machine.namespace.startswith("blocks-claim"):
            where = ("v1", "PersistentVolumeClaim", machine.namespace)
            claim = machine.claim(last_disk(machine))
            cluster.api.patch(*where, claim, {"metadata": {"labels": LABEL}})
    settings = Settings(
        plugin=cluster.velero.plugin_under_test(),
        item_block_workers=workers,
        concurrent_backups=len(SELECTIONS),
    )
    with cluster.velero_with(settings), ThreadPoolExecutor(len(SELECTIONS)) as aside:
        found = aside.map(lambda selection: backup(cluster, selection, workers), SELECTIONS)
        phases = dict(zip(SELECTIONS, found, strict=True))
    return Backed(cluster, workers, phases)


def backup(cluster: Cluster, selection: Selection, workers: int) -> str:
    name = f"blocks-{selection}-{workers}"
    spec: Object = {"includedNamespaces": [name]}
    if selection != "namespace":
        spec["labelSelector"] = {"matchLabels": LABEL}
    return str(cluster.backup(name, spec)["status"]["phase"])


@pytest.fixture(scope="module")
def is_whole(request: pytest.FixtureRequest) -> bool:
    return any(item.get_closest_marker("exhaustive") for item in request.session.items)


@pytest.fixture(scope="module")
def eight_workers(cluster: Cluster, is_whole: bool) -> Backed:
    return backed_up(cluster, 8, is_whole=is_whole)


@pytest.fixture(scope="module")
def one_worker(cluster: Cluster, is_whole: bool) -> Backed:
    return backed_up(cluster, 1, is_whole=is_whole)


def cases() -> Iterator[object]:
    for workers, fixture in ((8, "eight_workers"), (1, "one_worker")):
        for selection in SELECTIONS:
            for machine in machines((1, 4, 16)):
                slow = is_slow(selection, machine, workers)
                marks = [pytest.mark.exhaustive] if slow else []
                name = f"{machine.name}-by-{selection}-{fixture}"
                yield pytest.param(fixture, selection, machine, marks=marks, id=name)


@pytest.mark.parametrize(("workers", "selection", "machine"), list(cases()))
def test_every_disk_is_cut_in_the_one_freeze_of_its_machine(
    request: pytest.FixtureRequest, workers: str, selection: Selection, machine: Machine
) -> None:
    backed: Backed = request.getfixturevalue(workers)
    assert backed.phases[selection] == "Completed"
    machine = in_namespace(machine, selection, backed.workers)
    assert_cut_inside_one_freeze(backed.cluster, machine)


def test_a_disk_hot_plugged_after_the_backup_began_is_cut_in_the_freeze(cluster: Cluster) -> None:
    """Velero has collected all items by the time the first guest is frozen.

    It makes blocks ahead of its worker, ten at most: so there are some between the two machines.
    """
    slow, late = Machine("plug-1", "slow"), Machine("plug-2", "late")
    for machine in (slow, late):
        cluster.create_namespace(machine.namespace)
    cluster.create_vms([slow, late])
    for number in range(BLOCKS_AHEAD + 2):
        cluster.api.create(idle_pod(slow.namespace, f"z-{number:02}"))
    held = cluster.node.holding(slow.namespace, slow.name, "freeze")
    spec = {"includedNamespaces": [slow.namespace, late.namespace]}
    with ThreadPoolExecutor(1) as aside, held:
        backup = aside.submit(cluster.backup, "plug", spec)
        wait_until(lambda: is_collected(cluster, "plug"), "Velero has collected its items")
        plugged = virtual_machines.hot_plug(cluster, late, Disk("extra"))
    assert backup.result()["status"]["phase"] == "Completed", cluster.backup_log("plug")
    folder = f"resources/virtualmachineinstances.kubevirt.io/namespaces/{late.namespace}"
    stored = cluster.backup_items("plug")[f"{folder}/late.json"]
    assert "extra" not in str(stored["spec"]), "plugged before the backup had begun"
    assert_cut_inside_one_freeze(cluster, plugged)


def test_a_disk_hot_plugged_after_its_namespace_was_read_is_cut_in_the_freeze(
    cluster: Cluster,
) -> None:
    """The block of one machine is made by then, that of the other is not: see the test above."""
    slow, made, unmade = (Machine("plug-3", name) for name in ("a-slow", "b-made", "d-unmade"))
    cluster.create_namespace(slow.namespace)
    cluster.create_vms([slow, made, unmade])
    for number in range(BLOCKS_AHEAD + 2):
        cluster.api.create(idle_pod(slow.namespace, f"virt-launcher-c-{number:02}"))
    held = cluster.node.holding(slow.namespace, slow.name, "freeze")
    with ThreadPoolExecutor(1) as aside, held:
        backup = aside.submit(cluster.backup, "plug-read", {"includedNamespaces": [slow.namespace]})
        wait_until(lambda: is_read(cluster, slow.namespace), "the plugin has read the namespace")
        plugged = [
            virtual_machines.hot_plug(cluster, machine, Disk("extra")) for machine in (unmade, made)
        ]
        assert not cluster.snapshots_cut().get(f"{slow.namespace}/{slow.claim(slow.disks[0])}")
    assert backup.result()["status"]["phase"] == "Completed", cluster.backup_log("plug-read")
    for machine in plugged:
        assert_cut_inside_one_freeze(cluster, machine)


def test_a_disk_of_another_block_is_taken_without_the_disks_of_a_guest_that_runs(
    cluster: Cluster,
) -> None:
    """A pod's disk, whose block waits already, is plugged into a guest whose block is not built."""
    slow, late = Machine("plug-5", "slow"), Machine("plug-6", "late")
    for machine in (slow, late):
        cluster.create_namespace(machine.namespace)
    cluster.create_vms([slow, late])
    plugged = replace(late, hotplugged=(Disk("extra"),))
    extra = virtual_machines.create_disk(cluster.api, plugged, plugged.hotplugged[0], None)
    populate(cluster.api, cluster.storage, [extra])
    source = {"persistentVolumeClaim": {"claimName": extra["metadata"]["name"]}}
    first = idle_pod(late.namespace, "a-first")
    first["spec"]["volumes"] = [{"name": "extra", **source}]
    cluster.api.create(first)
    for number in range(BLOCKS_AHEAD + 2):
        cluster.api.create(idle_pod(late.namespace, f"b-{number:02}"))
    wait_until_bound(cluster.api, late.namespace)
    held = cluster.node.holding(slow.namespace, slow.name, "freeze")
    with ThreadPoolExecutor(1) as aside, held:
        spec = {"includedNamespaces": [slow.namespace, late.namespace], "snapshotVolumes": False}
        every = {"stillpoint.dev/snapshotter": "all"}
        backup = aside.submit(cluster.backup, "plug-alone", spec, annotations=every)
        wait_until(lambda: is_in_block(cluster, extra), "the block of the pod is built")
        virtual_machines.plug_in(cluster, plugged)
        assert not cluster.snapshots_cut().get(f"{late.namespace}/{extra['metadata']['name']}")
    status, log = backup.result()["status"], cluster.backup_log("plug-alone")
    assert (status["phase"], status.get("warnings")) == ("Completed", 1), log
    assert (
        "which guest late uses, is taken alone: they are not known to be in one item block" in log
    )
    assert_cut_inside_one_freeze(cluster, late)


def is_in_block(cluster: Cluster, claim: Object) -> bool:
    """Velero reads the volume of a claim when it adds the claim to a block."""
    where = ("v1", "PersistentVolumeClaim", claim["metadata"]["namespace"])
    volume = cluster.api.get(*where, claim["metadata"]["name"])["spec"]["volumeName"]
    found = events(cluster.control_plane.audit_log, "velero")
    return any(event["requestURI"].endswith(f"/persistentvolumes/{volume}") for event in found)


def is_read(cluster: Cluster, namespace: str) -> bool:
    path = f"/namespaces/{namespace}/virtualmachineinstances?"
    found = events(cluster.control_plane.audit_log, PLUGIN_ACCOUNT)
    return any(path in event["requestURI"] for event in found)


@pytest.mark.exhaustive
@pytest.mark.parametrize("workers", [1, 8])
def test_with_velero_s_own_polling_a_guest_is_frozen_longer_and_cut_in_that_freeze(
    cluster: Cluster, workers: int
) -> None:
    """Other tests let Velero look for a snapshot every second; by itself it looks every five."""
    machine = replace(machines((4,))[1], namespace=f"polling-{workers}", disks=disks("disk", 2))
    cluster.create_namespace(machine.namespace)
    cluster.create_vms([machine])
    plugin = cluster.velero.plugin_under_test()
    settings = Settings(plugin=plugin, item_block_workers=workers, polls_often=False)
    with cluster.velero_with(settings):
        backup = cluster.backup(machine.namespace, {"includedNamespaces": [machine.namespace]})
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(machine.namespace)
    assert_cut_inside_one_freeze(cluster, machine)
    count = len((*machine.disks, *machine.hotplugged))
    assert frozen_s(cluster, machine) > POLL_S * count, "Velero looked more often"


def frozen_s(cluster: Cluster, machine: Machine) -> float:
    frozen, thawed = (
        call.time for call in cluster.freezes() if call.namespace == machine.namespace
    )
    return (thawed - frozen).total_seconds()


def is_collected(cluster: Cluster, name: str) -> bool:
    found = cluster.api.find("velero.io/v1", "Backup", "velero", name) or {}
    return bool(found.get("status", {}).get("progress", {}).get("totalItems"))


def idle_pod(namespace: str, name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "idle", "image": "idle"}]},
    }
