"""A booted guest with two databases goes through real Velero with our plugin, and boots again.

Its disks are volumes of the cluster, one of them hot-plugged; virt-freezer speaks to its real
QEMU guest agent, and the node keeps what its serial port prints as the log of its launcher pod.
While it commits, it is backed up as it is, with snapshots by Velero and right after that by the
plugin, then with our package, by the plugin and by Velero, then with a hook that refuses. MariaDB
is set up as many have it: it flushes once a second.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import evidence_guests, real_guest, s3
from tests.cluster.api import Object
from tests.cluster.archive import Archive
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import line_writer
from tests.cluster.evidence_guests import Shown
from tests.cluster.namespaces import wait_until
from tests.cluster.node import CONSOLE_LOG, Freeze
from tests.cluster.real_guest import Found, OnDisk
from tests.cluster.storage import Cut, wait_until_bound
from tests.cluster.velero import NAMESPACE as VELERO_NAMESPACE
from tests.machine import packages
from tests.machine.image import Image, guest_image
from tests.machine.machine import BOOT_S, DATABASES, Machine

NAMESPACE, NAME = "guest", "db"
LABEL = {"backup": "yes"}
BY_THE_PLUGIN = {"stillpoint.dev/snapshotter": "all"}
BEFORE = "/usr/local/sbin/hook-of-before"
STEP = "/etc/stillpoint-guest/on-copy.d/10-quiet"
QUIET = "#!/bin/sh\nsystemctl is-active mariadb >/root/on-copy.log\nhostname copy\n"
BEFORE_ALL_ELSE = (
    "systemctl show --value --property=ExecMainExitTimestampMonotonic stillpoint-guest-on-copy",
    "systemctl show --value --property=ExecMainStartTimestampMonotonic mariadb",
)
"""In microseconds from the start: when the steps of a copy had ended, when an application began."""
AGENT_CONFIGURATION = f"[general]\nfsfreeze-hook={BEFORE}\n"
REFUSING = "[script:refusing]\nmethod = pair\nfreeze = /usr/bin/false\nthaw = /usr/bin/true\n"
BACKUPS = ("bare", "bare-ours", "held", "label", "refused")
BOOTED = ("bare", "held")
"""Those whose copies are switched on; of the others only the disks are looked at."""

_COMMAND = "import sys; from stillpoint.cli import main; sys.exit(main())"


@dataclass
class Taken:
    """One backup: the Backup when it ended, its cuts, and the commits that the host knew of."""

    backup: Object
    cuts: Mapping[str, Cut]
    freezes: list[Freeze]
    acknowledged: Mapping[str, int]
    shown: Shown

    @property
    def phase(self) -> str:
        return str(self.backup["status"]["phase"])


@dataclass
class Reported:
    """What `stillpoint report` says of one backup of the cluster, and its exit status."""

    report: dict[str, Any]
    exit_status: int


@dataclass
class Life:
    """What one guest went through; what its tests look at, each by the name of a backup."""

    cluster: Cluster
    image: Image
    archive: Archive
    logs: Path
    taken: dict[str, Taken] = field(default_factory=dict)
    reported: dict[str, Reported] = field(default_factory=dict)
    on_disk: dict[str, OnDisk] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


@dataclass
class Copies:
    """What its copies tell that were switched on; found by the name of the backup."""

    found: dict[str, Mapping[str, Found]] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


def lived(cluster: Cluster, request: pytest.FixtureRequest, folder: Path) -> Life:
    """The whole life, and its restored disks; `folder` is for the guest's packages."""
    image = guest_image(line_writer(request.config))
    built = packages.build(folder)
    with s3.serving(cluster) as store:
        logs = request.config.cache.mkdir("guest-logs")
        life = Life(cluster, image, Archive(store.bucket), logs)
        with ExitStack() as power:
            _back_up_all(life, _switched_on(life, power), built.deb)
        for name in BACKUPS:
            life.reported[name] = _reported(cluster, name)
            _restore(life, name)
    return life


def copied(life: Life) -> Copies:
    """Two restored machines, one after the other, as they are when they have booted."""
    copies = Copies()
    for name in BOOTED:
        with ExitStack() as power:
            copy = _started(Machine(life.image, _disks(life, name)), power, life.logs)
            copies.found[name] = real_guest.found(copy)
            if name == "held":
                copies.told = _told(copy)
    return copies


def _switched_on(life: Life, power: ExitStack) -> Machine:
    cluster, machine = life.cluster, real_guest.described(NAMESPACE, NAME, LABEL)
    cluster.create_namespace(NAMESPACE)
    cluster.create_vm(machine)
    volumes = real_guest.disks(cluster, machine)
    real_guest.fill(volumes, life.image)
    hot = volumes.pop(real_guest.HOT)
    guest = _started(Machine(life.image, volumes), power, life.logs)
    guest.attach(real_guest.HOT, hot)
    for database in DATABASES:
        guest.run(real_guest.is_running(database))
        guest.run(f"systemctl start commits@{database}")
    cluster.node.give_agent(NAMESPACE, NAME, guest.agent_socket)
    cluster.node.give_console(NAMESPACE, NAME, guest.console_log)
    return guest


def _started(guest: Machine, power: ExitStack, logs: Path) -> Machine:
    """With its power cut at the end; of a failure its consoles are kept."""
    power.push(lambda error, *_: guest.close(logs if error else None))
    with guest.agent():
        return guest


def _back_up_all(life: Life, guest: Machine, package: Path) -> None:
    ours = {"includedNamespaces": [NAMESPACE], "snapshotVolumes": False}
    life.taken["bare"] = _backup(life, guest, "bare", {"includedNamespaces": [NAMESPACE]})
    life.taken["bare-ours"] = _backup(life, guest, "bare-ours", ours, BY_THE_PLUGIN)
    guest.run(f"echo '{AGENT_CONFIGURATION}' >/etc/qemu/qemu-ga.conf")
    packages.install(guest, package)
    life.told["discovered"] = packages.status(guest)
    packages.configure(guest, "patient", packages.PATIENT)
    with guest.agent() as agent:
        agent.write(STEP, QUIET.encode(), "755")
    life.taken["held"] = _backup(life, guest, "held", ours, BY_THE_PLUGIN)
    life.told["console log"] = _console_log(life.cluster)
    labelled = {"labelSelector": {"matchLabels": LABEL}}
    life.taken["label"] = _backup(life, guest, "label", labelled)
    packages.configure(guest, "refusing", REFUSING)
    life.taken["refused"] = _backup(life, guest, "refused", labelled)
    life.told["refused"] = packages.status(guest)
    packages.configure(guest, "refusing", "")
    life.told["console"] = packages.announced(guest)
    life.told["removed"] = _upgraded_and_removed(guest)


def _backup(
    life: Life,
    guest: Machine,
    name: str,
    spec: Object,
    annotations: Mapping[str, str] | None = None,
) -> Taken:
    for commits in guest.commits.values():
        commits.wait(more=50)
    cluster, freezes = life.cluster, len(life.cluster.freezes())
    spec = {"snapshotMoveData": False, "storageLocation": s3.LOCATION, **spec}
    backup = cluster.backup(name, spec, annotations=annotations)
    cuts = {
        claim: cuts[-1]
        for claim, cuts in cluster.snapshots_cut().items()
        if claim.startswith(f"{NAMESPACE}/")
    }
    first = min(cut.started for cut in cuts.values())
    for commits in guest.commits.values():
        commits.wait(more=5)  # it lives on
    return Taken(
        backup,
        cuts,
        cluster.freezes()[freezes:],
        real_guest.acknowledged(guest, first),
        evidence_guests.shown(life.archive, backup),
    )


def _console_log(cluster: Cluster) -> list[tuple[datetime, Any]]:
    """Our lines on the guest's console as the cluster has them, with the times of the node."""
    machine = real_guest.described(NAMESPACE, NAME, LABEL)
    path = cluster.api.path("v1", "Pod", NAMESPACE, machine.launcher_pod)
    text = cluster.api.text(f"{path}/log", container=CONSOLE_LOG, timestamps=True)
    lines = (line.partition(" ") for line in text.split("\n") if line)
    return [
        (datetime.fromisoformat(time), one)
        for time, _, said in lines
        for one in packages.announcements(said)
    ]


def _upgraded_and_removed(guest: Machine) -> Mapping[str, str]:
    told = {"upgrade": guest.shell("dpkg -i /root/stillpoint-guest.deb; echo upgraded: $?", 300)}
    told["hook"] = guest.shell("cat /etc/qemu/qemu-ga.conf")
    told["removal"] = guest.shell("dpkg -r stillpoint-guest; echo removed: $?", 300)
    told["hook of before"] = guest.shell("cat /etc/qemu/qemu-ga.conf")
    told["left"] = guest.shell("ls /run/stillpoint-guest; systemctl is-active stillpoint-guest")
    return told


def _reported(cluster: Cluster, name: str) -> Reported:
    """By the command, from the cluster alone: through Velero, by signed URLs."""
    kubeconfig = cluster.control_plane.kubeconfig("admin")
    done = subprocess.run(
        [
            *(sys.executable, "-c", _COMMAND, "report", name, "--output=json"),
            *(f"--kubeconfig={kubeconfig}", f"--namespace={VELERO_NAMESPACE}"),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=False,
    )
    (report,) = json.loads(done.stdout)["reports"]
    return Reported(report, done.returncode)


def _restore(life: Life, name: str) -> None:
    """Into a namespace of its own; looks at the disks before anybody starts from them."""
    target = f"{NAMESPACE}-{name}"
    spec = {"backupName": name, "namespaceMapping": {NAMESPACE: target}}
    restore = life.cluster.restore(name, spec)
    assert restore["status"]["phase"] == "Completed", life.archive.restore_log(name)
    wait_until_bound(life.cluster.api, target)
    life.on_disk[name] = real_guest.on_disk(_disks(life, name))


def _disks(life: Life, name: str) -> dict[str, Path]:
    machine = real_guest.described(NAMESPACE, NAME, LABEL)
    return real_guest.disks(life.cluster, machine, f"{NAMESPACE}-{name}")


def _told(copy: Machine) -> dict[str, Any]:
    told: dict[str, Any] = {"status": json.loads(copy.run(packages.STATUS))}
    wait_until(lambda: _has_answered(copy), "the copy tells", BOOT_S)
    told["console"] = packages.announced(copy)
    told["order"] = [int(copy.run(asked)) for asked in BEFORE_ALL_ELSE]
    told["steps"] = copy.run("cat /root/on-copy.log; hostname")
    told["boot"] = copy.run("journalctl -b -o cat _PID=1")
    told["journal"] = copy.run("journalctl -b -u stillpoint-guest -o cat")
    return told


def _has_answered(guest: Machine) -> bool:
    return "answers" in [said["state"] for said in packages.announced(guest)]
