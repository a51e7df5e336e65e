"""A booted guest with two databases goes through real Velero with our plugin, and boots again.

Its disks are volumes of the cluster, one of them hot-plugged; virt-freezer speaks to its real
QEMU guest agent. While it commits, it is backed up as it is, then with our package, with snapshots
by the plugin and by Velero, then with a hook that refuses. MariaDB is set up as many have it: it
flushes once a second.
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import real_guest
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import line_writer
from tests.cluster.namespaces import wait_until
from tests.cluster.node import CONSOLE_LOG, Freeze
from tests.cluster.real_guest import Found
from tests.cluster.storage import Cut, wait_until_bound
from tests.machine import packages
from tests.machine.image import Image, guest_image
from tests.machine.machine import BOOT_S, DATABASES, Machine

pytestmark = pytest.mark.e2e

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
ON_A_COPY = ("on-copy", "copied", "answers")
AGENT_CONFIGURATION = f"[general]\nfsfreeze-hook={BEFORE}\n"
REFUSING = "[script:refusing]\nmethod = pair\nfreeze = /usr/bin/false\nthaw = /usr/bin/true\n"


@dataclass
class Taken:
    """One backup: the Backup when it ended, its cuts, and the commits that the host knew of."""

    backup: Object
    cuts: Mapping[str, Cut]
    freezes: list[Freeze]
    acknowledged: Mapping[str, int]

    @property
    def phase(self) -> str:
        return str(self.backup["status"]["phase"])


@dataclass
class Life:
    """What one guest went through; what its tests look at."""

    cluster: Cluster
    taken: dict[str, Taken] = field(default_factory=dict)
    restored: dict[str, Mapping[str, Found]] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def life(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Life:
    report = line_writer(request.config)
    image = guest_image(report)
    logs = request.config.cache.mkdir("guest-logs")
    built = packages.build(tmp_path_factory.mktemp("packages"))
    lived = Life(cluster)
    with ExitStack() as power:
        guest = _switched_on(cluster, image, power, logs)
        lived.taken["bare"] = _backup(cluster, guest, "bare", {"includedNamespaces": [NAMESPACE]})
        guest.run(f"echo '{AGENT_CONFIGURATION}' >/etc/qemu/qemu-ga.conf")
        packages.install(guest, built.deb)
        lived.told["discovered"] = packages.status(guest)
        packages.configure(guest, "patient", packages.PATIENT)
        with guest.agent() as agent:
            agent.write(STEP, QUIET.encode(), "755")
        ours = {"includedNamespaces": [NAMESPACE], "snapshotVolumes": False}
        lived.taken["held"] = _backup(cluster, guest, "held", ours, BY_THE_PLUGIN)
        lived.told["console log"] = _console_log(cluster)
        labelled = {"labelSelector": {"matchLabels": LABEL}}
        lived.taken["label"] = _backup(cluster, guest, "label", labelled)
        packages.configure(guest, "refusing", REFUSING)
        lived.taken["refused"] = _backup(cluster, guest, "refused", labelled)
        lived.told["refused"] = packages.status(guest)
        packages.configure(guest, "refusing", "")
        lived.told["console"] = packages.announced(guest)
        lived.told["removed"] = _upgraded_and_removed(guest)
    for name in ("bare", "held"):
        with ExitStack() as power:
            again = _restored(cluster, image, name, power, logs)
            lived.restored[name] = real_guest.found(again)
            if name == "held":
                lived.told["status"] = json.loads(again.run(packages.STATUS))
                wait_until(lambda: _has_answered(again), "the copy tells", BOOT_S)  # noqa: B023
                lived.told["console of the copy"] = packages.announced(again)
                lived.told["order"] = [int(again.run(asked)) for asked in BEFORE_ALL_ELSE]
                lived.told["steps"] = again.run("cat /root/on-copy.log; hostname")
                lived.told["boot"] = again.run("journalctl -b -o cat _PID=1")
                lived.told["journal"] = again.run("journalctl -b -u stillpoint-guest -o cat")
    return lived


def _switched_on(cluster: Cluster, image: Image, power: ExitStack, logs: Path) -> Machine:
    machine = real_guest.described(NAMESPACE, NAME, LABEL)
    cluster.create_namespace(NAMESPACE)
    cluster.create_vm(machine)
    volumes = real_guest.disks(cluster, machine)
    real_guest.fill(volumes, image)
    hot = volumes.pop(real_guest.HOT)
    guest = _started(Machine(image, volumes), power, logs)
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


def _restored(cluster: Cluster, image: Image, name: str, power: ExitStack, logs: Path) -> Machine:
    target = f"{NAMESPACE}-{name}"
    restore = cluster.restore(name, {"backupName": name, "namespaceMapping": {NAMESPACE: target}})
    assert restore["status"]["phase"] == "Completed", cluster.restore_log(name)
    wait_until_bound(cluster.api, target)
    machine = real_guest.described(NAMESPACE, NAME, LABEL)
    return _started(Machine(image, real_guest.disks(cluster, machine, target)), power, logs)


def _backup(
    cluster: Cluster,
    guest: Machine,
    name: str,
    spec: Object,
    annotations: Mapping[str, str] | None = None,
) -> Taken:
    for commits in guest.commits.values():
        commits.wait(more=50)
    freezes = len(cluster.freezes())
    backup = cluster.backup(name, {"snapshotMoveData": False, **spec}, annotations=annotations)
    cuts = {
        claim: cuts[-1]
        for claim, cuts in cluster.snapshots_cut().items()
        if claim.startswith(f"{NAMESPACE}/")
    }
    first = min(cut.started for cut in cuts.values())
    for commits in guest.commits.values():
        commits.wait(more=5)  # it lives on
    return Taken(backup, cuts, cluster.freezes()[freezes:], real_guest.acknowledged(guest, first))


def _has_answered(guest: Machine) -> bool:
    return "answers" in [said["state"] for said in packages.announced(guest)]


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


@pytest.mark.parametrize("name", ["held", "label"])
def test_all_disks_are_cut_inside_one_freeze_by_the_real_agent(life: Life, name: str) -> None:
    taken = life.taken[name]
    assert taken.phase == "Completed", life.cluster.backup_log(name)
    assert {call.exit_code for call in taken.freezes} == {0}
    freezes = [call for call in taken.freezes if call.has_changed]
    assert [call.verb for call in freezes] == ["freeze", "unfreeze"]
    frozen, thawed = (call.time for call in freezes)
    assert len(taken.cuts) == 3
    for claim, cut in taken.cuts.items():
        assert frozen < cut.started < cut.finished < thawed, claim


def test_the_log_of_the_console_says_that_the_databases_rested_at_every_cut(life: Life) -> None:
    """With the times of the node alone: what the guest says of time counts for nothing."""
    origin = life.told["status"]["origin"]
    ours = [pair for pair in life.told["console log"] if pair[1]["id"] == origin["id"]]
    (held_at, held), (released_at, released), (_, over) = ours
    assert (held["verdict"], released["lost"], over["lost"]) == (origin["verdict"], False, False)
    cuts = life.taken["held"].cuts.values()
    assert held_at < min(cut.started for cut in cuts)
    assert max(cut.finished for cut in cuts) < released_at


def test_the_plugin_thaws_the_guest_whose_snapshots_it_takes(life: Life) -> None:
    calls = [(call.verb, bool(call.pod), call.has_changed) for call in life.taken["held"].freezes]
    assert calls == [
        ("freeze", True, True),
        ("unfreeze", False, True),
        ("unfreeze", True, False),
    ]


@pytest.mark.parametrize("database", DATABASES)
def test_no_acknowledged_commit_is_lost_with_our_package(life: Life, database: str) -> None:
    found, acknowledged = life.restored["held"][database], life.taken["held"].acknowledged[database]
    assert found.count == found.last >= acknowledged > 0


def test_the_same_backup_without_our_package_loses_acknowledged_commits(life: Life) -> None:
    assert life.taken["bare"].phase == "Completed"
    found, acknowledged = life.restored["bare"], life.taken["bare"].acknowledged
    assert found["postgresql"].last >= acknowledged["postgresql"]
    assert found["mariadb"].last < acknowledged["mariadb"], "it flushes once a second"


def test_a_hook_that_refuses_fails_the_backup_and_the_guest_runs_on(life: Life) -> None:
    taken = life.taken["refused"]
    assert taken.phase == "PartiallyFailed"
    assert [call.exit_code for call in taken.freezes if call.verb == "freeze"] == [1]
    assert "fsfreeze hook has failed" in life.cluster.backup_log("refused")
    assert "script:refusing" in life.told["refused"]["last"]["refused"]  # QEMU 9.1 tells Velero too


def test_without_configuration_the_databases_are_found(life: Life) -> None:
    found = life.told["discovered"]["applications"]
    kinds = {one["kind"] for one in found if one["source"] == "discovered"}
    assert kinds == set(DATABASES)


def test_the_restored_guest_tells_from_which_freeze_it_is(life: Life) -> None:
    origin = life.told["status"]["origin"]
    assert origin
    began = datetime.fromisoformat(origin["began_at"])
    cut = min(cut.started for cut in life.taken["held"].cuts.values())
    assert abs((cut - began).total_seconds()) < 120
    kinds = {one["name"].partition(":")[0] for one in origin["applications"]}
    assert kinds >= set(DATABASES)
    assert origin["held_at"] in life.told["journal"]
    states = {one["state"] for one in life.told["console"] if one["id"] == origin["id"]}
    assert states == {"held", "released", "over"}
    said = life.told["console of the copy"]
    told = [one["state"] for one in said]
    assert told == [one for one in ON_A_COPY if one in told]  # lines of a boot may be torn
    assert told[-1] == "answers"
    assert {one["id"] for one in said} == {origin["id"]}


def test_the_copy_has_run_its_steps_before_its_applications_started(life: Life) -> None:
    told = life.told["status"]["on_copy"]
    assert (told["state"], [one["name"] for one in told["steps"]]) == ("done", ["10-quiet"])
    ended, started = life.told["order"]
    assert 0 < ended < started
    assert life.told["steps"].split() == ["inactive", "copy"]
    assert "ordering cycle" not in life.told["boot"]


def test_the_databases_of_the_copy_answer_again(life: Life) -> None:
    answers = life.told["console of the copy"][-1]
    assert answers["yes"] == ["mariadb:main", "postgresql:main"]
    assert answers["no"] == []


def test_the_package_installs_upgrades_and_gives_back_the_hook_of_before(life: Life) -> None:
    told = life.told["removed"]
    assert "upgraded: 0" in told["upgrade"]
    assert "fsfreeze-hook=/usr/bin/stillpoint-guest" in told["hook"]
    assert "removed: 0" in told["removal"]
    assert told["hook of before"].strip() == AGENT_CONFIGURATION.strip()
    assert "inactive" in told["left"]
