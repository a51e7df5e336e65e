"""What users without rights, containers and broken services can put beside a real server."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from stillpoint_guest.drivers import DRIVERS
from stillpoint_guest.options.section import Section

from tests.guest.databases import as_user
from tests.guest.lab import impostor
from tests.guest.lab.agent import kill
from tests.guest.lab.inside import beside_a_crowd, configure, holder, status, until
from tests.guest.lab.lab import Lab, python

REAL = "redis:/data/a/redis/redis.sock"
PLACE = "/run/impostors"
OTHER = "/run/theirs"  # of nobody's
GIVEN = "PID\\n{folder}\\n1\\n5432\\n{folder}\\n\\n"
PREPARE_S = Section("", "").prepare_s  # that each has, beside the others
NAMES = [(kind.KIND, program) for kind in DRIVERS for program in kind.PROGRAMS[:1]]


@dataclass
class Impostor:
    """One that runs; what it was told is in its log."""

    process: "subprocess.Popen[str]"

    def end(self) -> Sequence[str]:
        """End it; who has connected, and what it was told."""
        out, _ = self.process.communicate() if self.process.poll() is None else ("", "")
        return out.splitlines()


@pytest.fixture(scope="module")
def guest() -> Iterator[Lab]:
    """A guest with one real server, of Redis."""
    with contextlib.ExitStack() as ended, Lab({"/data/a": "ext4"}) as lab:
        configure(lab, discovery="yes")
        for path, account in (("/data/a/redis", "redis"), (PLACE, "root"), (OTHER, "nobody")):
            lab.path(path).mkdir()
            shutil.chown(lab.path(path), account)
        shutil.copy(impostor.__file__, lab.path(f"{PLACE}/impostor.py"))
        socket = "/data/a/redis/redis.sock"
        words = ("redis-server", "--port", "0", "--unixsocket", socket, "--dir", "/data/a/redis")
        started = lab.command(*as_user("redis"), *words, "--appendonly", "yes")
        server = subprocess.Popen(started, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        ended.callback(server.wait)
        until(lab.path(socket).exists, "Redis listens")
        with contextlib.ExitStack() as at_first:
            at_first.callback(lab.thaw)
            yield lab


@contextlib.contextmanager
def running(
    lab: Lab,
    name: str,
    *options: str,
    user: str = "nobody",
    before: Sequence[str] = (),
    folder: str = "",
) -> Iterator[Impostor]:
    folder = folder or f"{OTHER}/{user}"
    lab.path(folder).mkdir(exist_ok=True)
    shutil.chown(lab.path(folder), user if user.islower() else int(user))
    identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    if user == "nobody":
        identity[1] = "--regid=nogroup"
    program = (python(), "-I", f"{PLACE}/impostor.py", name, folder, *options)
    command = lab.command(*before, "setpriv", *identity, *program)
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    one = Impostor(process)
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield one
    finally:
        one.end()
        for left in lab.path(folder).iterdir():
            left.unlink()


def frozen_and_thawed(lab: Lab) -> dict[str, Any]:
    """The record of a freeze by the real agent, in which the real server has come to rest."""
    with lab.agent() as agent:
        agent.freeze()
        agent.thaw()
    last: dict[str, Any] = status(lab)["last"]
    levels = {one["name"]: one["level"] for one in last["applications"]}
    assert levels[REAL] == "application", last
    return last


def named(lab: Lab) -> dict[str, str]:
    """The warnings, by what each is about."""
    warnings = status(lab)["warnings"]
    return {warning.partition(": ")[0]: warning for warning in warnings}


def test_without_them_the_verdict_is_application(guest: Lab) -> None:
    assert named(guest) == {}
    assert frozen_and_thawed(guest)["verdict"] == "application"


def test_what_nobody_calls_a_server_is_named_and_nobody_speaks_to_it(guest: Lab) -> None:
    with contextlib.ExitStack() as stack:
        fakes = []
        for number, (kind, program) in enumerate(NAMES):
            folder = f"{OTHER}/{kind}"
            sockets = ("--socket", f"{folder}/.s.PGSQL.5432", "--port", str(27990 + number))
            file = ("--pid-file", GIVEN.format(folder=folder))
            one = running(guest, program, *sockets, *file, folder=folder)
            fakes.append(stack.enter_context(one))
        last = frozen_and_thawed(guest)
        told = named(guest)
        checked = guest.guest("check").stdout
        heard = [line for fake in fakes for line in fake.end()]
    assert heard == []
    assert [one["name"] for one in last["applications"]] == [REAL]
    assert last["verdict"] == "filesystem"
    assert sorted(told) == sorted(f"{kind}@nobody" for kind, _ in NAMES)
    assert all("runs as nobody" in each for each in told.values())
    assert [each for each in told.values() if f"warning  {each}" not in checked] == []


def test_a_thousand_of_them_are_one_warning(guest: Lab) -> None:
    with running(guest, "postgres", "--count", "300"):
        before = descriptors(guest)
        last = frozen_and_thawed(guest)
        told = named(guest)
        assert descriptors(guest) - before < 20
    assert last["verdict"] == "filesystem"
    assert list(told) == ["postgresql@nobody"]
    assert "300 processes, among them" in told["postgresql@nobody"]


def descriptors(lab: Lab) -> int:
    lab.guest("freeze")
    lab.guest("thaw")
    return len(list((lab.path("/proc") / str(holder(lab)) / "fd").parent.glob("fd/*")))


def test_a_setuid_program_of_roots_called_postgres_is_a_strangers(guest: Lab) -> None:
    """It waits for a password, and is root's, in a folder of nobody's."""
    folder = f"{OTHER}/setuid"
    guest.path(folder).mkdir(exist_ok=True)
    shutil.chown(guest.path(folder), "nobody")
    script = f"cd {folder}; ln -sf /usr/bin/su postgres; mkfifo keyboard; sleep 60 >keyboard & "
    script += "exec ./postgres root <keyboard >/dev/null 2>&1"
    words = ("setpriv", "--reuid=nobody", "--clear-groups", "--regid=nogroup", "sh", "-c", script)
    waiting = subprocess.Popen(guest.command(*words), stdin=subprocess.DEVNULL)
    try:
        until(lambda: list(named(guest)) == ["postgresql@root"], "it waits for a password")
        assert [one["name"] for one in status(guest)["applications"]] == [REAL]
    finally:
        guest.run("sh", "-c", "kill $(pgrep -x postgres) $(pgrep -x sleep)")
        waiting.wait()


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (("mkfifo", "{}"), "not a file of its own"),
        (("ln", "-s", "/dev/zero", "{}"), "symbolic links"),
        (("ln", "-s", "/etc/passwd", "{}"), "symbolic links"),
        (("sh", "-c", "echo abc >{}"), "makes no sense"),
        (("sh", "-c", "printf '1\n/d\n1\nx\n/tmp\n\n' >{}"), "makes no sense"),
        (("sh", "-c", "printf '1\n/d\n1\n99999999\n/tmp\n\n' >{}"), "makes no sense"),
        (("truncate", "-s", "1G", "{}"), "makes no sense"),
        (("mkdir", "{}"), "not a file of its own"),
    ],
)
def test_a_service_that_writes_nonsense_is_one_warning(
    guest: Lab, made: Sequence[str], cause: str
) -> None:
    """Of a service: what a stranger writes is not read at all."""
    with running(guest, "postgres", user="postgres"):
        file = f"{OTHER}/postgres/postmaster.pid"
        words = [word.replace("{}", file) for word in made]
        assert guest.run(*as_user("postgres"), *words).returncode == 0
        told = named(guest)
        guest.run("rm", "-r", file)
    assert list(told) == ["postgresql@postgres"]
    assert cause in told["postgresql@postgres"]


def test_a_container_of_a_user_whom_the_guest_does_not_know(guest: Lab) -> None:
    with running(guest, "postgres", user="70070", before=("unshare", "--pid", "--fork")):
        assert frozen_and_thawed(guest)["verdict"] == "filesystem"
        told = named(guest)["postgresql@70070"]
    assert "runs in a container" in told
    assert "covers = postgresql@70070" in told


def test_a_name_of_any_bytes_is_no_fault(guest: Lab) -> None:
    for name in ("\udcd0\udcbc\udcd0", "postgres\n", "{0}{name}", "\x1b[2J"):
        with running(guest, name):
            assert named(guest) == {}
    assert frozen_and_thawed(guest)["verdict"] == "application"


def test_a_server_without_a_driver_is_named_until_the_configuration_speaks_of_it(
    guest: Lab,
) -> None:
    with running(guest, "sqlservr", user="daemon"):
        assert list(named(guest)) == ["sqlserver"]
        assert frozen_and_thawed(guest)["verdict"] == "filesystem"
        pair = "type = script\nmethod = pair\nfreeze = /bin/true\nthaw = /bin/true\n"
        for text in (
            f"[sqlserver]\n{pair}",
            f"[shop]\n{pair}covers = sqlserver\n",
            "[sqlserver]\nenabled = no\n",
        ):
            configure(guest, text, discovery="yes")
            assert named(guest) == {}
        configure(guest, discovery="yes")


def test_an_executable_that_its_own_account_can_change_is_not_trusted(guest: Lab) -> None:
    folder = "/data/a/own"
    guest.run(
        "sh", "-c", f"mkdir {folder}; cp /usr/bin/redis-server {folder}; chown redis {folder}"
    )
    words = (
        f"{folder}/redis-server",
        "--port",
        "0",
        "--unixsocket",
        f"{folder}/s",
        "--dir",
        folder,
    )
    started = guest.command(*as_user("redis"), *words)
    server = subprocess.Popen(started, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until(guest.path(f"{folder}/s").exists, "Redis listens")
        told = named(guest)
        assert "an executable in a folder of others" in told["redis@redis"]
        vouched = f"[own]\ntype = redis\nsocket = {folder}/s\nsystem_user = redis\n"
        configure(guest, vouched, discovery="yes")
        assert named(guest) == {}
        assert sorted(one["name"] for one in status(guest)["applications"]) == ["own", REAL]
    finally:
        configure(guest, discovery="yes")
        kill(server)


def test_an_account_of_the_system_that_was_taken_over_costs_its_own_time_alone(guest: Lab) -> None:
    """Its thirty fakes are trusted as services, and hang, say nonsense, or say it byte by byte."""
    with beside_a_crowd(guest, 30, user="daemon") as heard:
        last = frozen_and_thawed(guest)
    assert len(heard) > 1, "nobody was asked anything"
    assert last["freeze_s"] < PREPARE_S + 5
    assert last["verdict"] == "filesystem"
    fakes = [one for one in last["applications"] if one["name"] != REAL]
    assert fakes
    assert all(one["level"] == "crash" and one["error"] for one in fakes)


def test_a_service_that_lets_us_in_and_refuses_ends_no_freeze(
    guest: Lab,
) -> None:
    folder = "/data/a/refusing"
    name = f"redis:{folder}/s"
    guest.run("install", "-d", "-o", "daemon", folder)
    words = ("redis-server", "--port", "0", "--unixsocket", f"{folder}/s", "--dir", folder)
    started = guest.command(*as_user("daemon"), *words, "--rename-command", "CLIENT", "")
    server = subprocess.Popen(started, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until(guest.path(f"{folder}/s").exists, "Redis listens")
        last = frozen_and_thawed(guest)
        assert last["verdict"] == "filesystem"
        (told,) = (one for one in last["applications"] if one["name"] == name)
        assert (told["level"], told["required"]) == ("crash", False)
        assert "unknown command" in told["error"]
        configure(guest, f"[{name}]\n", discovery="yes")
        done = guest.guest("freeze")
        assert done.returncode != 0
        assert "unknown command" in done.stderr
        assert status(guest)["phase"] == "idle"
    finally:
        configure(guest, discovery="yes")
        kill(server)


def test_status_is_json_whatever_the_names_are(guest: Lab) -> None:
    with running(guest, "sqlservr"):
        assert json.loads(guest.guest("status", "--output", "json").stdout)["warnings"]
