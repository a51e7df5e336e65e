"""PostgreSQL among people who name and configure what is theirs, and what its level tells.

Real servers. `app` may make databases and, in `shop` and `postgres`, anything in schema public.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Report
from stillpoint_guest.drivers.postgresql import survey
from stillpoint_guest.drivers.postgresql.client import PostgreSQLClient
from stillpoint_guest.drivers.postgresql.driver import PostgreSQL
from stillpoint_guest.errors import CommandFailed, Unreachable
from stillpoint_guest.options.section import Section
from stillpoint_guest.printable import printable
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.cluster.processes import Processes, free_ports
from tests.guest import databases
from tests.guest.hostile import answering, listener
from tests.guest.lab.inside import until

LONG_S = 60.0
NAMES = (
    "it's",
    "back\\slash",
    "new\nline",
    'double"quote',
    "postgres://thief@localhost:1/postgres",
    "host=/tmp port=1 user=thief",
    "dbname='postgres' host='/tmp'",
    "`touch {proof}`",
    "\\! touch {proof}",
    "x|y|z",
    "-c",
    "stillpoint 1 done",
    "\u3041' `touch {proof}` ",
    "\x1b[31mred\x07",
)
# Whatever a statement of a superuser's could resolve to instead of what it means.
SHADOWS = (
    "quote_ident(name)",
    "format(text, name, name)",
    "encode(bytea, text)",
    "replace(text, text, text)",
    "current_setting(text)",
    "pg_is_in_recovery()",
    "pg_ls_dir(text, boolean, boolean)",
    "pg_relation_filepath(regclass)",
    "set_config(text, text, boolean)",
    "pg_current_wal_insert_lsn()",
)
FUNCTION = """CREATE FUNCTION public.{} RETURNS {} LANGUAGE plpgsql AS $$ BEGIN
  BEGIN ALTER ROLE app SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN {}; END $$"""
OPERATORS = (
    ("=", "name", "text"),
    ("~", "name", "text"),
    ("~", "text", "text"),
    ("||", "text", "text"),
)


@pytest.fixture(scope="module")
def server(processes: Processes) -> Iterator[databases.Postgres]:
    server = databases.Postgres(processes.logs / "pg-hostile", processes)
    server.up()
    ask(server, "CREATE ROLE app LOGIN CREATEDB", "CREATE DATABASE shop OWNER app")
    yield server
    server.stop()
    shutil.rmtree(server.folder)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may be busy; that time is short is tried where it matters."""
    monkeypatch.setattr(survey, "_DATABASE_S", LONG_S)


def ask(server: databases.Postgres, *statements: str, database: str = "postgres") -> str:
    words = [word for each in statements for word in ("-c", each)]
    quoted = database.replace("\\", "\\\\").replace("'", "\\'")
    place = ["-v", "ON_ERROR_STOP=1", "-d", f"dbname='{quoted}'"]
    return databases.output_of([*server.client(), *place, *words]).strip()


def quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def driver_of(
    server: databases.Postgres, folder: Path, method: str = "", **options: str
) -> PostgreSQL:
    section = Section(
        "postgresql:main", "postgresql", method=method, options={**server.options, **options}
    )
    return PostgreSQL(section, UndoJournal(str(folder), section))


def report_of(driver: PostgreSQL, prepare_s: float = LONG_S) -> Report:
    try:
        driver.prepare(Deadline.after(prepare_s))
        with driver.quiesce(Deadline.after(20)) as report:
            return report
    finally:
        driver.commands.close()


@contextlib.contextmanager
def dropped(server: databases.Postgres, *names: str) -> Iterator[None]:
    try:
        yield
    finally:
        for name in names:
            ask(server, f"DROP DATABASE {quoted(name)} WITH (FORCE)")


@contextlib.contextmanager
def configured(server: databases.Postgres, setting: str, value: str) -> Iterator[None]:
    """A setting of the whole server."""
    try:
        ask(server, f"ALTER SYSTEM SET {setting} = '{value}'", "SELECT pg_reload_conf()")
        until(lambda: ask(server, f"SHOW {setting}") == value, setting)
        yield
    finally:
        ask(server, f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")


def test_the_name_of_a_database_is_a_name(server: databases.Postgres, tmp_path: Path) -> None:
    place = server.folder.with_name("proofs")
    place.mkdir()
    place.chmod(0o777)
    names = [name.format(proof=place / "proof") for name in NAMES]
    try:
        with dropped(server, *names):
            for name in names:
                ask(server, "SET ROLE app", f"CREATE DATABASE {quoted(name)}")
                ask(server, f"ALTER DATABASE {quoted(name)} SET client_encoding = 'SJIS'")
                ask(server, "CREATE UNLOGGED TABLE t AS SELECT 1 AS n", database=name)
            report = report_of(driver_of(server, tmp_path))
        assert not list(place.iterdir())
    finally:
        shutil.rmtree(place)
    expected = {
        f"unlogged table {printable(name, 200)}.public.t comes back empty" for name in names
    }
    assert set(report.warnings) == expected
    assert report.level == CRASH


def test_a_name_in_another_encoding_is_a_name(server: databases.Postgres, tmp_path: Path) -> None:
    """Its bytes are no letters in ours: whoever made it must not keep us from the others."""
    latin = "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    ask(server, latin)
    with dropped(server, "latin", "after"):
        named = [*server.client(), "-d", "latin", "-v", "ON_ERROR_STOP=1"]
        broken = 'CREATE DATABASE "\u00e9" TEMPLATE template0'.encode("latin-1")
        encoded = b"SET client_encoding = 'LATIN1';\n" + broken + b";\n"
        subprocess.run(named, input=encoded, check=True, cwd="/")
        ask(server, "CREATE DATABASE after")
        ask(server, "CREATE UNLOGGED TABLE t AS SELECT 1 AS n", database="after")
        try:
            report = report_of(driver_of(server, tmp_path))
        finally:
            statement = b"SET client_encoding = 'LATIN1';\nDROP DATABASE \"\xe9\";\n"
            subprocess.run(named, input=statement, check=True, cwd="/")
    assert report.warnings == ("unlogged table after.public.t comes back empty",)


def test_nobodys_function_or_operator_is_called(server: databases.Postgres, tmp_path: Path) -> None:
    shadows = [FUNCTION.format(each, "text", "'0/0'") for each in SHADOWS]
    for number, (operator, left, right) in enumerate(OPERATORS):
        shadows.append(FUNCTION.format(f"op{number}({left}, {right})", "boolean", "true"))
        parts = f"LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = public.op{number}"
        shadows.append(f"CREATE OPERATOR public.{operator} ({parts})")
    theirs = [
        f"ALTER DATABASE {each} SET search_path = public, pg_catalog"
        for each in ("shop", "postgres")
    ]
    ask(server, "GRANT CREATE ON SCHEMA public TO app", *theirs)
    ask(
        server,
        "GRANT CREATE ON SCHEMA public TO app",
        "CREATE UNLOGGED TABLE cache AS SELECT 1 AS n",
        database="shop",
    )
    try:
        for database in ("shop", "postgres"):
            ask(server, "SET ROLE app", *shadows, database=database)
        assert ask(server, "SET ROLE app", "SELECT 'a'::name = 'b'::text") == "t"  # theirs is taken
        for method in ("checkpoint", "backup"):
            report = report_of(driver_of(server, tmp_path, method))
            assert report.warnings == ("unlogged table shop.public.cache comes back empty",)
        listed = "SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper ORDER BY 1"
        assert ask(server, "SET search_path = pg_catalog", listed) == "postgres"
    finally:
        for database in ("shop", "postgres"):
            reset = f"ALTER DATABASE {database} RESET search_path"
            ask(
                server,
                reset,
                "SET search_path = pg_catalog",
                "DROP OWNED BY app",
                database=database,
            )
        ask(server, "DROP TABLE cache", database="shop")


def test_settings_of_a_database_do_not_hide_it(server: databases.Postgres, tmp_path: Path) -> None:
    settings = (
        "standard_conforming_strings = off",
        "statement_timeout = 1",
        "client_encoding = 'SJIS'",
        "client_min_messages = debug5",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on",
        "quote_all_identifiers = on",
        "bytea_output = 'escape'",
    )
    ask(server, "CREATE DATABASE odd OWNER app")
    with dropped(server, "odd"):
        ask(server, "CREATE UNLOGGED TABLE t AS SELECT 1 AS n", database="odd")
        ask(server, *(f"ALTER DATABASE odd SET {each}" for each in settings))
        report = report_of(driver_of(server, tmp_path))
    assert report.warnings == ('unlogged table odd."public"."t" comes back empty',)


def test_a_database_that_cannot_be_looked_at_counts_as_lost(
    server: databases.Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(server, "CREATE DATABASE closed")
    with dropped(server, "closed"):
        ask(server, "CREATE UNLOGGED TABLE t AS SELECT 1 AS n", database="closed")
        ask(server, "ALTER DATABASE closed ALLOW_CONNECTIONS false")
        report = report_of(driver_of(server, tmp_path))
        assert report.warnings == (
            "unlogged tables of database closed come back empty: it lets nobody in",
        )
        assert report.level == CRASH
        monkeypatch.setattr(survey, "_MOST_DATABASES", 0)
        report = report_of(driver_of(server, tmp_path))
        assert report.warnings == ("unlogged tables of 1 more databases come back empty",)
        assert report.level == CRASH


@pytest.mark.parametrize("method", ["checkpoint", "backup"])
def test_a_server_that_ends_idle_sessions_is_held(
    server: databases.Postgres, tmp_path: Path, method: str
) -> None:
    driver = driver_of(server, tmp_path, method)
    with configured(server, "idle_session_timeout", "300ms"):
        driver.prepare(Deadline.after(LONG_S))
        time.sleep(1)
        with driver.quiesce(Deadline.after(20)) as report:
            time.sleep(1)
    assert report.level == APPLICATION


def test_whose_index_is_locked_delays_nobody_for_long(
    server: databases.Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of a database can keep everybody out of it; a superuser, too."""
    monkeypatch.setattr(survey, "_DATABASE_S", 1.0)
    with dropped(server, "slow", "other"):
        for name in ("slow", "other"):
            ask(server, f"CREATE DATABASE {name} OWNER app")
            ask(server, "CREATE UNLOGGED TABLE t AS SELECT 1 AS n", database=name)
        command = [*server.client(), "-d", "slow"]
        holding = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        try:
            assert holding.stdin
            assert holding.stdout
            holding.stdin.write("BEGIN; REINDEX TABLE pg_class;\nSELECT 'there';\n")
            holding.stdin.flush()
            assert holding.stdout.readline() == "there\n"
            report = report_of(driver_of(server, tmp_path))
        finally:
            holding.communicate()
    assert "unlogged table other.public.t comes back empty" in report.warnings
    assert any("database slow" in each for each in report.warnings)


def slow_client(folder: Path, seconds: float) -> str:
    """As in a guest whose processor is emulated."""
    client = folder / "slow-psql"
    client.write_text(f'#!/bin/sh\nsleep {seconds}\nexec psql "$@"\n')
    client.chmod(0o755)
    return str(client)


def test_a_slow_guest_has_its_level_as_long_as_there_is_time(
    server: databases.Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a quick one gets for all of its databases, and for one."""
    monkeypatch.setattr(survey, "_DATABASE_S", 1.0)
    client = slow_client(server.folder, 2.3)
    with dropped(server, "slow"):
        ask(server, "CREATE DATABASE slow OWNER app")
        ask(server, "CREATE UNLOGGED TABLE t (n int)", database="slow")
        report = report_of(driver_of(server, tmp_path, client=client))
        late = report_of(driver_of(server, tmp_path, client=client), prepare_s=6)
    assert (report.level, report.warnings) == (
        APPLICATION,
        ("unlogged table slow.public.t comes back empty",),
    )
    assert late.level == CRASH
    assert "were not looked for" in late.warnings[0]


def test_two_hundred_databases_are_looked_at_as_fast_as_one(
    server: databases.Postgres, tmp_path: Path
) -> None:
    """Their rows only, without files: to have 200 takes minutes and 1.5 GB."""
    more = """INSERT INTO pg_database SELECT (jsonb_populate_record(d, jsonb_build_object(
        'oid', 900000 + n, 'datname', 'ordinary' || n))).*
      FROM pg_database d, generate_series(1, 200) n WHERE datname = 'shop'"""
    sessions = "SELECT sum(sessions) FROM pg_stat_database"
    ask(server, "CREATE DATABASE last")
    try:
        with dropped(server, "last"):
            ask(server, "CREATE UNLOGGED TABLE t AS SELECT 1 AS n", database="last")
            ask(server, more)
            before = int(ask(server, sessions))
            report = report_of(driver_of(server, tmp_path))
            assert int(ask(server, sessions)) - before < 10
    finally:
        ask(server, "DELETE FROM pg_database WHERE datname LIKE 'ordinary%'")
    assert report.warnings == ("unlogged table last.public.t comes back empty",)


LATE = (
    "ALTER ROLE app SET synchronous_commit = 'OFF'",
    "ALTER DATABASE shop SET synchronous_commit = false",
)
IN_TIME = (
    "ALTER ROLE app SET synchronous_commit = 'local'",
    "ALTER DATABASE shop SET synchronous_commit = on",
)


@pytest.mark.parametrize("statement", LATE + IN_TIME)
def test_late_commits_of_a_role_or_database_lower_the_level(
    server: databases.Postgres, tmp_path: Path, statement: str
) -> None:
    ask(server, statement)
    try:
        report = report_of(driver_of(server, tmp_path))
    finally:
        ask(server, f"{statement.partition(' SET ')[0]} RESET synchronous_commit")
    assert report.level == (CRASH if statement in LATE else APPLICATION)
    assert bool(report.warnings) == (statement in LATE)


@pytest.mark.parametrize("setting", ["synchronous_commit", "fsync", "full_page_writes"])
def test_a_server_that_may_lose_something_is_no_application(
    server: databases.Postgres, tmp_path: Path, setting: str
) -> None:
    with configured(server, setting, "off"):
        report = report_of(driver_of(server, tmp_path))
        findings = driver_of(server, tmp_path).check(Deadline.after(LONG_S))
    assert report.level == CRASH
    assert [each.partition(" ")[0] for each in report.warnings] == [setting]
    assert [each.text for each in findings if not each.is_good] == list(report.warnings)
    assert report_of(driver_of(server, tmp_path)).level == APPLICATION


DOZEN = """DO $$ BEGIN FOR n IN 1..12 LOOP
  EXECUTE 'CREATE UNLOGGED TABLE t' || n || ' AS SELECT 1 AS n'; END LOOP; END $$"""
FILLINGS = {
    "CREATE UNLOGGED TABLE t (n int)": (1, APPLICATION),
    "CREATE UNLOGGED TABLE t AS SELECT 1 AS n": (1, CRASH),
    "CREATE UNLOGGED TABLE t AS SELECT 1 AS n; TRUNCATE t": (1, APPLICATION),
    "CREATE UNLOGGED TABLE t AS SELECT 1 AS n; ALTER TABLE t SET LOGGED": (0, APPLICATION),
    "CREATE UNLOGGED TABLE t (n serial primary key)": (1, APPLICATION),
    "CREATE UNLOGGED TABLE t (n serial primary key); SELECT nextval('t_n_seq')": (2, CRASH),
    "CREATE UNLOGGED SEQUENCE s": (0, APPLICATION),
    "CREATE UNLOGGED SEQUENCE s; SELECT nextval('s')": (1, CRASH),
    "CREATE TEMP TABLE t AS SELECT 1 AS n": (0, APPLICATION),
    "CREATE TABLE t AS SELECT 1 AS n": (0, APPLICATION),
    "CREATE UNLOGGED TABLE t TABLESPACE elsewhere AS SELECT 1 AS n": (1, CRASH),
    DOZEN: (11, CRASH),
}


@pytest.mark.parametrize("filling", FILLINGS)
def test_unlogged_tables_that_hold_rows_lower_the_level(
    server: databases.Postgres, tmp_path: Path, filling: str
) -> None:
    elsewhere = server.folder / "elsewhere"
    elsewhere.mkdir()
    shutil.chown(elsewhere, "postgres", "postgres")
    ask(server, f"CREATE TABLESPACE elsewhere LOCATION '{elsewhere}'", "CREATE DATABASE filled")
    command = [*server.client("-v", "ON_ERROR_STOP=1"), "-d", "filled"]
    filler = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        assert filler.stdin
        assert filler.stdout
        filler.stdin.write(f"{filling}\n;\nSELECT 'done';\n")
        filler.stdin.flush()
        while filler.stdout.readline() != "done\n":
            assert filler.poll() is None
        report = report_of(driver_of(server, tmp_path))
    finally:
        filler.communicate()
        ask(server, "DROP DATABASE filled WITH (FORCE)", "DROP TABLESPACE elsewhere")
        elsewhere.rmdir()
    assert (len(report.warnings), report.level) == FILLINGS[filling]
    assert set(report.folders) == {str(server.data), str(elsewhere)}


def test_the_log_behind_a_link_is_one_of_its_folders(
    server: databases.Postgres, tmp_path: Path
) -> None:
    server.stop()
    log = server.folder / "log"
    shutil.move(server.data / "pg_wal", log)
    (server.data / "pg_wal").symlink_to(log)
    server.start()
    assert report_of(driver_of(server, tmp_path)).folders == (str(server.data), str(log))


def test_a_password_is_for_one_role_at_one_place(
    server: databases.Postgres, tmp_path: Path
) -> None:
    """With every letter that libpq's file has a meaning for."""
    path = tmp_path / "password"
    path.write_text("pass:w\\ord*'\n")
    path.chmod(0o600)
    role = 'ro:l"e\\*'
    ask(server, f"CREATE ROLE {quoted(role)} SUPERUSER LOGIN PASSWORD 'pass:w\\ord*'''")
    hba = server.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"local all {quoted(role)} scram-sha-256\n{before}")
    ask(server, "SELECT pg_reload_conf()")
    try:
        options = {"user": role, "password_file": str(path)}
        assert report_of(driver_of(server, tmp_path, **options)).level == APPLICATION
        ask(server, "CREATE ROLE other SUPERUSER LOGIN PASSWORD 'pass:w\\ord*'''")
        section = Section("x", "postgresql", options={**server.options, **options})
        content = PostgreSQLClient(section)._password_file(b"secret")
    finally:
        hba.write_text(before)
        ask(
            server,
            "SELECT pg_reload_conf()",
            f"DROP ROLE {quoted(role)}",
            "DROP ROLE IF EXISTS other",
        )
    place = f"{server.folder}:{server.port}"
    assert content.decode().splitlines() == [
        f'{place}:*:ro\\:l"e\\\\\\*:secret',
        f'localhost:{server.port}:*:ro\\:l"e\\\\\\*:secret',
    ]


def test_an_answer_that_is_none_is_an_error(tmp_path: Path) -> None:
    """A listener of root's, which counts as right, and says what no server would."""

    ready = b"Z\0\0\0\5I"
    column = b"T\0\0\0\x1a\0\1x\0" + bytes(4) + b"\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
    row = b"D\0\0\0\x15\0\1\0\0\0\x0b0/1; DROP x" + b"C\0\0\0\x0dSELECT 1\0"

    def say(peer: socket.socket) -> None:
        peer.sendall(b"N")  # no encryption
        peer.recv(4096)
        peer.sendall(b"R\0\0\0\x08\0\0\0\0" + ready)
        while peer.recv(4096):
            peer.sendall(column + row + ready)

    with answering(say) as port:
        section = Section("x", "postgresql", options={"host": "127.0.0.1", "port": str(port)})
        driver = PostgreSQL(section, UndoJournal(str(tmp_path), section))
        with pytest.raises(Unreachable, match="makes no sense: '0/1; DROP x'"):
            driver.prepare(Deadline.after(20))
        driver.commands.close()


def test_no_client_runs_as_root_for_what_was_found(
    server: databases.Postgres, tmp_path: Path
) -> None:
    assert server.process
    for process, user in (
        (os.getpid(), "root"),
        (server.process.number, "root"),
        (server.process.number, "nobody"),
    ):
        options = {**server.options, "system_user": user}
        section = Section("x", "postgresql", options=options, process=process)
        driver = PostgreSQL(section, UndoJournal(str(tmp_path), section))
        with pytest.raises(Unreachable):
            driver.prepare(Deadline.after(20))
        assert driver.commands._started == []


def test_the_client_beside_the_server_is_taken_if_it_is_roots(
    server: databases.Postgres, tmp_path: Path
) -> None:
    assert server.process
    section = Section(
        "x", "postgresql", options=dict(server.options), process=server.process.number
    )
    assert PostgreSQLClient(section)._program() == str(databases.POSTGRES_PROGRAMS[-1] / "psql")
    report = report_of(PostgreSQL(section, UndoJournal(str(tmp_path), section)))
    assert report.level == APPLICATION


def test_a_section_may_name_another_account_for_the_client(
    server: databases.Postgres, tmp_path: Path
) -> None:
    """Its process is known then, too; only what nobody has configured has to be its own."""
    assert server.process
    ident = server.data / "pg_ident.conf"
    hba = server.data / "pg_hba.conf"
    before = hba.read_text()
    ident.write_text("backups root postgres\n")
    hba.write_text(f"local all all peer map=backups\n{before}")
    os.kill(server.process.number, signal.SIGHUP)
    options = {**server.options, "system_user": "root", "user": "postgres"}
    process = server.process.number
    section = Section("x", "postgresql", options=options, process=process, source="a file")
    try:
        until(lambda: bool(report_or_nothing(section, tmp_path)), "let in")
    finally:
        hba.write_text(before)
        os.kill(process, signal.SIGHUP)
        until(server.answers, "as before")


def report_or_nothing(section: Section, folder: Path) -> Report | None:
    try:
        return report_of(PostgreSQL(section, UndoJournal(str(folder), section)))
    except Unreachable:  # it has not read its files yet
        return None


@pytest.fixture
def standby(server: databases.Postgres) -> Iterator[databases.Postgres]:
    standby = databases.Postgres(server.folder.with_name("pg-standby"), server.processes)
    databases.Server.create(standby)
    standby.data.rmdir()
    place: list[databases.Part] = ["-h", server.folder, "-p", str(server.port), "-D", standby.data]
    command = ["pg_basebackup", *place, "-R", "--checkpoint=fast", "--no-sync"]
    databases.output_of([*databases.as_user("postgres"), *command])
    standby.start()
    yield standby
    standby.stop()
    shutil.rmtree(standby.folder)


def test_a_standby_in_backup_mode_is_a_copy_with_its_label(
    server: databases.Postgres, standby: databases.Postgres, tmp_path: Path
) -> None:
    server.query("CREATE TABLE kept AS SELECT 1 AS n")
    copy = databases.Postgres(server.folder.with_name("pg-copy"), server.processes)
    databases.Server.create(copy)
    until(lambda: bool(standby.query("SELECT to_regclass('kept')")), "replayed")
    driver = driver_of(standby, tmp_path, "backup")
    driver.prepare(Deadline.after(LONG_S))
    ignored = shutil.ignore_patterns("postmaster.*", "pg_wal", "pg_control")
    with driver.quiesce(Deadline.after(20)) as report:
        shutil.copytree(standby.data, copy.data, ignore=ignored, dirs_exist_ok=True)
        server.query("INSERT INTO kept SELECT generate_series(2, 5000)")
        until(lambda: standby.query("SELECT COUNT(*) FROM kept") == "5000", "replayed")
        standby.query("CHECKPOINT")
        shutil.copy(standby.data / "global/pg_control", copy.data / "global/pg_control")
    shutil.copytree(standby.data / "pg_wal", copy.data / "pg_wal")
    assert "BACKUP FROM: standby" in report.position["backup_label"]
    (copy.data / "backup_label").write_text(report.position["backup_label"])
    databases.output_of(["chown", "-R", "postgres:", copy.data])
    copy.data.chmod(0o700)
    copy.start()
    try:
        assert int(copy.query("SELECT COUNT(*) FROM kept")) >= 1
    finally:
        copy.stop()
        shutil.rmtree(copy.folder)
        server.query("DROP TABLE kept")


def test_a_standby_that_is_promoted_in_backup_mode_is_told(
    standby: databases.Postgres, tmp_path: Path
) -> None:
    driver = driver_of(standby, tmp_path, "backup")
    driver.prepare(Deadline.after(LONG_S))
    with (
        pytest.raises(CommandFailed, match="the standby was promoted during online backup"),
        driver.quiesce(Deadline.after(20)),
    ):
        standby.query("SELECT pg_promote()")
    assert standby.query("SELECT pg_is_in_recovery()") == "f"


@pytest.fixture(scope="module")
def german(processes: Processes) -> Iterator[databases.Postgres]:
    locales = processes.logs / "locales"
    locales.mkdir()
    make: list[databases.Part] = [
        "localedef",
        "-i",
        "de_DE",
        "-f",
        "UTF-8",
        locales / "de_DE.UTF-8",
    ]
    databases.output_of(make)
    prefix = ["env", f"LOCPATH={locales}"]
    settings = ("lc_messages=de_DE.UTF-8",)
    folder = processes.logs / "pg-german"
    server = databases.Postgres(folder, processes, prefix=prefix, settings=settings)
    server.up()
    assert "FEHLER" in said_by(server, "SELECT 1/0")
    yield server
    server.stop()
    shutil.rmtree(folder)


def said_by(server: databases.Postgres, statement: str) -> str:
    with pytest.raises(databases.QueryError) as caught:
        server.query(statement)
    return str(caught.value)


def test_a_slow_checkpoint_is_a_warning_in_every_language(
    german: databases.Postgres, tmp_path: Path
) -> None:
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
    checkpointer = int(german.query(query))
    os.kill(checkpointer, signal.SIGSTOP)
    try:
        report = report_of(driver_of(german, tmp_path), prepare_s=8)
    finally:
        os.kill(checkpointer, signal.SIGCONT)
    assert [each.partition(" in ")[0] for each in report.warnings] == ["checkpoint not done"]
    assert report.level == APPLICATION


@pytest.mark.parametrize("method", ["checkpoint", "backup"])
def test_a_refusal_is_one_in_every_language(
    german: databases.Postgres, tmp_path: Path, method: str
) -> None:
    german.query("CREATE ROLE plain LOGIN")
    hba = german.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"local all plain trust\n{before}")
    german.query("SELECT pg_reload_conf()")
    try:
        driver = driver_of(german, tmp_path, method, user="plain")
        with pytest.raises(CommandFailed, match="FEHLER:  42501: "):
            driver.prepare(Deadline.after(LONG_S))
    finally:
        hba.write_text(before)
        ask(german, "SELECT pg_reload_conf()", "DROP ROLE plain")


def test_who_listens_in_its_place_hears_nothing(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret\n")
    path.chmod(0o600)
    (port,) = free_ports(1)
    with listener("nobody", str(port)) as heard:
        options = {"host": "127.0.0.1", "port": str(port), "password_file": str(path)}
        section = Section("x", "postgresql", options=options)
        driver = PostgreSQL(section, UndoJournal(str(tmp_path), section))
        with pytest.raises(Unreachable, match="user nobody listens there"):
            driver.prepare(Deadline.after(20))
        assert heard() == []
    assert driver.commands._started == []
