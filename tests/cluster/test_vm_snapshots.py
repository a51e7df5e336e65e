"""`stillpoint snapshot` on KubeVirt's own snapshots, whose controller is a stand-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from stillpoint.cluster.kubernetes_writer import StrictWriter
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from stillpoint.vm_snapshots import requested
from stillpoint.vm_snapshots.errors import NotMade
from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine, condition
from tests.cluster.namespaces import wait_until
from tests.cluster.snapshot_controller import INSTANCE, MACHINE, SNAPSHOT, SnapshotController
from tests.cluster.storage import wait_until_bound
from tests.cluster.vm_snapshots import Account

NAMESPACE = "vm-snapshots"
DB = Machine(NAMESPACE, "db", (Disk("root"), Disk("data", "Block")), (Disk("extra"),))
OFF = Machine(NAMESPACE, "off", is_running=False, has_instancetype=False)
PLAIN = Machine(NAMESPACE, "plain", is_agent_connected=False, has_instancetype=False)
PART = Machine(NAMESPACE, "part", is_running=False, has_instancetype=False)
SLOW = Machine(NAMESPACE, "slow", is_running=False, has_instancetype=False)
DEADLINE = timedelta(minutes=5, seconds=1)
MACHINES = (DB, OFF, PLAIN, PART, SLOW)


@dataclass(frozen=True)
class Place(Account):
    controller: SnapshotController
    began: datetime

    def freezes(self) -> list[str]:
        """Freezes and thaws of guests of the namespace during the test, the oldest first."""
        calls = self.cluster.freezes()
        return [one.verb for one in calls if one.namespace == NAMESPACE and one.time > self.began]

    def shown(self, name: str) -> Object:
        [found] = self.json("show", name)[1]["snapshots"]
        return dict(found)


@pytest.fixture(scope="module")
def controller(cluster_without_velero: Cluster) -> Iterator[SnapshotController]:
    cluster = cluster_without_velero
    cluster.create_namespace(NAMESPACE)
    cluster.create_vms(MACHINES)
    with SnapshotController(cluster.api, [NAMESPACE]) as running:
        yield running


@pytest.fixture
def place(
    cluster_without_velero: Cluster,
    controller: SnapshotController,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Place]:
    controller.ahead = timedelta()
    yield Place(cluster_without_velero, NAMESPACE, capsys, controller, datetime.now(UTC))
    cluster_without_velero.node.soothe()
    assert controller.error is None


def test_a_running_machine_is_frozen_once_for_all_disks_and_the_level_is_what_kubevirt_says(
    place: Place,
) -> None:
    status, document = place.json("create", "db", "--name", "first", "--wait")
    [found] = document["snapshots"]
    assert (status, found["standing"], found["phase"]) == (0, "ready", "Succeeded")
    assert (found["level"], found["proof"]) == ("filesystem", "attempted")
    assert found["includedVolumes"] == ["root", "data", "extra"]
    assert (found["excludedVolumes"], found["leftOut"]) == (["cloudinit"], [])
    assert found["sizeBytes"] == 3 * 64 * 2**20
    assert [each["ready"] for each in found["disks"]] == [True] * 3
    assert place.freezes() == ["freeze", "unfreeze"]
    status, output, _ = place.run("list", "db")
    assert "filesystem (attempted)" in output
    assert "3 of 3" in output


def test_a_machine_that_is_off_has_no_indications_and_the_list_says_so(place: Place) -> None:
    assert place.run("create", "off", "--name", "cold", "--wait", "--require", "filesystem")[0] == 0
    found = place.shown("cold")
    assert (found["level"], found["proof"], found["indications"]) == ("stopped", "reported", [])
    assert "no indications, as of a machine that was off" in place.run("list")[1]
    assert place.freezes() == []


def test_a_field_that_the_installed_kubevirt_does_not_know_is_an_error_and_not_dropped(
    place: Place,
) -> None:
    kubeconfig = str(place.cluster.control_plane.kubeconfig(NAMESPACE))
    item = virtual_machine_snapshot.manifest(NAMESPACE, "later", "off", "", "")
    item["spec"]["ofLaterVersions"] = True
    writer = StrictWriter.connect(None, kubeconfig)
    with pytest.raises(NotMade, match=r'unknown field "spec.ofLaterVersions".*HINT: this KubeVirt'):
        requested.create(writer, virtual_machine_snapshot.RESOURCE, item)
    assert place.cluster.api.find(*SNAPSHOT, NAMESPACE, "later") is None


def test_several_machines_side_by_side_and_a_level_that_one_cannot_reach(place: Place) -> None:
    status, output, errors = place.run("create", "off", "plain", "--require", "filesystem")
    assert (status, output) == (1, "")
    assert "the level filesystem is required, and crash is to be expected" in errors
    status, document = place.json("create", "off", "plain", "--wait", "--require", "crash")
    assert status == 0
    levels = {each["machine"]: each["level"] for each in document["snapshots"]}
    assert levels == {"off": "stopped", "plain": "crash"}


def test_a_disk_without_snapshot_class_has_to_be_accepted(place: Place) -> None:
    bind_without_snapshots(place, "part-left")
    volume = {"name": "left", "persistentVolumeClaim": {"claimName": "part-left"}}
    add_volume(place, "part", volume)
    status, _, errors = place.run("create", "part")
    assert status == 1
    assert "no-snapshot-class" in errors
    assert "--accept-partial" in errors
    arguments = ("create", "part", "--name", "partial", "--accept-partial", "--wait")
    status, document = place.json(*arguments)
    [found] = document["snapshots"]
    assert (status, found["leftOut"]) == (0, ["left"])
    assert "PartialSnapshot" in [each["indication"] for each in found["indications"]]
    assert "without left" in place.run("show", "partial")[1]


def test_what_kubevirt_would_wait_for_in_vain_is_refused_and_made_by_hand_it_fails(
    place: Place,
) -> None:
    """The deadline passes: phase Failed, whose reason `wait` tells."""
    api = place.cluster.api
    where = ("cdi.kubevirt.io/v1beta1", "DataVolume", NAMESPACE, "slow-root")
    filler = api.get(*where)
    api.replace_status(filler, {"phase": "ImportInProgress", "progress": "45.0%"})
    status, _, errors = place.run("create", "slow")
    assert status == 1
    assert "disk-not-populated" in errors
    api.create(snapshot("late", "slow"))
    place.controller.ahead = DEADLINE
    status, output, _ = place.run("wait", "late")
    assert status == 1
    assert "failed" in output
    assert "snapshot deadline exceeded" in output
    api.replace_status(filler, {"phase": "Succeeded"})


def test_a_guest_that_cannot_be_frozen_fails_at_the_deadline_with_the_agents_words(
    place: Place,
) -> None:
    words = "guest agent: command guest-fsfreeze-freeze failed"
    place.cluster.node.disturb(NAMESPACE, "db", "freeze", exit_code=1, message=words)
    assert place.run("create", "db", "--name", "unfrozen")[0] == 0
    wait_until(lambda: words in place.shown("unfrozen")["error"], "the freeze failed")
    assert place.shown("unfrozen")["standing"] == "under way"
    place.controller.ahead = DEADLINE
    status, document = place.json("wait", "unfrozen")
    [found] = document["snapshots"]
    assert (status, found["standing"]) == (1, "failed")
    assert words in found["why"]


def test_a_windows_guest_that_thaws_too_early_is_crash(place: Place) -> None:
    message = "guest agent: fsfreeze is limited up to 10 seconds"
    place.cluster.node.disturb(NAMESPACE, "db", "unfreeze", exit_code=1, message=message)
    place.cluster.api.create(snapshot("vss", "db"))
    wait_until(lambda: "QuiesceTimeout" in indications(place, "vss"), "the limit was hit")
    place.cluster.node.soothe()
    assert place.run("wait", "vss")[0] == 0
    assert place.shown("vss")["level"] == "crash"


def test_a_guest_that_migrates_is_refused(place: Place) -> None:
    state = {"migrationState": {"startTimestamp": "2026-01-01T00:00:00Z"}}
    with instance_status(place, "db", state):
        status, _, errors = place.run("create", "db")
    assert status == 1
    assert "migrating" in errors


def test_a_paused_guest_is_told_and_its_snapshot_is_paused(place: Place) -> None:
    with instance_status(place, "db", {"conditions": [condition("Paused")]}):
        status, _, errors = place.run("create", "db", "--name", "paused", "--wait")
        assert status == 0
        assert "paused: the guest is paused" in errors
    assert place.shown("paused")["level"] == "paused"
    assert place.freezes() == []


def test_a_guest_that_somebody_else_has_frozen_is_not_thawed(place: Place) -> None:
    guest = f"namespaces/{NAMESPACE}/virtualmachineinstances/db"
    path = f"/apis/subresources.kubevirt.io/v1/{guest}"
    place.cluster.api.request("PUT", f"{path}/freeze", {"unfreezeTimeout": "5m0s"})
    try:
        status, _, errors = place.run("create", "db")
        assert status == 1
        assert "frozen-by-others" in errors
        assert place.freezes() == ["freeze"]
    finally:
        place.cluster.api.request("PUT", f"{path}/unfreeze")


def test_a_backup_by_velero_that_takes_the_machine_is_not_thawed_in_the_middle(
    place: Place,
) -> None:
    api = place.cluster.api
    backup = velero_object("Backup", "under-way", {"includedNamespaces": [NAMESPACE]})
    api.create({**backup, "status": {"phase": "InProgress"}})
    try:
        status, _, errors = place.run("create", "db")
        assert status == 1
        assert "backup-under-way" in errors
        assert "under-way" in errors
        assert place.run("create", "off", "--wait")[0] == 0, "nothing to thaw there"
    finally:
        api.delete(backup["apiVersion"], "Backup", backup["metadata"]["namespace"], "under-way")


def test_the_api_takes_no_bare_number_as_deadline_and_the_command_does(place: Place) -> None:
    with pytest.raises(ApiError, match="failureDeadline"):
        place.cluster.api.create(snapshot("bare", "off", failureDeadline="300"))
    assert place.run("create", "off", "--name", "bare", "--deadline", "300")[0] == 0
    made = place.cluster.api.get(*SNAPSHOT, NAMESPACE, "bare")
    assert made["spec"]["failureDeadline"] == "300s"


def test_a_name_is_not_taken_twice_and_nothing_is_made_by_a_dry_run(place: Place) -> None:
    assert place.run("create", "off", "--name", "once", "--dry-run")[0] == 0
    assert place.run("create", "off", "--name", "once")[0] == 0
    status, _, errors = place.run("create", "off", "--name", "once")
    assert status == 3
    assert "exists" in errors


def snapshot(name: str, machine: str, **specification: str) -> Object:
    source = {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": machine}
    return {
        "apiVersion": SNAPSHOT[0],
        "kind": SNAPSHOT[1],
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"source": source, **specification},
    }


def indications(place: Place, name: str) -> list[str]:
    found = place.cluster.api.get(*SNAPSHOT, NAMESPACE, name)
    return list(found.get("status", {}).get("indications", ()))


@contextmanager
def instance_status(place: Place, name: str, change: Object) -> Iterator[None]:
    """The status of a guest with other values for a while."""
    api = place.cluster.api
    before = api.get(*INSTANCE, NAMESPACE, name)
    api.replace_status(before, {**before["status"], **change})
    try:
        yield
    finally:
        api.replace_status(before, before["status"])


def add_volume(place: Place, machine: str, volume: Object) -> None:
    api = place.cluster.api
    specification = api.get(*MACHINE, NAMESPACE, machine)["spec"]["template"]["spec"]
    volumes = [*specification["volumes"], volume]
    change = {"spec": {"template": {"spec": {"volumes": volumes}}}}
    api.patch(*MACHINE, NAMESPACE, machine, change)


def bind_without_snapshots(place: Place, claim: str) -> None:
    """A bound claim of a storage class whose driver takes no snapshots."""
    api, name = place.cluster.api, "without-snapshots"
    api.create(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": "kubernetes.io/no-provisioner",
        }
    )
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": name}
    api.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                **common,
                "capacity": {"storage": "1Mi"},
                "hostPath": {"path": "/nowhere"},
                "claimRef": {"namespace": NAMESPACE, "name": claim},
            },
        }
    )
    api.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim, "namespace": NAMESPACE},
            "spec": {
                **common,
                "resources": {"requests": {"storage": "1Mi"}},
                "volumeName": name,
            },
        }
    )
    wait_until_bound(api, NAMESPACE)
