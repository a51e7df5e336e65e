"""What is changed in a cluster while a backup of it runs.

The storage holds the snapshot of a disk until the change is done: that is in the middle of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from tests.cluster import audit, manifests, virtual_machines
from tests.cluster.api import Object, Objects
from tests.cluster.cluster import Cluster
from tests.cluster.evidence_guests import shown
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.node import Freeze
from tests.cluster.test_own_snapshots import snapshots_of
from tests.cluster.velero import NAMESPACE, PLUGIN_ACCOUNT

SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
OURS: Object = {"type": "custom", "parameters": {"snapshotter": "stillpoint"}}
VELEROS: Object = {"type": "snapshot"}
LIMIT = "stillpoint.dev/frozen-timeout"


def policies(name: str, action: Object) -> Object:
    text = f"{{version: v1, volumePolicies: [{{conditions: {{csi: {{}}}}, action: {action}}}]}}"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {"policies.yaml": text},
    }


def machine_in(cluster: Cluster, namespace: str) -> Machine:
    machine = Machine(namespace, "db", (Disk("root"), Disk("data", "Block")))
    cluster.create_namespace(namespace)
    cluster.create_vm(machine)
    return machine


def claims(machine: Machine) -> set[str]:
    return {machine.claim(disk) for disk in machine.disks}


def begun(cluster: Cluster, namespace: str) -> Objects:
    """VolumeSnapshots, which are asked for."""
    return cluster.api.list(*SNAPSHOT, namespace)


def calls(cluster: Cluster, machine: Machine) -> list[Freeze]:
    where = (machine.namespace, machine.name)
    return [one for one in cluster.freezes() if (one.namespace, one.name) == where]


@contextmanager
def backup_of(
    cluster: Cluster,
    machine: Machine,
    held: Iterable[str],
    annotations: Mapping[str, str] | None = None,
) -> Iterator["Future[Object]"]:
    """A backup by the policies of the machine's namespace that goes on; its end, as a future.

    Args:
        held: claims of which the storage takes no snapshot before the context ends.
    """
    name = machine.namespace
    policy = {"kind": "configmap", "name": name}
    spec = {"includedNamespaces": [name], "resourcePolicy": policy}
    orders = dict.fromkeys(held, "hold")
    with ThreadPoolExecutor(1) as aside, cluster.storage.orders(name, **orders):
        yield aside.submit(cluster.backup, name, spec, annotations=annotations)


def has_read_policies(cluster: Cluster, since: datetime) -> bool:
    log = cluster.control_plane.audit_log
    asked = audit.requests(log, PLUGIN_ACCOUNT, since)
    return any(one.resource == "configmaps" for one in asked)


# policies


def edited(cluster: Cluster, machine: Machine, before: Object, after: Object) -> Object:
    """A backup whose policies change while the storage holds the first snapshot."""
    name, began = machine.namespace, datetime.now(UTC)
    cluster.api.create(policies(name, before))
    with backup_of(cluster, machine, claims(machine)) as backup:
        wait_until(lambda: bool(begun(cluster, name)), "a snapshot is asked for")
        wait_until(lambda: has_read_policies(cluster, began), "the plugin has read them")
        change = {"data": policies(name, after)["data"]}
        cluster.api.patch("v1", "ConfigMap", NAMESPACE, name, change)
    return backup.result()


def test_a_disk_that_nobody_takes_any_more_fails_the_backup(cluster: Cluster) -> None:
    """Velero's action reads that the next disk is the plugin's, which has read the contrary."""
    machine = machine_in(cluster, "edited-to-ours")
    name = machine.namespace
    backup = edited(cluster, machine, before=VELEROS, after=OURS)
    kept = {claim for claim, taken in snapshots_of(cluster, name).items() if taken}
    assert len(kept) == 1
    [lost] = claims(machine) - kept
    assert backup["status"]["phase"] == "PartiallyFailed", cluster.backup_log(name)
    errors = str(cluster.backup_results(name)["errors"])
    assert f"PersistentVolumeClaim {name}/{lost}: cannot take a snapshot: Velero, to" in errors
    assert f"resources/persistentvolumeclaims/namespaces/{name}/{lost}.json" not in (
        cluster.backup_items(name)
    )
    assert calls(cluster, machine)[-1].verb == "unfreeze"


def test_a_disk_that_was_the_plugins_is_taken_once(cluster: Cluster) -> None:
    """Velero's server goes by the policies of the beginning, too."""
    machine = machine_in(cluster, "edited-to-velero")
    name = machine.namespace
    backup = edited(cluster, machine, before=OURS, after=VELEROS)
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(name)
    assert {claim: len(taken) for claim, taken in snapshots_of(cluster, name).items()} == (
        dict.fromkeys(claims(machine), 1)
    )
    levels = shown(cluster.archive, backup).levels()
    assert levels == dict.fromkeys(claims(machine), "filesystem")


# a disk that the storage does not take


def test_a_guest_is_thawed_before_a_disk_that_keeps_it_waiting(cluster: Cluster) -> None:
    machine = machine_in(cluster, "too-long")
    name = machine.namespace
    root, data = (machine.claim(disk) for disk in machine.disks)
    cluster.api.create(policies(name, OURS))

    def is_thawed() -> bool:
        return any(one.verb == "unfreeze" for one in calls(cluster, machine))

    with backup_of(cluster, machine, [data], {LIMIT: "20s"}) as backup:
        wait_until(is_thawed, "the guest is thawed")
    found = backup.result()
    assert found["status"]["phase"] == "Completed", cluster.backup_log(name)
    pod = f"{name}/{machine.launcher_pod}"
    assert [(one.verb, one.pod, one.has_changed) for one in calls(cluster, machine)] == [
        ("freeze", pod, True),
        ("unfreeze", "", True),
        ("unfreeze", pod, False),
    ]
    warnings = str(cluster.backup_results(name)["warnings"])
    assert f"guest db thawed: after 20 s the storage has not taken {data}, which may be" in warnings
    said = shown(cluster.archive, found)
    assert said.levels() == {root: "filesystem", data: "unknown"}, said.reasons()
    assert said.evidence[root].machine_level == "unknown"


# a machine


def test_a_machine_that_starts_meanwhile_is_frozen_by_nobody_and_its_level_says_so(
    cluster: Cluster,
) -> None:
    """Velero has listed it as stopped, and no pod of it."""
    machine = machine_in(cluster, "started-meanwhile")
    name = machine.namespace
    later = Machine(name, "later", is_running=False)
    created = cluster.create_vm(later)
    cluster.api.create(policies(name, OURS))
    with backup_of(cluster, machine, claims(machine)) as backup:
        wait_until(lambda: bool(begun(cluster, name)), "a snapshot is asked for")
        running = replace(later, is_running=True)
        virtual_machines.start(cluster.api, running, created.virtual_machine)
        status = manifests.virtual_machine_status(running, created.revisions)
        cluster.api.replace_status(created.virtual_machine, status)
    found = backup.result()
    said = shown(cluster.archive, found)
    assert calls(cluster, later) == []
    level = said.levels()[later.claim(later.disks[0])]
    assert level in ("crash", "unknown"), said.reasons()
    assert found["status"]["phase"] == "Completed", cluster.backup_log(name)
