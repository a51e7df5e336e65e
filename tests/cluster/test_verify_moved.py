"""`stillpoint verify` where disks come late: a data mover brings them, or their first consumer."""

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import s3, verify_account
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.node_agent import VELERO, NodeAgent
from tests.cluster.scratch_guests import Guest, ScratchGuests, Told
from tests.cluster.storage import AT_FIRST_USE
from tests.cluster.velero import NAMESPACE
from tests.cluster.verifying import ended, left, spawned, started

MOVED, SLOW = "verified-moved", "verified-slow"
LATE = Disk("late", storage_class=AT_FIRST_USE)
BOTH, FAILS, CANCELLED = (
    Machine(MOVED, name, disks=disks, is_running=False, has_instancetype=False)
    for name, disks in (
        ("both", (Disk("root"), Disk("late", "Block", storage_class=AT_FIRST_USE))),
        ("fails", (Disk("root"),)),
        ("cancelled", (LATE,)),
    )
)
WAITS = Machine(SLOW, "waits", disks=(LATE,), is_running=False, has_instancetype=False)
BACKUPS = ("moved-by-us", "moved-by-velero", "slow")
TRIED = ("both", "both", "waits")
OURS = {"stillpoint.dev/snapshotter": "all"}


@dataclass(frozen=True)
class Lab:
    """Backups `moved-by-us`, `moved-by-velero` and `slow`, and a data mover."""

    cluster: Cluster
    agent: NodeAgent
    kubeconfig: Path

    def verify(self, *arguments: str) -> tuple[int, Any]:
        """Exit status and document of a run by itself."""
        with spawned(self.kubeconfig, *arguments, "-o", "json") as run:
            return ended(run)

    def under_way(self, phase: str) -> Sequence[tuple[str, Object]]:
        """DataDownloads in a phase, each with its claim.

        The plugin calls off those of other machines, and has others say that nothing was to do.
        """
        found = self.cluster.api.list(VELERO, "DataDownload", NAMESPACE)
        return [
            (one["spec"]["targetVolume"]["pvc"], one)
            for one in found
            if one.get("status", {}).get("phase") == phase
        ]

    def wait(self, phase: str, *claims: str) -> None:
        """Returns when each claim has so many of them in a phase as it is named."""
        wanted = Counter(claims)

        def is_so() -> bool:
            return wanted <= Counter(claim for claim, _download in self.under_way(phase))

        wait_until(is_so, f"{', '.join(claims)}: {phase}")

    def beside_velero(self) -> dict[str, list[str]]:
        """What a data mover and Velero may leave in Velero's namespace."""
        kinds = (("v1", "PersistentVolumeClaim"), ("v1", "ConfigMap"), (VELERO, "DataDownload"))
        return {
            kind: [
                one["metadata"]["name"] for one in self.cluster.api.list(version, kind, NAMESPACE)
            ]
            for version, kind in kinds
        }


@pytest.fixture(scope="module")
def lab(cluster: Cluster) -> Iterator[Lab]:
    with s3.serving(cluster):
        for namespace in (MOVED, SLOW):
            cluster.create_namespace(namespace)
        machines = (BOTH, FAILS, CANCELLED, WAITS)
        cluster.create_vms(machines)
        for one in machines:
            for disk in one.disks:
                write(cluster, one, disk)
        agent = NodeAgent(cluster.api, cluster.storage, cluster.folder / "moved-for-verification")
        try:
            agent.start()
            back_up(cluster)
            yield Lab(cluster, agent, verify_account.give(cluster))
        finally:
            agent.close()


def write(cluster: Cluster, machine: Machine, disk: Disk) -> None:
    claim = machine.claim(disk)
    cluster.disk_image(machine.namespace, claim).write_bytes(content(claim))


def content(claim: str) -> bytes:
    return f"{claim} at the backup ".encode() * 1000


def back_up(cluster: Cluster) -> None:
    moved = {"includedNamespaces": [MOVED], "snapshotMoveData": True}
    slow = {"includedNamespaces": [SLOW]}
    for name, spec, annotations in (
        ("moved-by-us", {**moved, "snapshotVolumes": False}, OURS),
        ("moved-by-velero", moved, {}),
        ("slow", slow, {}),
    ):
        backup = cluster.backup(
            name, {**spec, "storageLocation": s3.LOCATION}, annotations=annotations
        )
        assert backup["status"]["phase"] == "Completed", cluster.backup_log(name)


@contextmanager
def guests(cluster: Cluster, folder: Path) -> Iterator[dict[str, dict[str, bytes]]]:
    """Guests that run on whatever disks they have; what is on those, by machine and volume."""
    found: dict[str, dict[str, bytes]] = {}

    def start(instance: Object, volumes: Mapping[str, Path]) -> Guest:
        read = {name: path.read_bytes().rstrip(b"\0") for name, path in volumes.items()}
        found[instance["metadata"]["name"]] = read
        console = folder / f"{instance['metadata']['uid']}.console"
        console.write_text("")
        return Told(console)

    with ScratchGuests(cluster, start):
        yield found


def test_a_machine_starts_when_its_disks_have_come(lab: Lab, tmp_path: Path) -> None:
    """One disk at once, the other when the guest's pod has a node; a snapshot, moved or not."""
    before = lab.beside_velero()
    with (
        guests(lab.cluster, tmp_path) as found,
        ThreadPoolExecutor(len(BACKUPS)) as aside,
        lab.agent.held("DataDownload"),
    ):
        runs = [
            aside.submit(lab.verify, one, name) for one, name in zip(BACKUPS, TRIED, strict=True)
        ]
        lab.wait("InProgress", "both-root", "both-root")
        lab.wait("Accepted", "both-late", "both-late")  # they wait for their first consumers
        time.sleep(2)
        assert BOTH.name not in started(lab.cluster), "its disks are not there"
        lab.agent.release("DataDownload")
        results = [run.result() for run in runs]
    for status, document in results:
        [machine] = document["machines"]
        assert (machine["cameBack"], status) == ("guest", 0), machine
    assert found == {
        "both": {"root": content("both-root"), "late": content("both-late")},
        "waits": {"late": content("waits-late")},
    }
    assert left(lab.cluster) == []
    assert lab.beside_velero() == before


def test_bytes_that_do_not_come_are_told(lab: Lab, tmp_path: Path) -> None:
    """One download fails, and a person cancels another."""
    before = lab.beside_velero()
    with (
        guests(lab.cluster, tmp_path),
        ThreadPoolExecutor(1) as aside,
        lab.agent.held("DataDownload"),
    ):
        run = aside.submit(lab.verify, "moved-by-us", "fails", "cancelled")
        lab.wait("InProgress", "fails-root", "cancelled-late")
        make_trouble(lab)
        lab.agent.release("DataDownload")
        status, document = run.result()
    found = {one["name"]: one for one in document["machines"]}
    assert {name: one["cameBack"] for name, one in found.items()} == {
        "fails": "not",
        "cancelled": "not tried",
    }, found
    said = {name: str(one["missing"]) for name, one in found.items()}
    assert "of claim fails-root is Failed" in said["fails"]
    assert "No such file or directory" in said["fails"]
    assert "read the log of Velero's node agent on node" in said["fails"]
    assert "is Canceled" in said["cancelled"]
    assert status == 1
    wait_until(lambda: left(lab.cluster) == [], "nothing is left")
    wait_until(lambda: lab.beside_velero() == before, "nor beside Velero")


def make_trouble(lab: Lab) -> None:
    """The repository loses the bytes of one disk, and a person cancels another download."""
    downloads = dict(lab.under_way("InProgress"))
    (lab.agent.repository / downloads["fails-root"]["spec"]["snapshotID"]).rename(
        lab.agent.repository / "lost"
    )
    name = downloads["cancelled-late"]["metadata"]["name"]
    lab.cluster.api.patch(VELERO, "DataDownload", NAMESPACE, name, {"spec": {"cancel": True}})


def test_an_interrupted_run_cancels_what_a_data_mover_does(lab: Lab, tmp_path: Path) -> None:
    """It copies one disk, and waits for the first consumer of the other."""
    before = lab.beside_velero()
    volumes = {path.name for path in (lab.cluster.storage.folder / "volumes").iterdir()}
    with (
        guests(lab.cluster, tmp_path),
        lab.agent.held("DataDownload"),
        spawned(lab.kubeconfig, "moved-by-us", "both", "-o", "json") as run,
    ):
        lab.wait("InProgress", "both-root")
        lab.wait("Accepted", "both-late")
        run.send_signal(signal.SIGTERM)
        output, errors = run.communicate(timeout=200)
    assert run.returncode == 130, errors
    document = json.loads(output)
    assert {one["cameBack"] for one in document["machines"]} == {"not tried"}
    assert [document["left"], *(one["left"] for one in document["machines"])] == [[], []], (
        "it has waited for the data mover in vain"
    )
    assert left(lab.cluster) == []
    assert lab.beside_velero() == before
    assert {path.name for path in (lab.cluster.storage.folder / "volumes").iterdir()} == volumes
