"""What each database asks of its driver beyond the contract, with real servers."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Driver, Report
from stillpoint_guest.drivers.mysql_family import server as mysql_server
from stillpoint_guest.drivers.mysql_family.answers import DURABILITY
from stillpoint_guest.drivers.postgresql.driver import PostgreSQL
from stillpoint_guest.drivers.redis.driver import Redis
from stillpoint_guest.errors import DeadlinePassed, Refused
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.program import ENVIRONMENT
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest import databases
from tests.guest.cases.case import KINDS
from tests.guest.cases.servers import Servers, held_statement
from tests.guest.lab.inside import until

REPOSITORY = Path(__file__).parents[2]
WAITING = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for %lock'"
LONG_READS = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(60)'"


def driver_of(server: databases.Server, folder: Path, method: str = "", **options: str) -> Driver:
    written = {**server.options, **options}
    section = Section(f"{server.kind}:main", server.kind, method=method, options=written)
    return KINDS[server.kind](section, UndoJournal(str(folder), section))


def report_of(driver: Driver, prepare_s: float = 10) -> Report:
    driver.prepare(Deadline.after(prepare_s))
    with driver.quiesce(Deadline.after(3)) as report:
        return report


def test_every_cluster_of_postgresql_is_found_with_its_port(servers: Servers) -> None:
    found = {each.options.get("port"): each for each in PostgreSQL.discover()}
    for server in (servers.postgresql, servers.second_postgresql):
        assert found[str(server.port)].options["host"] == str(server.folder)
        assert found[str(server.port)].unsafe == ""


def test_unlogged_tables_of_every_database_are_named(servers: Servers, tmp_path: Path) -> None:
    server = servers.second_postgresql
    server.query('CREATE DATABASE "it\'s"')
    in_it = [*server.client(), "-d", "it's", "-c", 'CREATE UNLOGGED TABLE "Cache" (n int)']
    databases.output_of(in_it)
    warnings = report_of(driver_of(server, tmp_path)).warnings
    assert warnings == ('unlogged table it\'s.public."Cache" comes back empty',)


def test_a_checkpoint_that_takes_too_long_is_cancelled(servers: Servers, tmp_path: Path) -> None:
    server = servers.second_postgresql
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
    checkpointer = int(server.query(query))
    os.kill(checkpointer, signal.SIGSTOP)
    try:
        report = report_of(driver_of(server, tmp_path), prepare_s=6)
        active = "SELECT COUNT(*) FROM pg_stat_activity WHERE query = 'CHECKPOINT;'"
        until(lambda: server.query(active) == "0", "it is cancelled")
    finally:
        os.kill(checkpointer, signal.SIGCONT)
    assert "checkpoint not done" in " ".join(report.warnings)


def test_a_standby_of_postgresql_comes_to_rest(servers: Servers, tmp_path: Path) -> None:
    primary = servers.second_postgresql
    standby = databases.Postgres(primary.folder.with_name("standby"), primary.processes)
    databases.Server.create(standby)
    place: list[databases.Part] = [
        "-h",
        primary.folder,
        "-p",
        str(primary.port),
        "-D",
        standby.data,
    ]
    command = ["pg_basebackup", *place, "-R", "--checkpoint=fast", "--no-sync"]
    standby.data.rmdir()
    databases.output_of([*databases.as_user("postgres"), *command])
    standby.start()
    try:
        report = report_of(driver_of(standby, tmp_path))
    finally:
        standby.stop()
    assert "starts as a standby" in report.guarantees[0]
    assert report.position["system_identifier"]


def test_volumes_cut_at_different_moments_start_with_the_label_of_backup_mode(
    servers: Servers, tmp_path: Path
) -> None:
    server = servers.second_postgresql
    server.query("CREATE TABLE kept AS SELECT 1 AS n")
    copy = databases.Postgres(server.folder.with_name("copy"), server.processes)
    databases.Server.create(copy)
    driver = driver_of(server, tmp_path, "backup")
    driver.prepare(Deadline.after(10))
    with driver.quiesce(Deadline.after(5)) as report:
        ignored = shutil.ignore_patterns("postmaster.*", "pg_wal")
        shutil.copytree(server.data, copy.data, ignore=ignored, dirs_exist_ok=True)
        server.query("INSERT INTO kept SELECT generate_series(2, 5000); CHECKPOINT")
    shutil.copytree(server.data / "pg_wal", copy.data / "pg_wal")
    (copy.data / "backup_label").write_text(report.position["backup_label"])
    databases.output_of(["chown", "-R", "postgres:", copy.data])
    copy.data.chmod(0o700)
    copy.start()
    try:
        assert copy.query("SELECT COUNT(*) FROM kept") == "5000"
    finally:
        copy.stop()


def durability(server: databases.Server) -> str:
    return server.query(f"SELECT @@GLOBAL.{DURABILITY}")


@pytest.mark.parametrize("name", ["mariadb", "mysql"])
def test_relaxed_durability_is_tightened_and_put_back(
    servers: Servers, tmp_path: Path, name: str
) -> None:
    server: databases.Server = getattr(servers, name)
    server.query(f"SET GLOBAL {DURABILITY} = 0")
    driver = driver_of(server, tmp_path)
    driver.prepare(Deadline.after(10))
    with driver.quiesce(Deadline.after(3)):
        assert durability(server) == "1"
    assert durability(server) == "0"
    assert driver.journal.read() is None


def test_relaxed_durability_is_put_back_by_the_holder_after_one_that_died(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 11."""
    server = servers.mariadb
    server.query(f"SET GLOBAL {DURABILITY} = 2")
    driver = driver_of(server, tmp_path)
    monkeypatch.setenv("STILLPOINT_TEST_PATH", ENVIRONMENT["PATH"])
    arguments = [json.dumps(driver.section._asdict()), str(tmp_path)]
    holder = subprocess.Popen(
        [sys.executable, "-B", "-m", "tests.guest.held_driver", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.communicate()
    assert durability(server) == "1"
    noted = driver.journal.read()
    assert noted
    driver.reconcile(noted, Deadline.after(10))
    assert durability(server) == "2"
    server.query(f"SET GLOBAL {DURABILITY} = 0")
    driver.reconcile(noted, Deadline.after(10))
    assert durability(server) == "0", "somebody has set it meanwhile"
    server.query(f"SET GLOBAL {DURABILITY} = 1")


@pytest.mark.parametrize(
    ("name", "method"), [("mariadb", "stage"), ("mariadb", "ftwrl"), ("mysql", "ftwrl")]
)
def test_a_lock_that_waits_is_ended_in_the_server(
    servers: Servers, tmp_path: Path, name: str, method: str
) -> None:
    """Hazard 9: nobody waits behind it longer than it had time."""
    server: databases.MySQLFamily = getattr(servers, name)
    driver = driver_of(server, tmp_path, method)
    driver.prepare(Deadline.after(10))
    killed = "SHOW GLOBAL STATUS LIKE 'Com_kill'"
    before = server.query(killed)
    with held_statement(server, "LOCK TABLES shop.probe WRITE"):
        with pytest.raises(DeadlinePassed), driver.quiesce(Deadline.after(1.5)):
            pass
        assert server.query(WAITING) == "0"
        assert server.query(killed) != before, "it would have waited on, for a second or for ever"
        server.query("CREATE TABLE shop.other (n int); DROP TABLE shop.other", timeout_s=5)


@pytest.mark.parametrize("name", ["mariadb", "mysql"])
def test_a_read_lock_is_refused_behind_a_long_statement(
    servers: Servers, tmp_path: Path, name: str
) -> None:
    server: databases.MySQLFamily = getattr(servers, name)
    driver = driver_of(server, tmp_path, "ftwrl", long_statement_s="1")
    driver.prepare(Deadline.after(10))
    with long_read(server):
        refused = pytest.raises(Refused, match=r"\(root, \) has run SELECT for \d+ s")
        with refused, driver.quiesce(Deadline.after(2)):
            pass
        assert server.can_write(20)


def test_a_backup_stage_is_not_held_up_by_a_long_read(servers: Servers, tmp_path: Path) -> None:
    driver = driver_of(servers.mariadb, tmp_path, "stage", long_statement_s="1")
    with long_read(servers.mariadb):
        assert "BLOCK_COMMIT" in report_of(driver).method


@contextlib.contextmanager
def long_read(server: databases.MySQLFamily) -> Iterator[None]:
    """Ended in the server, which would go on with it for seconds after its client was killed."""
    command = server.client("-e", "SELECT SLEEP(60)")
    client = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL)
    try:
        until(lambda: server.query(f"{LONG_READS} AND TIME >= 1") != "", "it reads for a second")
        yield
    finally:
        for number in server.query(LONG_READS).split():
            server.query(f"KILL {number}")
        client.kill()
        client.wait()


def test_tables_in_memory_are_named(servers: Servers, tmp_path: Path) -> None:
    """Those that hold rows; one without any has nothing to lose."""
    server = servers.mariadb
    server.query("CREATE TABLE shop.session (n INT) ENGINE=MEMORY")
    empty = report_of(driver_of(server, tmp_path))
    server.query("INSERT INTO shop.session VALUES (1)")
    report = report_of(driver_of(server, tmp_path))
    server.query("DROP TABLE shop.session")
    assert (empty.warnings, empty.level) == ((), APPLICATION)
    text = "1 tables with ENGINE=MEMORY hold rows and come back empty, shop.session among them"
    assert (report.warnings, report.level) == ((text,), CRASH)


def test_tables_are_looked_at_with_the_patience_that_a_slow_client_takes(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a guest whose processor is emulated."""
    monkeypatch.setattr(mysql_server, "_SURVEY_S", 0.5)
    with tempfile.TemporaryDirectory() as folder:
        client = Path(folder) / "mariadb"
        client.write_text('#!/bin/sh\nsleep 1\nexec mariadb "$@"\n')
        for each in (client, client.parent):
            each.chmod(0o755)
        driver = driver_of(servers.mariadb, tmp_path, client=str(client))
        report = report_of(driver, prepare_s=60)
    assert (report.warnings, report.level) == ((), APPLICATION)


def test_mysql_is_read_locked_only_if_a_table_is_not_of_innodb(
    servers: Servers, tmp_path: Path
) -> None:
    server = servers.mysql
    assert report_of(driver_of(server, tmp_path)).method == "LOCK INSTANCE FOR BACKUP"
    server.query("CREATE TABLE shop.old (n INT) ENGINE=MyISAM")
    try:
        assert report_of(driver_of(server, tmp_path)).method == "FLUSH TABLES WITH READ LOCK"
    finally:
        server.query("DROP TABLE shop.old")


def test_mariadb_and_mysql_are_told_apart(servers: Servers) -> None:
    """Others may run on this machine."""
    ours = (servers.mariadb.options, servers.mysql.options)
    for kind, server in (("mariadb", servers.mariadb), ("mysql", servers.mysql)):
        found = [each.options for each in KINDS[kind].discover() if each.options in ours]
        assert found == [server.options]


def test_a_pause_of_redis_lasts_as_long_as_the_hold(servers: Servers, tmp_path: Path) -> None:
    """Longer than one request for a pause, which is what ends by itself."""
    driver = driver_of(servers.redis, tmp_path)
    driver.prepare(Deadline.after(10))
    with driver.quiesce(Deadline.after(5)):
        time.sleep(3)
        assert not servers.redis.can_write(0.5)
    assert servers.redis.can_write()


@pytest.mark.parametrize(
    ("settings", "method", "level"),
    [
        (("--save", ""), "none", CRASH),
        (("--appendonly", "yes"), "CLIENT PAUSE WRITE, append-only file", APPLICATION),
        (("--appendonly", "yes", "--appendfsync", "always"), "append-only file", APPLICATION),
    ],
)
def test_redis_is_brought_to_rest_by_what_it_keeps(
    servers: Servers, tmp_path: Path, settings: tuple[str, ...], method: str, level: str
) -> None:
    folder = servers.redis.folder.with_name(f"redis-{'-'.join(settings).strip('-')}")
    server = databases.Redis(folder, servers.redis.processes, settings=settings)
    server.up()
    report = report_of(driver_of(server, tmp_path))
    server.stop()
    assert (report.method, report.level) == (method, level)


def test_a_server_in_a_container_is_named_and_left_alone(servers: Servers) -> None:
    """Its own PID namespace is what a container has."""
    folder = servers.redis.folder.with_name("contained")
    inside = ("unshare", "--pid", "--fork", "--kill-child")
    server = databases.Redis(folder, servers.redis.processes, prefix=inside)
    server.up()
    found: Mapping[str, str] = {each.name: each.unsafe for each in Redis.discover()}
    server.stop()
    assert "container" in found["redis@redis"]
    assert found[f"redis:{servers.redis.socket}"] == ""
