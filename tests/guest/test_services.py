"""Whom discovery trusts under a real systemd: units of the system, and nothing else."""

import shutil
from collections.abc import Iterator

import pytest

from tests.guest.lab.inside import configure, status, until
from tests.guest.lab.lab import Lab

PEOPLE = 1077  # a number above UID_MIN, as EDB's installer gives its `postgres`
UNIT = "[Service]\n{settings}\nExecStart={server} --port 0 --unixsocket {socket} --dir {data}\n"
SERVER = "/usr/bin/redis-server"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab({"/data/a": "ext4"}, first="systemd") as lab:
        until(lambda: running(lab) == "running", "systemd runs")
        lab.run("useradd", "--uid", str(PEOPLE), "--no-create-home", "dba")
        configure(lab, discovery="yes")
        yield lab
        lab.thaw()


def running(lab: Lab) -> str:
    return lab.run("systemctl", "is-system-running").stdout.strip()


def folder(lab: Lab, name: str, account: str) -> str:
    path = f"/data/a/{name}"
    lab.path(path).mkdir()
    shutil.chown(lab.path(path), account if account != "dba" else PEOPLE)
    return path


def start(lab: Lab, name: str, settings: str, account: str, socket: str = "") -> None:
    data = folder(lab, name, account)
    where = socket or f"{data}/s"
    text = UNIT.format(settings=settings, server=SERVER, socket=where, data=data)
    lab.path(f"/etc/systemd/system/{name}.service").write_text(text)
    lab.run("systemctl", "daemon-reload")
    assert lab.run("systemctl", "start", name).returncode == 0


def named(lab: Lab) -> list[str]:
    """What is brought to rest, and the names of what is left alone."""
    told = status(lab)
    found = [one["name"] for one in told["applications"]]
    return [*found, *(each.partition(": ")[0] for each in told["warnings"])]


def stop(lab: Lab, name: str) -> None:
    lab.run("systemctl", "stop", name)


def expect(lab: Lab, name: str, *names: str) -> None:
    try:
        until(lambda: named(lab) == list(names), f"{names}, not {named(lab)}")
    finally:
        stop(lab, name)


def test_a_unit_of_an_account_of_the_system(lab: Lab) -> None:
    start(lab, "plain", "User=redis", "redis")
    expect(lab, "plain", "redis:/data/a/plain/s")


def test_a_unit_with_a_private_tmp(lab: Lab) -> None:
    start(lab, "private", "User=redis\nPrivateTmp=yes", "redis", "/tmp/redis.sock")  # noqa: S108
    expect(lab, "private", "redis:/tmp/redis.sock")


def test_a_unit_whose_user_has_a_number_of_a_person(lab: Lab) -> None:
    """systemd says that its account is that one."""
    start(lab, "edb", "User=dba", "dba")
    expect(lab, "edb", "redis:/data/a/edb/s")


def test_what_a_unit_of_roots_starts_as_a_person_is_that_persons_as_cron_does(lab: Lab) -> None:
    data = folder(lab, "cron", "dba")
    words = f"setpriv --reuid=dba --clear-groups {SERVER} --port 0 --unixsocket {data}/s"
    text = f"[Service]\nExecStart=/usr/bin/{words} --dir {data}\n"
    lab.path("/etc/systemd/system/crond.service").write_text(text)
    lab.run("systemctl", "daemon-reload")
    lab.run("systemctl", "start", "crond")
    expect(lab, "crond", "redis@dba")


def test_what_runs_in_somebodys_session_is_no_service(lab: Lab) -> None:
    """Even as the account of the service: who has started it by hand ends it when he leaves."""
    data = folder(lab, "session", "redis")
    scope = ("systemd-run", "--scope", "--slice=user.slice", "--unit=session-7.scope", "--quiet")
    server = f"setpriv --reuid=redis --clear-groups {SERVER} --port 0 --unixsocket {data}/s"
    words = f"{' '.join(scope)} {server} --dir {data} >/dev/null 2>&1 </dev/null &"
    lab.run("sh", "-c", words)
    expect(lab, "session-7.scope", "redis@redis")


def test_the_units_file_is_not_what_a_process_says_of_itself(lab: Lab) -> None:
    """A person's own process, under the name of a unit that runs as that person."""
    start(lab, "shop", "User=dba", "dba")
    data = folder(lab, "own", "dba")
    scope = ("systemd-run", "--scope", "--slice=user.slice", "--unit=shop.scope", "--quiet")
    server = f"setpriv --reuid=dba --clear-groups {SERVER} --port 0 --unixsocket {data}/s"
    lab.run("sh", "-c", f"{' '.join(scope)} {server} --dir {data} >/dev/null 2>&1 </dev/null &")
    try:
        expect(lab, "shop", "redis:/data/a/shop/s", "redis@dba")
    finally:
        stop(lab, "shop.scope")
