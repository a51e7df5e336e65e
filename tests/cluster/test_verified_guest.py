"""Real backups of a booted guest are verified: it comes back with its databases, or it is told.

A guest with PostgreSQL and MariaDB is backed up twice while it runs. Both backups are then
verified at the same time, by the account of `stillpoint render verify` and with its Job's command
line: a stand-in for KubeVirt boots the restored disks. Of one backup the disk of PostgreSQL is
damaged before its copy starts from it.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.rendering import verify
from stillpoint.rendering.verify_rights import NAME as ACCOUNT
from tests.cluster import audit, real_guest, s3, verify_account, verifying
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import line_writer
from tests.cluster.scratch_guests import Guest, ScratchGuests
from tests.cluster.velero import API_VERSION
from tests.cluster.velero import NAMESPACE as VELERO
from tests.machine import packages
from tests.machine.agent import Agent
from tests.machine.image import Image, guest_image
from tests.machine.machine import DATABASES, Machine
from tests.payload.built import executable

pytestmark = pytest.mark.e2e

NAMESPACE, NAME = "verified-guest", "db"
GOOD, DAMAGED = "verified-good", "verified-damaged"
BY_THE_PLUGIN = {"stillpoint.dev/snapshotter": "all"}
IMPATIENT = "[on-copy]\nanswers_s = 60\n"
DAMAGE_MIB = 64
MOST_REQUESTS = 24 + 3 * 3  # of a machine, three for each of its disks: docs/figures.md
USER = f"system:serviceaccount:{VELERO}:{ACCOUNT}"
CONTENT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent")


class Booted:
    """A guest that QEMU runs from the disks of a restored machine."""

    def __init__(self, image: Image, disks: Mapping[str, Path], logs: Path) -> None:
        self._machine = Machine(image, disks)
        self._logs = logs
        self._ended, self._answered = threading.Event(), threading.Event()
        self._asking = threading.Thread(target=self._ask)
        self._asking.start()

    @property
    def console(self) -> Path:
        return self._machine.console_log

    def is_running(self) -> bool:
        return self._machine.is_on

    def has_agent(self) -> bool:
        return self._answered.is_set()

    def close(self) -> None:
        self._ended.set()
        self._asking.join()
        self._machine.close(self._logs)

    def _ask(self) -> None:
        while not self._ended.is_set():
            try:
                Agent.connected(self._machine.agent_socket, 1).close()
            except OSError:
                continue
            self._answered.set()
            return


@dataclass
class Verified:
    """One run of the command."""

    exit_status: int
    document: dict[str, Any]
    errors: str


@dataclass
class Life:
    """What the tests look at, by the name of the backup."""

    cluster: Cluster
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    backups: dict[str, Object]
    guests: ScratchGuests
    since: datetime
    verified: dict[str, Verified] = field(default_factory=dict)


@pytest.fixture(scope="module")
def life(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Life]:
    image = guest_image(line_writer(request.config))
    logs = request.config.cache.mkdir("verified-guest-logs")
    built = packages.build(tmp_path_factory.mktemp("packages"))
    kubeconfig = verify_account.give(cluster)
    with s3.serving(cluster):
        with ExitStack() as power:
            guest = switched_on(cluster, image, power, logs)
            packages.install(guest, built.deb)
            packages.configure(guest, "patient", packages.PATIENT)
            back_up(cluster, GOOD)
            packages.configure(guest, "impatient", IMPATIENT)
            back_up(cluster, DAMAGED)
        verifying.wait_until_over(cluster, NAMESPACE)
        before, since = there(cluster), datetime.now(UTC)
        with ScratchGuests(cluster, Starting(cluster, image, logs)) as guests:
            runs = {name: started(name, kubeconfig, cluster.folder) for name in (GOOD, DAMAGED)}
            verified = {name: ended(run) for name, run in runs.items()}
        backups = {name: cluster.api.get(API_VERSION, "Backup", VELERO, name) for name in runs}
        yield Life(cluster, before, there(cluster), backups, guests, since, verified)


@dataclass(frozen=True)
class Starting:
    """Starts guests from restored disks, and damages one of them first."""

    cluster: Cluster
    image: Image
    logs: Path

    def __call__(self, instance: Object, volumes: Mapping[str, Path]) -> Guest:
        """As `scratch_guests.Start`."""
        namespace = instance["metadata"]["namespace"]
        restore = self.cluster.api.get(API_VERSION, "Restore", VELERO, namespace)
        backup = restore["spec"]["backupName"]
        if backup == DAMAGED:
            with volumes[real_guest.DATA].open("r+b") as disk:
                disk.write(bytes(DAMAGE_MIB * 2**20))
        return Booted(self.image, volumes, self.logs / backup)


def switched_on(cluster: Cluster, image: Image, power: ExitStack, logs: Path) -> Machine:
    """The guest, when its databases answer."""
    machine = real_guest.described(NAMESPACE, NAME, {})
    cluster.create_namespace(NAMESPACE)
    cluster.create_vm(machine)
    volumes = real_guest.disks(cluster, machine)
    real_guest.fill(volumes, image)
    guest = Machine(image, volumes)
    power.push(lambda error, *_: guest.close(logs if error else None))
    for database in DATABASES:
        guest.run(real_guest.is_running(database))
    cluster.node.give_agent(NAMESPACE, NAME, guest.agent_socket)
    cluster.node.give_console(NAMESPACE, NAME, guest.console_log)
    return guest


def back_up(cluster: Cluster, name: str) -> None:
    spec = {
        "includedNamespaces": [NAMESPACE],
        "snapshotMoveData": False,
        "snapshotVolumes": False,
        "storageLocation": s3.LOCATION,
    }
    backup = cluster.backup(name, spec, annotations=BY_THE_PLUGIN)
    assert backup["status"]["phase"] == "Completed", backup


def started(name: str, kubeconfig: Path, folder: Path) -> "subprocess.Popen[str]":
    """The container of the rendered Job: our payload with its arguments."""
    answers = verify.Answers(VELERO, "verify", "image", backup=name, options=("--output=json",))
    (*_, job) = yaml.safe_load_all(verify.manifest(answers))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return subprocess.Popen(
        [executable(), *container["args"]],
        env=os.environ | {"KUBECONFIG": str(kubeconfig), "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(run: "subprocess.Popen[str]") -> Verified:
    output, errors = run.communicate()
    assert output, errors
    return Verified(run.returncode, json.loads(output), errors)


def there(cluster: Cluster) -> Mapping[str, Any]:
    """What a verification may leave: objects by kind, and the snapshots in the storage."""
    kinds = {
        "namespaces": ("v1", "Namespace"),
        "volumes": ("v1", "PersistentVolume"),
        "contents": CONTENT,
        "restores": (API_VERSION, "Restore"),
        "requests": (API_VERSION, "DownloadRequest"),
    }
    found: dict[str, Any] = {
        what: sorted(one["metadata"]["name"] for one in cluster.api.list(*kind))
        for what, kind in kinds.items()
    }
    return found | {"snapshots": sorted(cluster.storage.snapshots())}


def machine(life: Life, name: str) -> dict[str, Any]:
    (found,) = life.verified[name].document["machines"]
    return dict(found)


def test_it_comes_back_with_its_applications_and_the_evidence_is_confirmed(life: Life) -> None:
    verified = life.verified[GOOD]
    found = machine(life, GOOD)
    assert (found["cameBack"], found["agreement"]) == ("application", "confirmed"), found
    assert verified.exit_status == ExitStatus.GOOD, verified.errors


def test_a_damaged_disk_contradicts_the_evidence(life: Life) -> None:
    verified = life.verified[DAMAGED]
    found = machine(life, DAMAGED)
    assert found["agreement"] == "contradicted", found
    (contradiction,) = found["contradictions"]
    assert "not answering" in contradiction
    assert "postgresql:main" in contradiction
    assert verified.exit_status == ExitStatus.NOT_SAFE, verified.errors


def test_both_backups_keep_what_was_seen(life: Life) -> None:
    for backup in life.backups.values():
        assert "stillpoint.dev/verified" in backup["metadata"]["annotations"]


def test_nothing_is_left_and_no_snapshot_of_the_backup_is_gone(life: Life) -> None:
    assert life.after == life.before
    assert all(one.has_ended for one in life.guests.seen.values())


def test_its_guests_have_no_interface(life: Life) -> None:
    assert len(life.guests.seen) == 2
    for one in life.guests.seen.values():
        devices = one.instance["spec"]["domain"]["devices"]
        assert (devices.get("interfaces"), one.instance["spec"].get("networks")) == (None, None)


def test_it_asks_little_and_writes_nothing_beside_the_original(life: Life) -> None:
    asked = [
        event
        for event in audit.events(life.cluster.control_plane.audit_log, USER)
        if datetime.fromisoformat(event["requestReceivedTimestamp"]) >= life.since
    ]
    assert [event["requestURI"] for event in asked if event["responseStatus"]["code"] == 403] == []
    of_machines = [said(event) for event in asked if "stillpoint-verify-" in event["requestURI"]]
    assert len(of_machines) <= 2 * MOST_REQUESTS, "\n".join(of_machines)
    beside = [event for event in asked if event.get("objectRef", {}).get("namespace") == NAMESPACE]
    assert [said(event) for event in beside if event["verb"] not in ("get", "list", "watch")] == []


def said(event: Mapping[str, Any]) -> str:
    return f"{event['verb']} {event['requestURI']}"
