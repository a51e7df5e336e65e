"""Servers that accept a connection and never answer, and the freeze that meets them."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.processes import free_ports
from tests.guest.databases import as_user
from tests.guest.lab import mute
from tests.guest.lab.agent import kill
from tests.guest.lab.inside import configure, script, status, until
from tests.guest.lab.lab import Lab, python
from tests.qemu_agent import AgentError

# The program by which each kind is found, its socket, and its account.
PROGRAMS = {
    "postgresql": ("postgres", ".s.PGSQL.{port}", "postgres"),
    "mysql": ("mysqld", "mysqld.sock", "mysql"),
    "redis": ("redis-server", "redis.sock", "redis"),
    "etcd": ("etcd", "unused.sock", "etcd"),
}
SECTIONS = {
    "postgresql": "host = /run/mute/postgresql\nport = {port}",
    "mysql": "socket = /run/mute/mysql/mysqld.sock",
    "redis": "socket = /run/mute/redis/redis.sock",
    "etcd": "url = http://127.0.0.1:{port}",
}


@pytest.fixture
def ports(lab: Lab) -> Iterator[Mapping[str, int]]:
    """One mute server of each kind, in the lab."""
    ports = dict(zip(PROGRAMS, free_ports(len(PROGRAMS)), strict=True))
    shutil.rmtree(lab.path("/run/mute"), ignore_errors=True)
    lab.path("/run/mute").mkdir()
    shutil.copy(mute.__file__, lab.path("/run/mute/mute.py"))
    with contextlib.ExitStack() as stack:
        for kind, port in ports.items():
            stack.enter_context(running(lab, kind, port))
        yield ports


@contextlib.contextmanager
def running(lab: Lab, kind: str, port: int) -> Iterator[None]:
    program, name, account = PROGRAMS[kind]
    folder = f"/run/mute/{kind}"
    socket = f"{folder}/{name.format(port=port)}"
    lab.path(folder).mkdir()
    shutil.chown(lab.path(folder), account)
    lab.path(f"{folder}/{program}").symlink_to(Path(python()).resolve())
    words = (f"{folder}/{program}", "-ISB", "/run/mute/mute.py", str(port), socket)
    urls = ("--listen-client-urls", f"http://127.0.0.1:{port}")
    there = ("sh", "-c", 'cd "$0" && exec "$@"', folder)
    command = lab.command(*as_user(account), *there, *words, *urls)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        until(lambda: lab.path(f"{folder}/postmaster.pid").exists(), f"{kind} listens")
        yield
    finally:
        kill(server)


def test_those_that_were_only_found_are_recorded_and_the_freeze_goes_on(
    lab: Lab, ports: Mapping[str, int]
) -> None:
    configure(lab, script(lab, "app", "exit 0"), discovery="yes", profile="fast")
    with lab.agent() as agent:
        assert agent.freeze() == len(lab.disks())
        assert status(lab)["hold"]["applications"] == ["app"]
        agent.thaw()
    last = status(lab)["last"]
    assert last["verdict"] == "filesystem"
    told = {one["type"]: one for one in last["applications"]}
    assert told.keys() == {"script", *ports}
    for kind in ports:
        assert told[kind]["level"] == "crash"
        assert "no answer in time" in told[kind]["error"]


def test_check_warns_of_them(lab: Lab, ports: Mapping[str, int]) -> None:
    configure(lab, discovery="yes", profile="fast")
    lines = lab.guest("check").stdout.splitlines()
    for kind in ports:
        assert [line for line in lines if line.startswith(f"warning  {kind}:")]


@pytest.mark.parametrize("kind", PROGRAMS)
def test_one_that_is_configured_ends_the_freeze_before_the_agents_caller_gives_up(
    lab: Lab, ports: Mapping[str, int], kind: str
) -> None:
    """With a line of its own: a client that had given up waiting would say "holder"."""
    section = f"[db]\ntype = {kind}\n{SECTIONS[kind].format(port=ports[kind])}\n"
    configure(lab, script(lab, "app", "exit 0") + section, profile="fast")
    with lab.agent() as agent:
        with pytest.raises(AgentError):
            agent.freeze()
        assert agent.status() == "thawed"
    refused = lab.guest("freeze")
    assert refused.returncode == 1
    assert refused.stderr.startswith("stillpoint-guest: db: ")
    assert "no answer in time" in refused.stderr
    assert status(lab)["phase"] == "idle"
