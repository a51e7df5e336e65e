"""What can happen to a booted guest while it is held; the host is played by these tests.

One guest for all of them, with PostgreSQL and MariaDB that commit all the time. It is the virtual
machine of docs/guest, and has installed our package at its first boot. The last test resets it.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster import real_guest
from tests.cluster.conftest import line_writer
from tests.machine import first_boot, packages
from tests.machine.image import DISKS, guest_image
from tests.machine.machine import BOOT_S, DATABASES, Machine
from tests.qemu_agent import AgentError

pytestmark = pytest.mark.e2e

DURABILITY = "mariadb -NBe 'select @@global.innodb_flush_log_at_trx_commit'"
FIRST_BOOT_IS_OVER = "until [ -e /var/lib/cloud/instance/boot-finished ]; do sleep 1; done"
RELAXED, DURABLE = "0", "1"
JOURNAL = "journalctl -b -t stillpoint-guest -o cat"
WATCHDOG = "[stillpoint-guest]\nwatchdog_s = {}\n"
IMPATIENT_UNIT = "[Service]\nTimeoutStopSec=5\n"
"""The agent ignores SIGTERM while it is frozen: systemd kills it after that time, else 90 s."""
SLOW = """\
#!/bin/sh
# slow freeze|thaw: takes as many seconds to freeze as /run/slow.seconds says.
echo "$1" >>/run/slow.calls
[ "$1" = thaw ] || exec sleep "$(cat /run/slow.seconds)"
"""
BUDGET = """\
[stillpoint-guest]
discovery = no
freeze_s = {}
[postgresql:main]
enabled = no
[mariadb:main]
enabled = no
[slow]
type = script
method = pair
freeze = /usr/local/sbin/slow freeze
thaw = /usr/local/sbin/slow thaw
lock_s = 1000
"""
FEW_BYTES = "[Service]\\nMemoryMax=128M\\nMemorySwapMax=0\\n"
GREEDY = """\
#!/bin/sh
# Takes 300 MB to freeze.
[ "$1" = thaw ] || exec python3 -c 'len(b"x" * (300 << 20))'
"""
FOR_EVER_S = 100_000
LATE_S = 30
"""How late a refusal may come on a busy machine without hardware acceleration."""
FLOOD = """\
import socket, time
floods = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(16)]
for flood in floods:
    flood.setblocking(False)
    flood.connect("/dev/log")
while True:
    for flood in floods:
        try:
            while True:
                flood.send(b"<15>flood: " + b"x" * 200)
        except BlockingIOError:
            pass
    time.sleep(0.05)
"""
"""Keeps the journal's socket full; at a priority that is not shown on the console."""


@pytest.fixture(scope="module")
def booted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    image = guest_image(line_writer(request.config))
    folder = tmp_path_factory.mktemp("guest")
    package = packages.build(folder / "packages").deb
    disks = {disk.label: folder / f"{disk.label}.img" for disk in reversed(DISKS)}
    real_guest.fill(disks, image)
    guest = Machine(image, disks, first_boot.media(folder, package))
    try:
        with guest.agent():  # it has booted that far
            guest.wait_for_shell()
        guest.shell(FIRST_BOOT_IS_OVER, BOOT_S)
        yield guest
    finally:
        guest.close(request.config.cache.mkdir("guest-logs"))


@pytest.fixture(scope="module")
def writing(booted: Machine) -> Machine:
    """With both databases at work."""
    packages.configure(booted, "patient", packages.PATIENT)
    with booted.agent() as agent:
        agent.write("/usr/local/sbin/slow", SLOW.encode(), "755")
        agent.write("/usr/local/sbin/flood", FLOOD.encode())
    for database in DATABASES:
        booted.run(real_guest.is_running(database))
        booted.run(f"systemctl start commits@{database}")
    return booted


@pytest.fixture
def guest(writing: Machine) -> Iterator[Machine]:
    """Thawed and as configured at first, whatever the test before has left."""
    yield writing
    with writing.agent() as agent, contextlib.suppress(AgentError):  # what its hold has lost
        if agent.status() == "frozen":
            agent.thaw()
    packages.configure(writing, "test", "")


def freeze(guest: Machine) -> None:
    """By the agent, with a look at what the guest says if it refuses."""
    with guest.agent() as agent:
        try:
            assert agent.freeze() == len(DISKS)
        except AgentError as error:
            error.add_note(guest.shell(f"stillpoint-guest status; {JOURNAL}", 120))
            raise


def one_of_three_is_whole(guest: Machine, last: dict[str, Any]) -> bool:
    """Whether a freeze quiesced all; an emulated guest may stall for longer than one may take."""
    verdicts: list[str] = [last["verdict"]]
    while verdicts[-1] != "application" and len(verdicts) < 3:
        freeze(guest)
        with guest.agent() as host:
            host.thaw()
        lives_on(guest)
        verdicts.append(packages.status(guest)["last"]["verdict"])
    return verdicts[-1] == "application"


def lives_on(guest: Machine) -> None:
    """Returns when both databases have committed again."""
    for commits in guest.commits.values():
        commits.wait(more=5)


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + BOOT_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_the_virtual_machine_of_the_docs_has_installed_our_package(booted: Machine) -> None:
    told = booted.shell("cloud-init status --long", 120)
    assert "status: done" in told, told
    assert "ok installed" in booted.shell("dpkg -s stillpoint-guest | grep ^Status")
    checked = booted.shell("stillpoint-guest check", 120)
    assert (
        "good     the agent's freeze hook /usr/bin/stillpoint-guest is stillpoint-guest" in checked
    )
    assert "BLOCKED" not in checked
    assert booted.shell("findmnt --noheadings LABEL=stillpoint; ls /mnt") == ""


def test_the_hosts_safety_thaw_ends_a_hold_that_lasts(guest: Machine) -> None:
    """KubeVirt's own thaw, 300 s after its freeze; then nobody thaws any more."""
    freeze(guest)
    assert packages.status(guest)["phase"] == "held"
    with guest.agent() as host:
        assert host.thaw() == len(DISKS)
    lives_on(guest)
    held = packages.status(guest)["last"]["id"]
    for state in ("held", "released", "over"):
        until(lambda: held in announced(guest, state), f"its console says {state}")  # noqa: B023
    with guest.agent() as late:
        assert late.status() == "thawed"
        assert late.thaw() == 0, "that of Velero's hook, should it ask all the same"
    told = packages.status(guest)
    assert (told["phase"], told["hold"]) == ("idle", None)
    assert told["last"]["ended_by"] == "thaw"
    assert one_of_three_is_whole(guest, told["last"]), json.dumps(packages.status(guest)["last"])
    until(
        lambda: '"state": "released"' in guest.run("cat /var/lib/stillpoint-guest/record.json"),
        "a copy that is cut from now on does not pass for one of the freeze",
    )


def test_a_freeze_that_comes_too_late_for_the_host_waits_for_its_safety_thaw(
    guest: Machine,
) -> None:
    """The host has given up and hung up; it freezes all the same, and nobody has seen it."""
    packages.configure(guest, "test", BUDGET.format(60))
    guest.run("rm -f /run/slow.calls; echo 10 >/run/slow.seconds")
    with guest.agent() as host:
        host.send("guest-fsfreeze-freeze")
        until(lambda: "freeze" in guest.shell("cat /run/slow.calls"), "the application is asked")
    until(lambda: packages.status(guest)["phase"] == "held", "it is held all the same")
    with guest.agent() as timer:
        assert timer.status() == "frozen"
        assert timer.thaw() == len(DISKS)
    lives_on(guest)
    assert packages.status(guest)["hold"] is None


def test_a_safety_thaw_behind_the_watchdog_tells_what_was_lost(guest: Machine) -> None:
    """Both have 300 s. The databases are released though every filesystem is still frozen."""
    packages.configure(guest, "test", WATCHDOG.format(10))
    freeze(guest)
    until(lambda: packages.status(guest)["phase"] == "idle", "the watchdog fires")
    assert guest.shell(DURABILITY) == RELAXED
    with guest.agent() as timer:
        assert timer.status() == "frozen"
        with pytest.raises(AgentError):
            timer.thaw()
        assert timer.status() == "thawed"
    lives_on(guest)
    until(lambda: "no thaw came within 10 s" in guest.run(JOURNAL), "the journal tells")


def test_what_takes_too_much_memory_is_ended_alone(guest: Machine) -> None:
    """The unit's bound, made lower here, is for scripts and clients too; the holder lives on."""
    unit = "/run/systemd/system/stillpoint-guest.service.d"
    guest.shell(f"mkdir -p {unit}; printf '{FEW_BYTES}' >{unit}/memory.conf")
    guest.shell("systemctl daemon-reload; systemctl restart stillpoint-guest", 120)
    with guest.agent() as agent:
        agent.write("/usr/local/sbin/slow", GREEDY.encode(), "755")
    packages.configure(guest, "test", BUDGET.format(60))
    main_process = "systemctl show --property MainPID --value stillpoint-guest"
    before = guest.shell(main_process)
    packages.status(guest)  # it has started
    with guest.agent() as agent:
        with pytest.raises(AgentError):
            agent.freeze()
        assert agent.status() == "thawed"
        agent.write("/usr/local/sbin/slow", SLOW.encode(), "755")
    assert guest.shell(main_process) == before != "0"
    assert packages.status(guest)["last"]["refused"]
    assert "(python3)" in guest.shell("dmesg | grep 'Memory cgroup out of memory'")
    guest.run("echo 1 >/run/slow.seconds")
    freeze(guest)
    with guest.agent() as agent:
        assert agent.thaw() == len(DISKS)
    guest.shell(f"rm -r {unit}; systemctl daemon-reload; systemctl restart stillpoint-guest", 120)
    lives_on(guest)


def test_a_restart_of_the_agents_unit_leaves_the_hold_alone(guest: Machine) -> None:
    """Hazard 3 of a holder in the agent's control group: it would be killed with the agent."""
    unit = "/run/systemd/system/qemu-guest-agent.service.d"
    guest.shell(f"mkdir -p {unit}; printf '{IMPATIENT_UNIT}' >{unit}/stop.conf")
    guest.shell("systemctl daemon-reload", 120)
    main_process = "systemctl show --property MainPID --value qemu-guest-agent"
    before = guest.shell(main_process)
    freeze(guest)
    guest.shell("systemctl restart --no-block qemu-guest-agent")  # itself waits for the thaw
    until(lambda: guest.shell(main_process) not in (before, "0"), "another agent runs")
    told = packages.status(guest)
    assert (told["phase"], told["hold"]["lost"]) == ("held", "")
    with guest.agent() as agent:
        assert agent.status() == "frozen"
        assert agent.thaw() == len(DISKS)
    lives_on(guest)


def test_a_journal_that_takes_nothing_holds_nobody_up(guest: Machine) -> None:
    """Hazard 2: it waits for its frozen disk, and whoever logs to it waits behind it.

    Our watchdog has something to say then, and releases the databases all the same.
    """
    packages.configure(guest, "test", WATCHDOG.format(30))
    freeze(guest)
    guest.shell("python3 -B /usr/local/sbin/flood & echo $! >/run/flood.pid")
    until(lambda: not takes_a_line(guest), "the journal's socket is full")
    assert packages.status(guest)["phase"] == "held"
    until(lambda: packages.status(guest)["phase"] == "idle", "the watchdog fires")
    assert guest.shell(DURABILITY) == RELAXED
    with guest.agent() as agent:
        with pytest.raises(AgentError):
            agent.thaw()
        assert agent.status() == "thawed"
    guest.shell("kill $(cat /run/flood.pid)")
    lives_on(guest)
    until(lambda: "no thaw came within 30 s" in guest.run(JOURNAL), "our lines come after all")


def announced(guest: Machine, state: str) -> list[str]:
    """The ids of the records of which its console says so."""
    return [said["id"] for said in packages.announced(guest) if said["state"] == state]


def takes_a_line(guest: Machine) -> bool:
    return "taken: 0" in guest.shell("timeout 5 logger hello; echo taken: $?")


@pytest.mark.parametrize(("budget_s", "takes_s"), [(20, 5), (60, 25)])
def test_a_slow_application_within_its_budget_is_held(
    guest: Machine, budget_s: int, takes_s: int
) -> None:
    packages.configure(guest, "test", BUDGET.format(budget_s))
    guest.run(f"echo {takes_s} >/run/slow.seconds")
    freeze(guest)
    assert packages.status(guest)["hold"]["applications"] == ["slow"]
    with guest.agent() as agent:
        assert agent.thaw() == len(DISKS)
    lives_on(guest)


@pytest.mark.parametrize("budget_s", [2, 20, 60])
def test_an_application_that_hangs_ends_the_freeze_within_its_budget(
    guest: Machine, budget_s: int
) -> None:
    packages.configure(guest, "test", BUDGET.format(budget_s))
    guest.run(f"rm -f /run/slow.calls; echo {FOR_EVER_S} >/run/slow.seconds")
    with guest.agent() as agent:
        with pytest.raises(AgentError):
            agent.freeze()
        assert agent.status() == "thawed"
    last = packages.status(guest)["last"]
    assert "slow: " in last["refused"]
    assert budget_s <= last["freeze_s"] < budget_s + LATE_S
    assert guest.run("cat /run/slow.calls").split() == ["freeze", "thaw"]
    assert guest.run(f"pgrep -fx 'sleep {FOR_EVER_S}' || true") == ""
    lives_on(guest)


def test_a_reset_while_frozen_costs_no_acknowledged_commit(guest: Machine) -> None:
    """The last one: it ends the writers."""
    boot = guest.shell("cat /proc/sys/kernel/random/boot_id")
    freeze(guest)
    assert guest.shell(DURABILITY) == DURABLE
    held = packages.status(guest)
    frozen_at = held["hold"]["since"]
    acknowledged = {name: commits.last() for name, commits in guest.commits.items()}
    guest.reset()
    until(lambda: boot not in guest.run("cat /proc/sys/kernel/random/boot_id"), "it boots")
    with guest.agent() as agent:
        assert agent.status() == "thawed"
    for database, found in real_guest.found(guest).items():
        assert found.count == found.last >= acknowledged[database] > 0
    assert guest.run(DURABILITY).strip() == RELAXED
    told = packages.status(guest)
    assert (told["phase"], told["hold"]) == ("idle", None)
    assert told["origin"]["held_at"] == frozen_at
    assert told["origin"]["id"] == held["last"]["id"]
    until(lambda: held["last"]["id"] in announced(guest, "copied"), "its console tells, too")
    assert f"(or its guest reset) between {frozen_at}" in guest.run(JOURNAL)
    freeze(guest)
    with guest.agent() as agent:
        assert agent.thaw() == len(DISKS)
