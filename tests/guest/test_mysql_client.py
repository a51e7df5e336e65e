"""As whom the client of MariaDB and MySQL runs, to whom it speaks, and what it may be answered."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Report
from stillpoint_guest.drivers.mysql_family.mariadb import MariaDB
from stillpoint_guest.drivers.mysql_family.server import MySQLServer
from stillpoint_guest.errors import CommandFailed, ConfigurationError, Senseless, Unreachable
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.program import UNPRIVILEGED
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.cluster.processes import Processes, free_ports
from tests.guest import databases, hostile
from tests.guest.cases.case import KINDS, secret
from tests.guest.hostile import MySQLPeer, Rows

STATE = "SELECT VERSION()"
GOOD: Mapping[str, Rows | bytes] = {
    STATE: [["10.11.6-MariaDB", "7", "1", "0"]],
    "SELECT ID": [],
    "SELECT ENGINE": [],
    "SHOW GLOBAL VARIABLES": [["datadir", "/var/lib/nowhere"]],
    "SHOW MASTER STATUS": [["binlog.1", "4"]],
    "SELECT @@GLOBAL.gtid": [["0-1-1"]],
    "SELECT @@GLOBAL.innodb": [["1"]],
}


Make = Callable[..., MySQLServer]


@pytest.fixture
def driver_of(tmp_path: Path) -> Iterator[Make]:
    """Makes drivers, of a kind and with options; their clients end with the test."""
    made = []

    def make(kind: str, **options: str) -> MySQLServer:
        section = Section(f"{kind}:main", kind, options=options, prepare_s=30, lock_s=20)
        driver = KINDS[kind](section, UndoJournal(str(tmp_path), section))
        assert isinstance(driver, MySQLServer)
        made.append(driver)
        return driver

    yield make
    for driver in made:
        driver.commands.close()


def cycle(driver: MySQLServer) -> Report:
    driver.prepare(Deadline.after(30))
    with driver.quiesce(Deadline.after(20)) as report:
        return report


@pytest.fixture(scope="module")
def mariadb(processes: Processes) -> Iterator[databases.MariaDB]:
    """As Debian's package makes it: root and mysql are let in by who they are."""
    server = databases.MariaDB(processes.logs / "own-mariadb", processes)
    server.up()
    yield server
    server.stop()


@pytest.fixture
def peer() -> Iterator[tuple[MySQLPeer, Path]]:
    """A server of ours, that is root's, so that its client is as much as it ever is."""
    path = Path("/run/stillpoint-test-peer.sock")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    speaking = MySQLPeer(dict(GOOD))
    with hostile.served(listener, speaking):
        yield speaking, path
    path.unlink()


def identity(driver: MySQLServer) -> Mapping[str, str]:
    """Of the client that it holds, as the kernel has it."""
    [client] = driver.commands._started
    told = Path(f"/proc/{client.pid}/status").read_text()
    fields = (line.split() for line in told.splitlines())
    return {key.strip(":"): value for key, value, *_ in (field for field in fields if field[1:])}


def test_a_found_mariadb_is_asked_as_the_user_that_runs_it(
    mariadb: databases.MariaDB, driver_of: Make
) -> None:
    driver = driver_of("mariadb", **mariadb.options)
    driver.prepare(Deadline.after(30))
    told = identity(driver)
    with driver.quiesce(Deadline.after(20)) as report:
        assert not mariadb.can_write(0.7)
    assert report.level == APPLICATION
    assert mariadb.can_write(20)
    assert told["Uid"] == str(mariadb.socket.stat().st_uid)
    assert set(told["CapPrm"]) == {"0"}


@pytest.mark.parametrize(
    "change", ["DROP USER mysql@localhost", "REVOKE ALL, GRANT OPTION FROM mysql@localhost"]
)
def test_where_that_user_is_not_enough_it_is_root_without_a_capability(
    mariadb: databases.MariaDB, driver_of: Make, change: str
) -> None:
    mariadb.query(change)
    try:
        driver = driver_of("mariadb", **mariadb.options)
        driver.prepare(Deadline.after(30))
        told = identity(driver)
        with driver.quiesce(Deadline.after(20)):
            assert not mariadb.can_write(0.7)
    finally:
        account = "mysql@localhost IDENTIFIED VIA unix_socket WITH GRANT OPTION"
        mariadb.query(f"GRANT ALL ON *.* TO {account}")
    assert told["Uid"] == "0"
    assert {*told["CapPrm"], *told["CapEff"], *told["CapBnd"], *told["CapInh"]} == {"0"}
    assert told["NoNewPrivs"] == "1"


RUN = """
from stillpoint_guest.processes.command import Commands
from stillpoint_guest.processes.program import Program
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import CommandFailed
for user in ("60991", "0"):
    try:
        print(*Commands("x").run(Program(["id", "-u"], user), Deadline.after(10)).lines)
    except CommandFailed:
        print("not started")
"""


def test_root_is_not_without_a_capability_only_in_name() -> None:
    """Of a holder that may not give capabilities away, no client is root's."""
    unable = ["setpriv", "--bounding-set=-setpcap", "--inh-caps=-all", sys.executable, "-c", RUN]
    told = subprocess.check_output(unable, text=True, cwd=Path(__file__).parents[2])
    assert told.splitlines() == ["60991", "not started"]


def test_a_client_reads_and_runs_nothing_for_its_server(
    mariadb: databases.MariaDB, tmp_path: Path, driver_of: Make
) -> None:
    file = tmp_path / "secret"
    file.write_text("root's alone\n")
    mariadb.query("CREATE TABLE IF NOT EXISTS shop.lines (line TEXT)")
    mariadb.query("SET GLOBAL local_infile = 1")
    driver = driver_of("mariadb", **mariadb.options, user="root")
    driver.prepare(Deadline.after(30))
    loading = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE shop.lines;"
    for statement in (loading, f"\\! touch {tmp_path}/made"):
        with pytest.raises(CommandFailed):
            driver.ask(statement, Deadline.after(20))
    assert mariadb.query("SELECT COUNT(*) FROM shop.lines") == "0"
    assert not (tmp_path / "made").exists()


def test_a_file_that_a_server_asks_for_is_not_sent(
    peer: tuple[MySQLPeer, Path], tmp_path: Path, driver_of: Make
) -> None:
    speaking, path = peer
    file = secret(tmp_path, "root's alone")
    speaking.answers = {**GOOD, STATE: b"\xfb" + file.encode()}  # LOCAL INFILE, unasked
    with pytest.raises(Unreachable):
        driver_of("mariadb", socket=str(path)).prepare(Deadline.after(30))
    assert speaking.heard
    assert b"root's alone" not in b"".join(speaking.heard)


WRONG: Mapping[str, Mapping[str, Rows | bytes]] = {
    "a connection that is a statement": {
        STATE: [
            ["10.11.6-MariaDB", "1; LOAD DATA LOCAL INFILE '/etc/shadow' INTO TABLE t", "1", "0"]
        ]
    },
    "a version that is none": {STATE: [["x", "1", "1", "0"]]},
    "a durability that is none": {STATE: [["10.11.6-MariaDB", "1", "0, x = 1", "0"]]},
    "no row": {STATE: []},
    "two rows": {STATE: [["10.11.6-MariaDB", "1", "1", "0"]] * 2},
    "fewer columns": {STATE: [["10.11.6-MariaDB", "1", "1"]]},
    "more columns": {STATE: [["10.11.6-MariaDB", "1", "1", "0", "0"]]},
    "nothing": {STATE: MySQLPeer.DONE},
    "statements without columns": {"SELECT ID": [["1"]]},
    "a statement of no time": {"SELECT ID": [["1", "x", "u", "d", "INSERT"]]},
    "engines that are none": {"SELECT ENGINE": [["A B;", "1", "t"]]},
    "engines without a number": {"SELECT ENGINE": [["MyISAM", "many", "t"]]},
    "rows in memory without a number": {
        "SELECT ENGINE": [["MEMORY", "1", "d.t"]],
        "SELECT COUNT": [["all", "d.t"]],
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_none_is_an_error_of_ours(
    peer: tuple[MySQLPeer, Path], driver_of: Make, name: str
) -> None:
    speaking, path = peer
    speaking.answers = {**GOOD, **WRONG[name]}
    driver = driver_of("mariadb", socket=str(path))
    with pytest.raises(Senseless) as caught:
        cycle(driver)
    assert driver.section.can_be_left_out(caught.value)
    assert len(str(caught.value)) < 600
    assert not [each for each in speaking.heard if b"LOAD DATA" in each]


def test_a_peer_whose_answers_are_right_is_brought_to_rest(
    peer: tuple[MySQLPeer, Path], driver_of: Make
) -> None:
    """The neighbour in which nothing is wrong: so it was the answer, and not the peer."""
    speaking, path = peer
    driver = driver_of("mariadb", socket=str(path))
    driver.prepare(Deadline.after(30))
    with driver.quiesce(Deadline.after(20)) as report:
        assert report.position == {"gtid": "0-1-1", "binary_log": "binlog.1:4"}
    assert b"\x03BACKUP STAGE BLOCK_COMMIT" in [each.rstrip(b";") for each in speaking.heard]


@pytest.mark.parametrize("by", ["port", "socket"])
def test_no_client_is_started_for_a_strangers_server(
    tmp_path: Path, driver_of: Make, by: str
) -> None:
    """Of a configured one that is down: its password is not told to who is there instead."""
    folder = Path("/run/stillpoint-test-stranger")
    folder.mkdir()
    shutil.chown(folder, "nobody")
    try:
        where = str(free_ports(1)[0]) if by == "port" else f"{folder}/server.sock"
        place = {"host": "127.0.0.1", "port": where} if by == "port" else {"socket": where}
        with hostile.listener("nobody", where) as heard:
            driver = driver_of("mariadb", **place, password_file=secret(tmp_path, "word"))
            begin = time.monotonic()
            with pytest.raises(Unreachable, match=r"user nobody listens|belongs to user"):
                driver.prepare(Deadline.after(30))
            assert time.monotonic() - begin < 20
            assert heard() == []
        assert driver.commands._started == []
    finally:
        shutil.rmtree(folder)


def test_a_password_by_tcp_is_told_by_nobody_else(
    processes: Processes, tmp_path: Path, driver_of: Make
) -> None:
    server = databases.MariaDB(processes.logs / "tcp-mariadb", processes)
    server.settings = ("--skip-networking=0", "--bind-address=127.0.0.1", f"--port={server.port}")
    server.up()
    try:
        server.query("GRANT ALL ON *.* TO keeper@'%' IDENTIFIED BY 'word'")
        place = {"host": "127.0.0.1", "port": str(server.port), "user": "keeper"}
        driver = driver_of("mariadb", **place, password_file=secret(tmp_path, "word"))
        driver.prepare(Deadline.after(30))
        told = identity(driver)
        with driver.quiesce(Deadline.after(20)) as report:
            assert not server.can_write(0.7)
        assert report.level == APPLICATION
        assert told["Uid"] == UNPRIVILEGED
    finally:
        server.stop()


def test_an_option_file_is_roots_and_the_only_one(
    mariadb: databases.MariaDB, tmp_path: Path, driver_of: Make
) -> None:
    file = tmp_path / "client.cnf"
    file.write_text(f"[client]\nsocket = {mariadb.socket}\nuser = root\n")
    driver = driver_of("mariadb", defaults_file=str(file))
    assert driver.instance == str(mariadb.socket)
    driver.prepare(Deadline.after(30))
    [client] = driver.commands._started
    assert isinstance(client.args, list)
    assert str(client.args[1]).startswith("--defaults-file=/dev/fd/")
    with driver.quiesce(Deadline.after(20)):
        pass
    shutil.chown(file, "nobody")
    with pytest.raises(ConfigurationError, match="belongs to user"):
        driver_of("mariadb", defaults_file=str(file))
    shutil.chown(file, 0)
    file.write_text("[client]\npassword = x\n")
    with pytest.raises(ConfigurationError, match="others can read it too"):
        driver_of("mariadb", defaults_file=str(file))


def test_all_folders_of_a_server_are_named(mariadb: databases.MariaDB, driver_of: Make) -> None:
    moved = mariadb.folder / "moved"
    mariadb.query("CREATE DATABASE archive; CREATE TABLE archive.old (n INT)")
    mariadb.query("FLUSH TABLES")
    shutil.move(mariadb.data / "archive", moved)
    (mariadb.data / "archive").symlink_to(moved)
    driver = driver_of("mariadb", **mariadb.options)
    driver.prepare(Deadline.after(30))
    with driver.quiesce(Deadline.after(20)) as report:
        assert {str(mariadb.data), str(moved)} <= set(report.folders)


def test_messages_of_another_language_are_errors_too(
    processes: Processes, tmp_path: Path, driver_of: Make
) -> None:
    server = databases.MariaDB(processes.logs / "german", processes)
    server.settings = ("--lc-messages=de_DE",)
    server.up()
    try:
        server.query("CREATE USER weak@localhost IDENTIFIED BY 'word'")
        place = {**server.options, "user": "weak", "password_file": secret(tmp_path, "word")}
        driver = driver_of("mariadb", **place)
        with pytest.raises(CommandFailed, match="RELOAD"):
            driver.prepare(Deadline.after(30))
        with pytest.raises(CommandFailed, match="FLUSH"):
            driver.prepare(Deadline.after(30))
    finally:
        server.stop()


@pytest.mark.parametrize(("enabled", "level"), [("OFF", CRASH), ("ON", APPLICATION)])
def test_mysql_without_a_redo_log_is_no_good_copy(
    peer: tuple[MySQLPeer, Path], driver_of: Make, enabled: str, level: str
) -> None:
    """Scripted: no server at hand is of 8.0.21 or newer."""
    speaking, path = peer
    status: Mapping[str, Rows] = {
        STATE: [["8.0.36", "7", "1", "1"]],
        "SHOW GLOBAL STATUS": [["Innodb_redo_log_enabled", enabled]],
    }
    speaking.answers = {**GOOD, **status}
    report = cycle(driver_of("mysql", socket=str(path)))
    assert (report.method, report.level) == ("LOCK INSTANCE FOR BACKUP", level)
    assert ("redo log is disabled" in "".join(report.warnings)) == (level == CRASH)


def test_a_section_without_a_socket_is_the_server_of_the_package(driver_of: Make) -> None:
    driver = driver_of("mariadb")
    assert isinstance(driver, MariaDB)
    assert driver.instance in ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")
