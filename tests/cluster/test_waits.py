"""Restores that wait for machines, ended by every hand: time-out, person, Velero's death, success.

Each begins without the disks, which are left out: so it waits as long as nobody brings them.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.storage import wait_until_bound
from tests.cluster.velero import API_VERSION, NAMESPACE
from tests.cluster.virt_controller import VirtController

SOURCE = "waits"
MACHINE = Machine(SOURCE, "db", disks=(Disk("root"), Disk("data", "Block")))
CLAIMS = [MACHINE.claim(disk) for disk in MACHINE.disks]
KUBEVIRT = "kubevirt.io/v1"
PREFIX = "stillpoint.dev/"
OF_DISKS = ["persistentvolumeclaims", "datavolumes"]  # one without its claim is populated again
WITHOUT_DISKS = {"excludedResources": OF_DISKS}
DISKS_ONLY = {"includedResources": [*OF_DISKS, "volumesnapshots", "volumesnapshotcontents"]}


@dataclass
class Waits:
    """Restores by name, each of the same backup; the name's first part is its namespace."""

    cluster: Cluster
    workers: ThreadPoolExecutor
    restores: dict[str, "Future[Object]"] = field(default_factory=dict)

    def begin(self, name: str, spec: Object | None = None, **conditions: str) -> None:
        self.restores[name] = self.workers.submit(
            self.cluster.restore,
            name,
            {
                "backupName": SOURCE,
                "namespaceMapping": {SOURCE: self.namespace(name)},
                **(spec or {}),
            },
            annotations={f"{PREFIX}{key}": value for key, value in conditions.items()},
        )

    def namespace(self, name: str) -> str:
        return f"waits-{name.partition('-')[0]}"

    def until_waiting(self, name: str) -> None:
        phase = "WaitingForPluginOperations"
        wait_until(lambda: self.cluster.restore_phase(name) == phase, f"{name} waits", 120)

    def ended(self, name: str) -> Object:
        return self.restores[name].result()

    def operation(self, name: str) -> Object:
        """The state of the machine's item operation, as Velero keeps it."""
        self.ended(name)
        [status] = [
            each["status"]
            for each in self.cluster.archive.restore_operations(name)
            if each["spec"]["restoreItemAction"].startswith(PREFIX)
        ]
        return dict(status)

    def machine(self, name: str) -> Object:
        return self.cluster.api.get(KUBEVIRT, "VirtualMachine", self.namespace(name), MACHINE.name)

    def assert_runs(self, name: str) -> None:
        """That the machine was started, its disks hold their bytes, and nothing is left to do."""
        machine = self.machine(name)
        assert machine["spec"]["runStrategy"] == "Always"
        notes = [key for key in machine["metadata"]["annotations"] if key.startswith(PREFIX)]
        assert notes == [f"{PREFIX}started"]
        wait_until_bound(self.cluster.api, self.namespace(name))
        for claim in CLAIMS:
            image = self.cluster.disk_image(self.namespace(name), claim)
            assert image.read_bytes().rstrip(b"\0") == content(claim)


def content(claim: str) -> bytes:
    return f"{claim} at the backup ".encode() * 1000


@pytest.fixture(scope="module")
def waits(cluster: Cluster) -> Iterator[Waits]:
    cluster.create_namespace(SOURCE)
    cluster.create_vms([MACHINE])
    for claim in CLAIMS:
        cluster.disk_image(SOURCE, claim).write_bytes(content(claim))
    backup = cluster.backup(SOURCE, {"includedNamespaces": [SOURCE]})
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(SOURCE)
    targets = ["waits-late", "waits-restarted"]
    with (
        ThreadPoolExecutor(8) as workers,
        VirtController(cluster.api, targets, takes_s=1),
    ):
        made = Waits(cluster, workers)
        run(made)
        yield made


def run(waits: Waits) -> None:
    """All of them at once, and Velero restarted while they wait."""
    cluster = waits.cluster
    waits.begin("late", WITHOUT_DISKS | {"itemOperationTimeout": "8s"}, wait="running")
    waits.ended("late")
    waits.begin("cancelled", WITHOUT_DISKS, wait="disks")
    waits.begin("restarted", WITHOUT_DISKS, wait="agent")
    for name in ("cancelled", "restarted"):
        waits.until_waiting(name)
    cluster.velero.restart(cluster.api)
    cancelled = {"metadata": {"annotations": {f"{PREFIX}wait": "none"}}}
    cluster.api.patch(API_VERSION, "Restore", NAMESPACE, "cancelled", cancelled)
    waits.ended("cancelled")
    waits.begin("restarted-disks", DISKS_ONLY)
    waits.ended("restarted")


def test_a_wait_ends_before_velero_would_cut_it_off_and_says_why(waits: Waits) -> None:
    late, operation = waits.ended("late"), waits.operation("late")
    assert late["status"]["phase"] == "PartiallyFailed"
    assert late["status"]["errors"] == late["status"]["restoreItemOperationsFailed"] == 1
    assert operation["phase"] == "Failed"
    assert operation["error"].startswith(
        "waits-late/db: 0 of 2 disks bound; db-root does not exist; gave up after "
    )
    assert "it stays halted, Always is noted in its annotation" in operation["error"]
    assert "HINT: put right what it lacks" in operation["error"]


def test_velero_counts_a_wait_in_vain_and_keeps_its_reason_with_the_operations(
    waits: Waits,
) -> None:
    """As docs/restore/wait.md says where to look; its results are written before operations."""
    waits.ended("late")
    assert not waits.cluster.restore_results("late")["errors"].get("namespaces")


def test_a_person_ends_the_wait_with_an_annotation_and_the_machine_stays_halted(
    waits: Waits,
) -> None:
    assert waits.ended("cancelled")["status"]["phase"] == "PartiallyFailed"
    error = waits.operation("cancelled")["error"]
    assert "0 of 2 disks bound" in error
    assert "the waiting was cancelled by stillpoint.dev/wait: none" in error
    machine = waits.machine("cancelled")
    assert machine["spec"]["runStrategy"] == "Halted"
    assert machine["metadata"]["annotations"][f"{PREFIX}start-as"] == "Always"
    assert "cancelled" in machine["metadata"]["annotations"][f"{PREFIX}not-started"]


def test_a_wait_outlives_velero_and_its_plugin_and_starts_what_they_made(waits: Waits) -> None:
    restore = waits.ended("restarted")
    log = waits.cluster.restore_log("restarted")
    assert restore["status"]["phase"] == "Completed", log
    told = waits.operation("restarted")["description"]
    assert told == "waits-restarted/db: 2 of 2 disks bound; runs, its guest agent is connected"
    waits.assert_runs("restarted")


def test_a_second_restore_takes_up_the_machine_that_the_first_one_left_halted(
    waits: Waits,
) -> None:
    before = waits.machine("late")
    assert before["spec"]["runStrategy"] == "Halted"
    assert "db-root does not exist" in before["metadata"]["annotations"][f"{PREFIX}not-started"]
    waits.begin("late-again", wait="running")
    again = waits.ended("late-again")
    assert again["status"]["phase"] == "Completed", waits.cluster.restore_log("late-again")
    after = waits.machine("late")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"][f"{PREFIX}restore"] == again["metadata"]["uid"]
    waits.assert_runs("late")
