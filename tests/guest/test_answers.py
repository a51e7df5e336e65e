"""What a server of Redis or etcd may answer, and who is told a password."""

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Driver, Report
from stillpoint_guest.drivers.redis.info import Info
from stillpoint_guest.errors import (
    ConfigurationError,
    DeadlinePassed,
    Refused,
    Senseless,
    SessionLost,
    Unreachable,
)
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.cluster.processes import Processes, free_ports
from tests.guest import databases, hostile
from tests.guest.cases.case import KINDS, secret
from tests.guest.hostile import Answer, endless, saying

PREPARE_S = 2.0
OK = b"HTTP/1.1 200 OK\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n{}"
STATUS = b'{"header":{"revision":"%s","member_id":"1","cluster_id":"2"},"version":%s}'


def bulk(text: str) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text.encode())


def info(version: str = "7.0.15", run_id: str = "a" * 40, role: str = "master") -> bytes:
    """Up to the role: what follows in a real one is missing."""
    known = f"redis_version:{version}\r\nrun_id:{run_id}\r\nredis_mode:standalone\r\n"
    return bulk(f"{known}role:{role}\r\n")


REDIS = {
    "lists in lists": saying(b"*1\r\n" * 100000),
    "many lists": saying(b"*300\r\n" + b"*300\r\n:1\r\n" * 100000),
    "a long list": saying(b"*2000000000\r\n"),
    "no line end": endless(b"+"),
    "a byte at a time": endless(b"+", b"x", 0.002),
    "10 GB": endless(b"$9999999999\r\n"),
    "a number that is none": saying(b":x\r\n"),
    "a number of a thousand digits": saying(b":" + b"9" * 1000 + b"\r\n"),
    "a length that is none": saying(b"$+5\r\nabcde\r\n"),
    "a text of another length": saying(b"$2\r\nabcde\r\n"),
    "another protocol": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an empty line": saying(b"\r\n"),
    "nothing that is known": saying(bulk("a:b")),
    "a version that is none": saying(info(version="x.y")),
    "an identifier that is none": saying(info(run_id="; rm")),
    "nothing but a role": saying(info()),
}
ETCD = {
    "no end": endless(OK),
    "a byte at a time": endless(OK, b" ", 0.002),
    "a heading a byte at a time": endless(b"H", b"T", 0.002),
    "headings without end": endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "more than there is": saying(LENGTH % b"9"),
    "a length of a thousand digits": saying(LENGTH % (b"9" * 1000)),
    "a length beyond memory": saying(LENGTH % b"99999999999"),
    "nested deeply": saying(OK + b"[" * 200000),
    "a list": saying(OK + b"[]"),
    "a text": saying(OK + b'"x"'),
    "a header that is a text": saying(OK + b'{"header":"x"}'),
    "a version that is none": saying(OK + STATUS % (b"1", b"[1]")),
    "a revision that is none": saying(OK + STATUS % (b"1\\n2", b'"3.4.1"')),
    "no letters": saying(OK + b"\xff\xfe"),
    "another protocol": saying(b"+PONG\r\n"),
}
CASES = [
    *(pytest.param("redis", "port", each, id=f"redis, {name}") for name, each in REDIS.items()),
    *(pytest.param("etcd", "url", each, id=f"etcd, {name}") for name, each in ETCD.items()),
]


def driver_of(kind: str, folder: Path, method: str = "", **options: str) -> Driver:
    section = Section(
        f"{kind}:main", kind, method=method, options=options, prepare_s=PREPARE_S, lock_s=2.0
    )
    return KINDS[kind](section, UndoJournal(str(folder), section))


def report_of(driver: Driver) -> Report:
    driver.prepare(Deadline.after(driver.section.prepare_s))
    with driver.quiesce(Deadline.after(driver.section.lock_s)) as report:
        return report


@pytest.mark.parametrize(("kind", "option", "answer"), CASES)
def test_an_answer_that_is_none_is_an_error_of_ours_in_time(
    kind: str, option: str, answer: Answer, tmp_path: Path
) -> None:
    with hostile.answering(answer) as port:
        place = {"port": str(port), "url": f"http://127.0.0.1:{port}"}[option]
        driver = driver_of(kind, tmp_path, **{option: place})
        begin = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            driver.prepare(Deadline.after(PREPARE_S))
    assert time.monotonic() - begin < PREPARE_S + 5
    assert len(str(caught.value)) < 400
    assert caught.value.subject == f"{kind}:main"


def test_an_answer_of_etcd_in_pieces_is_one(tmp_path: Path) -> None:
    """The neighbour in which nothing is wrong."""

    def answer(connection: socket.socket) -> None:
        text = STATUS % (b"7", b'"3.4.23"')
        whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text)
        for begin in range(0, len(whole), 40):
            connection.sendall(whole[begin : begin + 40])
            time.sleep(0.01)
        time.sleep(PREPARE_S)  # it keeps the connection

    with hostile.answering(answer) as port:
        report = report_of(driver_of("etcd", tmp_path, url=f"http://127.0.0.1:{port}"))
    assert report.position == {"revision": "7", "member_id": "1", "cluster_id": "2"}


@pytest.mark.parametrize(("user", "is_told"), [("nobody", False), ("redis", True)])
@pytest.mark.parametrize("by", ["port", "socket"])
def test_a_password_of_redis_is_told_to_a_service_and_to_no_stranger(
    user: str, is_told: bool, by: str, tmp_path: Path
) -> None:
    folder = Path(f"/run/stillpoint-test-{user}")
    folder.mkdir()
    try:
        shutil.chown(folder, user)
        where = str(free_ports(1)[0]) if by == "port" else f"{folder}/redis.sock"
        with hostile.listener(user, where) as heard:
            password = {"password_file": secret(tmp_path, "correct-horse")}
            driver = driver_of("redis", tmp_path, **{by: where}, **password)
            with pytest.raises(Unreachable):
                driver.prepare(Deadline.after(PREPARE_S))
            said = heard()
    finally:
        shutil.rmtree(folder)
    assert ("correct-horse" in "".join(said)) == is_told
    assert bool(said) == is_told, "nothing at all is said to a stranger"


def test_certificates_of_etcd_are_roots(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.touch()
    shutil.chown(file, "nobody")
    for key in ("ca_file", "certificate_file", "key_file"):
        with pytest.raises(ConfigurationError, match="belongs to user"):
            driver_of("etcd", tmp_path, url="https://127.0.0.1:1", **{key: str(file)})
    shutil.chown(file, 0)
    file.chmod(0o644)
    driver_of("etcd", tmp_path, url="https://127.0.0.1:1", ca_file=str(file))
    with pytest.raises(ConfigurationError, match="others can read it too"):
        driver_of("etcd", tmp_path, url="https://127.0.0.1:1", key_file=str(file))


@pytest.fixture(scope="module")
def slow_redis(processes: Processes) -> Iterator[databases.Redis]:
    """Its snapshots take a multiple of 10 ms, by as many keys as it has."""
    slow = ("--rdb-key-save-delay", "10000", "--enable-debug-command", "yes", "--save", "3600 1000")
    server = databases.Redis(processes.logs / "slow", processes, settings=slow)
    server.up()
    yield server
    server.stop()


def saved_with(server: databases.Redis, keys: int) -> None:
    server.query("FLUSHALL")
    server.query(f"DEBUG POPULATE {keys}")
    wait_for_snapshot(server)
    server.query("BGSAVE")
    wait_for_snapshot(server)


def wait_for_snapshot(server: databases.Redis) -> None:
    while saves(server):
        time.sleep(0.05)


def saves(server: databases.Redis) -> bool:
    return "rdb_bgsave_in_progress:1" in server.query("INFO persistence")


@pytest.mark.parametrize(
    ("last_s", "running_s", "expected_s"),
    [(None, None, 2), (0, None, 0), (1, None, 1), (16, None, 16), (16, 5, 27), (16, 20, 16)],
)
def test_how_long_a_snapshot_takes_is_known_before(
    last_s: int | None, running_s: int | None, expected_s: float
) -> None:
    memory_bytes = 200 * 1024 * 1024
    known = Info((7, 0), "7.0.15", "a" * 40, last_save_s=last_s, memory_bytes=memory_bytes)
    if running_s is not None:
        known = known._replace(is_saving=True, current_save_s=running_s)
    assert known.snapshot_s == expected_s
    is_small = known._replace(memory_bytes=0)
    assert last_s != 1 or is_small.snapshot_s == 0, "a second that began, not one that it took"


def test_a_snapshot_before_the_freeze_is_not_every_write(
    slow_redis: databases.Redis, tmp_path: Path
) -> None:
    saved_with(slow_redis, 260)
    driver = driver_of("redis", tmp_path, **slow_redis.options)
    driver.section = driver.section._replace(prepare_s=10)
    report = report_of(driver)
    assert (report.method, report.level) == ("BGSAVE", CRASH)
    assert "are missing" in " ".join(report.warnings)


def test_a_snapshot_that_does_not_fit_is_not_begun(
    slow_redis: databases.Redis, tmp_path: Path
) -> None:
    saved_with(slow_redis, 350)
    driver = driver_of("redis", tmp_path, **slow_redis.options)
    found = driver.check(Deadline.after(5))
    assert "a snapshot takes about" in " ".join(one.text for one in found if not one.is_good)
    report = report_of(driver)
    assert (report.method, report.level) == ("none", CRASH)
    assert not saves(slow_redis)
    for method in ("bgsave", "pause"):
        asked = driver_of("redis", tmp_path, method, **slow_redis.options)
        begin = time.monotonic()
        with pytest.raises(Refused, match="a snapshot takes about"):
            asked.prepare(Deadline.after(PREPARE_S))
        assert time.monotonic() - begin < PREPARE_S
    assert not saves(slow_redis)


def test_a_snapshot_that_is_slower_than_the_last_one_costs_the_level(
    slow_redis: databases.Redis, tmp_path: Path
) -> None:
    saved_with(slow_redis, 1)
    slow_redis.query("DEBUG POPULATE 400")
    report = report_of(driver_of("redis", tmp_path, **slow_redis.options))
    assert (report.method, report.level) == ("none", CRASH)
    assert slow_redis.can_write(), "no pause is left"
    wait_for_snapshot(slow_redis)


def test_one_that_was_asked_for_and_is_too_slow_is_an_error(
    slow_redis: databases.Redis, tmp_path: Path
) -> None:
    saved_with(slow_redis, 1)
    slow_redis.query("DEBUG POPULATE 400")
    with pytest.raises(DeadlinePassed):
        report_of(driver_of("redis", tmp_path, "pause", **slow_redis.options))
    assert slow_redis.can_write()
    wait_for_snapshot(slow_redis)


def test_what_redis_keeps_is_named_with_its_folders(processes: Processes, tmp_path: Path) -> None:
    settings = ("--appendonly", "yes", "--appenddirname", "own")
    server = databases.Redis(processes.logs / "folders", processes, settings=settings)
    server.up()
    before = connections_to(server)
    report = report_of(driver_of("redis", tmp_path, **server.options))
    assert connections_to(server) - before == len(("to ask", "to pause", "of this test"))
    server.stop()
    assert report.folders == (str(server.data), f"{server.data}/own")
    assert report.level == APPLICATION


def connections_to(server: databases.Redis) -> int:
    stats = server.query("INFO stats").splitlines()
    (told,) = (line for line in stats if line.startswith("total_connections_received:"))
    return int(told.partition(":")[2])


def test_writes_that_went_on_unseen_are_a_lost_hold(
    slow_redis: databases.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pause ends by the wall clock, which goes on while the machine stands still."""
    saved_with(slow_redis, 1)
    assert report_of(driver_of("redis", tmp_path, **slow_redis.options)).level == APPLICATION
    driver = driver_of("redis", tmp_path, **slow_redis.options)
    driver.prepare(Deadline.after(PREPARE_S))
    now = time.time
    with pytest.raises(SessionLost, match="too late"), driver.quiesce(Deadline.after(2)):
        monkeypatch.setattr(time, "time", lambda: now() + 3)
    assert slow_redis.can_write()


def test_a_sentinel_has_nothing_to_be_brought_to_rest(processes: Processes, tmp_path: Path) -> None:
    server = Sentinel(processes.logs / "sentinel", processes)
    server.up()
    report = report_of(driver_of("redis", tmp_path, port=str(server.port)))
    server.stop()
    assert (report.method, report.level) == ("none needed", APPLICATION)


class Sentinel(databases.Redis):
    def create(self) -> None:
        super().create()
        file = self.data / "sentinel.conf"
        file.write_text(f"port {self.port}\nsentinel monitor shop 127.0.0.1 6379 1\n")
        shutil.chown(file, self.user)

    @property
    def command(self) -> list[databases.Part]:
        place: list[databases.Part] = ["--unixsocket", self.socket, "--dir", self.data]
        return ["redis-server", self.data / "sentinel.conf", "--sentinel", *place]


def test_a_replica_that_cannot_be_paused_may_lack_its_last_moments(
    processes: Processes, tmp_path: Path
) -> None:
    settings = ("--appendonly", "yes", "--replicaof", "127.0.0.1 1")
    server = databases.Redis(processes.logs / "replica", processes, settings=settings)
    server.up()
    report = report_of(driver_of("redis", tmp_path, **server.options))
    server.query("CONFIG SET appendfsync always")
    always = report_of(driver_of("redis", tmp_path, **server.options))
    server.stop()
    assert report.level == CRASH
    assert "a replica" in report.warnings[0]
    assert (always.level, always.warnings) == (APPLICATION, ())


def test_redis_is_reached_by_ipv6(processes: Processes, tmp_path: Path) -> None:
    server = databases.Redis(processes.logs / "ipv6", processes)
    server.settings = ("--bind", "::1", "--port", str(server.port), "--appendonly", "yes")
    server.up()
    report = report_of(driver_of("redis", tmp_path, host="::1", port=str(server.port)))
    server.stop()
    assert report.level == APPLICATION


def test_who_answers_nonsense_is_left_out_if_he_was_only_found() -> None:
    section = Section("redis:main", "redis")
    assert section.can_be_left_out(Senseless("redis:main", "INFO", "its answer makes no sense"))
    assert not section.can_be_left_out(Refused("redis:main", "BGSAVE", "no"))
