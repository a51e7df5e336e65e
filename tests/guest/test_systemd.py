"""Under a real systemd, the first process of a lab: units at rest, and where the holder lives."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stillpoint_guest.hook.holder_start import PROPERTIES

from tests.cluster.processes import Processes
from tests.guest import databases
from tests.guest.lab.agent import Agent
from tests.guest.lab.inside import (
    CONSOLE_LOG,
    STATE,
    configure,
    holder,
    number_inside,
    said_on_console,
    script,
    serial_console,
    status,
    until,
)
from tests.guest.lab.lab import COMMAND, HOOK, Lab
from tests.qemu_agent import AgentError

PACKAGING = Path(__file__).parents[2] / "packaging/guest"
UNITS = "/etc/systemd/system"
ON_COPY = "stillpoint-guest-on-copy.service"
STEP = "/etc/stillpoint-guest/on-copy.d/10-no-mail"
MAIL = f"[Unit]\nRequires={ON_COPY}\nAfter={ON_COPY}\n[Service]\nExecStart=/bin/sleep infinity\n"
HELD_ELSEWHERE = {
    "format": 1,
    "id": "held",
    "state": "held",
    "verdict": "application",
    "boot_id": "another",
    "applications": [],
}
SHOP = "[Service]\nExecStart=/bin/sleep infinity\n"
SECTION = "[shop]\ntype = systemd\nunit = shop.service\n"

# podman's own folders, which may not be overlays over the lab's overlay.
STORAGE = """[storage]
driver = "vfs"
graphroot = "/srv/containers"
runroot = "/run/containers"
"""
# The files of a container that needs no image: one program and its libraries.
ROOTFS = """
cd /srv && mkdir -p root/proc root/dev root/sys root/etc root/run root/tmp
for file in $(readlink -f /bin/sleep) $(ldd /bin/sleep | grep -o "/[^ ]*"); do
    install -D "$file" "root$file"
done
"""


@pytest.fixture(scope="module")
def started() -> Iterator[Lab]:
    with Lab({"/data/a": "ext4"}, first="systemd") as lab:
        lab.path(f"{UNITS}/shop.service").write_text(SHOP)
        until(lambda: control(lab, "is-system-running") == "running", "systemd runs")
        yield lab


@pytest.fixture
def lab(started: Lab) -> Iterator[Lab]:
    control(started, "start", "shop")
    yield started
    started.thaw()
    started.guest("thaw")
    control(
        started, "stop", "stillpoint-guest.socket", "stillpoint-guest", "stillpoint-guest-holder-*"
    )


def control(lab: Lab, *words: str) -> str:
    return lab.run("systemctl", *words).stdout.strip()


def state(lab: Lab) -> tuple[str, str]:
    properties = ("--property=ActiveState", "--property=FreezerState")
    active, freezer = control(lab, "show", "--value", *properties, "shop").split()
    return active, freezer


def group(process: int) -> str:
    return Path(f"/proc/{process}/cgroup").read_text()


@pytest.mark.parametrize(
    ("method", "rests"), [("stop", ("inactive", "running")), ("freeze", ("active", "frozen"))]
)
def test_a_unit_rests_from_freeze_to_thaw(lab: Lab, method: str, rests: tuple[str, str]) -> None:
    configure(lab, f"{SECTION}method = {method}\n")
    with lab.agent() as agent:
        assert agent.freeze() == 1
        assert state(lab) == rests
        agent.thaw()
    assert state(lab) == ("active", "running")


@pytest.mark.parametrize("method", ["stop", "freeze"])
def test_a_unit_goes_on_after_a_holder_that_was_killed(lab: Lab, method: str) -> None:
    """Hazard 11: nothing but the note in /run knows that it rests."""
    configure(lab, f"{SECTION}method = {method}\n")
    assert lab.guest("freeze").returncode == 0
    lab.run("kill", "-9", *number_inside(holder(lab)))
    assert lab.guest("thaw").returncode == 1
    assert state(lab) == ("active", "running")


@pytest.fixture
def container(lab: Lab) -> Iterator[str]:
    lab.path("/etc/containers/storage.conf").write_text(STORAGE)
    assert lab.run("sh", "-ec", ROOTFS).returncode == 0
    limits = ("--network=none", "--pids-limit=0")  # what this machine may not have in groups
    program = str(Path("/bin/sleep").resolve())
    words = ("--runtime=runc", "run", "--detach", "--name=shop", *limits, "--rootfs", "/srv/root")
    made = lab.run("podman", *words, program, "1000")
    assert made.returncode == 0, made.stderr
    yield "shop"
    lab.run("podman", "rm", "--force", "--time=0", "shop")


def test_a_container_of_podman_is_paused(lab: Lab, container: str) -> None:
    configure(lab, f"[box]\ntype = systemd\nmethod = podman\nunit = {container}\n")
    look = ("podman", "inspect", "--format={{.State.Status}}", container)
    with lab.agent() as agent:
        agent.freeze()
        assert lab.run(*look).stdout == "paused\n"
        agent.thaw()
        assert lab.run(*look).stdout == "running\n"
        agent.freeze()
        lab.run("kill", "-9", *number_inside(holder(lab)))
        with pytest.raises(AgentError):
            agent.thaw()
    assert lab.run(*look).stdout == "running\n"


def test_a_unit_that_had_to_be_killed_did_not_end_in_order(lab: Lab) -> None:
    deaf = "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'\n"
    lab.path(f"{UNITS}/deaf.service").write_text(f"{deaf}TimeoutStopSec=1\n")
    control(lab, "start", "deaf")
    configure(lab, SECTION.replace("shop.service", "deaf.service"))
    with lab.agent() as agent:
        agent.freeze()
        agent.thaw()
    assert control(lab, "is-active", "deaf") == "active"
    control(lab, "stop", "deaf")
    last = status(lab)["last"]
    assert last["verdict"] == "filesystem"
    assert "has killed it" in last["applications"][0]["warnings"][0]


def test_a_unit_that_is_stopped_is_judged_by_where_its_data_lies(lab: Lab) -> None:
    """The lab's /var is in memory."""
    held, elsewhere = "WorkingDirectory=/data/a", "WorkingDirectory=/\nStateDirectory=shop"
    for said, section, level in (
        (held, SECTION, "application"),
        (elsewhere, SECTION, "crash"),
        (held, f"{SECTION}folders = /data/a, /var/lib\n", "crash"),
    ):
        lab.path(f"{UNITS}/shop.service").write_text(f"{SHOP}{said}\n")
        control(lab, "daemon-reload")
        control(lab, "restart", "shop")
        configure(lab, section)
        with lab.agent() as agent:
            agent.freeze()
            agent.thaw()
        one = status(lab)["last"]["applications"][0]
        assert one["level"] == level, one
        assert ("/var/lib" in str(one["warnings"])) == (level == "crash")
    lab.path(f"{UNITS}/shop.service").write_text(SHOP)
    control(lab, "daemon-reload")


def test_a_unit_that_is_not_there_is_one_line(lab: Lab) -> None:
    configure(lab, "[shop]\ntype = systemd\nunit = shp.service\nmethod = freeze\n")
    checked = lab.guest("check").stdout
    assert "shop: does not run, so nothing is to be done" in checked


def test_3_the_holder_outlives_the_unit_of_the_agent_that_started_it(lab: Lab) -> None:
    """Without our package: systemd runs it as a transient unit."""
    configure(lab, script(lab, "app", "echo $1 >> /run/app.log"))
    scope = ("systemd-run", "--scope", "--quiet", "--unit=agent")
    with Agent(lab, (f"--fsfreeze-hook={HOOK}",), unit=scope) as agent:
        agent.freeze()
        assert "agent.scope" in group(agent.process)
        assert "/stillpoint-guest-holder-" in group(holder(lab))
        control(lab, "kill", "--signal=KILL", "agent.scope")
    assert status(lab)["hold"]["applications"] == ["app"]
    with lab.agent() as again:
        assert again.status() == "frozen"
        assert again.thaw() == 1
    assert lab.path("/run/app.log").read_text().split() == ["freeze", "thaw"]


def install(lab: Lab) -> None:
    """As the package does it."""
    shutil.copy(lab.path(COMMAND), lab.path("/usr/bin/stillpoint-guest"))
    for name in ("stillpoint-guest.service", "stillpoint-guest.socket", ON_COPY):
        shutil.copy(PACKAGING / name, lab.path(f"{UNITS}/{name}"))
    control(lab, "daemon-reload")
    control(lab, "start", "stillpoint-guest.socket")


def test_the_units_of_the_package_start_the_holder_by_its_socket(lab: Lab) -> None:
    install(lab)
    assert control(lab, "is-active", "stillpoint-guest.service") == "inactive"
    with serial_console(lab, CONSOLE_LOG) as terminal, lab.agent() as agent:
        configure(lab, script(lab, "app", "exit 0"), console=terminal)
        agent.freeze()
        until(lambda: bool(said_on_console(lab)), "its unit lets it write to the console")
        assert "stillpoint-guest.service" in group(holder(lab))
        control(lab, "restart", "stillpoint-guest.service")  # it lets go before it leaves
        assert status(lab)["hold"]["lost"] == "the holder was stopped"
        with pytest.raises(AgentError):
            agent.thaw()
        assert agent.status() == "thawed"


@pytest.fixture
def copy(lab: Lab) -> Iterator[Lab]:
    """With our units, on a disk that another boot holds, and a unit that needs its steps."""
    install(lab)
    lab.path(f"{UNITS}/mail.service").write_text(MAIL)
    control(lab, "daemon-reload")
    lab.path(STATE).mkdir(parents=True, exist_ok=True)
    lab.path(f"{STATE}/record.json").write_text(json.dumps(HELD_ELSEWHERE))
    lab.path(STEP).parent.mkdir(parents=True, exist_ok=True)
    yield lab
    control(lab, "stop", "mail", ON_COPY)
    shutil.rmtree(lab.path(STATE))
    shutil.rmtree(lab.path(STEP).parent)


def step(lab: Lab, body: str) -> None:
    lab.path(STEP).write_text(f"#!/bin/sh\n{body}\n")
    lab.path(STEP).chmod(0o755)


def test_the_steps_of_a_copy_run_before_what_needs_them_and_once(copy: Lab) -> None:
    configure(copy)
    step(copy, "systemctl is-active mail >>/run/steps.log; true")
    for _ in range(2):
        control(copy, "restart", "mail")
        assert control(copy, "is-active", "mail", ON_COPY).split() == ["active", "active"]
        control(copy, "stop", ON_COPY)
    assert copy.path("/run/steps.log").read_text().split() == ["inactive"]
    told = status(copy)["on_copy"]
    assert (told["state"], [one["name"] for one in told["steps"]]) == ("done", ["10-no-mail"])


def test_what_needs_the_steps_of_a_copy_is_kept_back_where_they_are_required(copy: Lab) -> None:
    step(copy, "echo no route >&2; exit 1")
    configure(copy, "[on-copy]\nrequired = yes\n")
    control(copy, "start", "mail")
    assert control(copy, "is-active", "mail", ON_COPY).split() == ["inactive", "failed"]
    assert "no route" in status(copy)["on_copy"]["steps"][0]["error"]
    step(copy, "exit 0")
    control(copy, "start", "mail")
    assert control(copy, "is-active", "mail", ON_COPY).split() == ["active", "active"]


def test_the_steps_of_a_copy_come_before_every_ordinary_service_and_in_no_circle(
    copy: Lab,
) -> None:
    control(copy, "enable", ON_COPY)
    after_itself = copy.path(f"{UNITS}/{ON_COPY}.d/circle.conf")
    after_itself.parent.mkdir()
    after_itself.write_text("[Unit]\nAfter=basic.target\n")
    assert "cycle" in verified(copy), "one that is there is told"
    shutil.rmtree(after_itself.parent)
    order = control(copy, "show", "--value", "--property=After", "basic.target", "sysinit.target")
    assert ON_COPY in order.split()
    told = verified(copy)
    control(copy, "disable", ON_COPY)
    assert "cycle" not in told, told


def verified(lab: Lab) -> str:
    """What systemd says of the units of a boot."""
    return lab.run("systemd-analyze", "verify", "--man=no", "default.target").stderr


@pytest.fixture
def services(lab: Lab) -> Iterator[list[databases.Server]]:
    """Databases as units of the system, under the accounts of their packages."""
    with (
        tempfile.TemporaryDirectory() as logs,
        contextlib.closing(Processes(Path(logs), [])) as processes,
    ):
        servers: list[databases.Server] = [
            databases.Postgres(Path("/data/a/pg"), processes),
            databases.MariaDB(Path("/data/a/maria"), processes),
            databases.Redis(Path("/data/a/redis"), processes, settings=("--appendonly", "yes")),
        ]
        for server in servers:
            server.prefix = lab.command()
            server.seen = lambda path: lab.path(str(path))
            server.create()
            serve(lab, server)
            server.make_writable()
        yield servers
        lab.guest("thaw")
        control(lab, "stop", *(f"lab-{server.kind}" for server in servers))


def serve(lab: Lab, server: databases.Server) -> None:
    program, *words = map(str, server.command)
    found = lab.run("sh", "-c", f"command -v {program}").stdout.strip()
    quoted = " ".join(f'"{word}"' for word in (found, *words))
    unit = f"[Service]\nUser={server.user}\nExecStart={quoted}\n"
    name = f"lab-{server.kind}"  # Debian's own starts the clusters of this machine with it
    lab.path(f"{UNITS}/{name}.service").write_text(unit)
    control(lab, "daemon-reload")
    control(lab, "start", name)
    until(server.answers, f"{server.kind} answers")


def test_confined_by_its_unit_the_holder_brings_databases_to_rest(
    lab: Lab, services: list[databases.Server]
) -> None:
    """Nothing that the unit takes away is needed for it: clients of other users, and FIFREEZE."""
    configure(lab, discovery="yes")
    install(lab)
    with lab.agent() as agent:
        assert agent.freeze() == 1
        assert not any(server.can_write(timeout_s=1) for server in services)
        agent.thaw()
    assert all(server.can_write(timeout_s=20) for server in services)
    last = status(lab)["last"]
    levels = {one["type"]: one["level"] for one in last["applications"]}
    assert levels == dict.fromkeys(("postgresql", "mariadb", "redis"), "application")
    assert last["verdict"] == "application"


def test_the_holder_has_no_rights_that_it_does_not_need(lab: Lab) -> None:
    """Neither in the package's unit nor in the one that the client makes without a package."""
    configure(lab, script(lab, "app", "grep -E 'NoNewPrivs|Seccomp:|CapBnd' /proc/self/status"))
    for is_installed in (False, True):
        if is_installed:
            install(lab)
        assert lab.guest("freeze").returncode == 0
        told = Path(f"/proc/{holder(lab)}/status").read_text().splitlines()
        facts = dict(line.split(":\t", 1) for line in told if ":\t" in line)
        assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
        bounds = int(facts["CapBnd"], 16)
        assert not bounds >> 16 & 1, "it could load modules of the kernel"
        assert bounds >> 21 & 1, "it could not freeze"
        lab.guest("thaw")
        control(lab, "stop", "stillpoint-guest-holder-*")


def test_its_bounds_are_what_systemd_knows_and_can_be_raised(lab: Lab) -> None:
    """That they hold tests/machine shows: a lab has no control of memory."""
    install(lab)
    bounds = ("MemoryMax", "TasksMax", "OOMPolicy")
    asked = ("show", "--value", *(f"--property={each}" for each in bounds), "stillpoint-guest")
    assert set(control(lab, *asked).split()) == {str(512 << 20), "512", "continue"}
    raised = lab.path(f"{UNITS}/stillpoint-guest.service.d/more.conf")
    raised.parent.mkdir()
    raised.write_text("[Service]\nMemoryMax=1G\n")
    control(lab, "daemon-reload")
    assert set(control(lab, *asked).split()) == {str(1 << 30), "512", "continue"}
    raised.unlink()
    control(lab, "daemon-reload")


def test_a_transient_holder_is_confined_as_the_unit_of_the_package() -> None:
    unit = (PACKAGING / "stillpoint-guest.service").read_text().splitlines()
    missing = {"OOMPolicy=continue", "RestrictSUIDSGID=yes"}  # unknown to systemd 237
    names = {line.partition("=")[0] for line in PROPERTIES} | {"OOMPolicy", "RestrictSUIDSGID"}
    assert {line for line in unit if line.partition("=")[0] in names} == {*PROPERTIES, *missing}
