"""Versions of servers that Debian does not have."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Report
from stillpoint_guest.drivers.postgresql.driver import PostgreSQL
from stillpoint_guest.drivers.redis.driver import Redis
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.cluster.processes import Processes
from tests.guest import databases, maven

BACKUPS = ("wal_level=replica",)  # the default since 10


def report_of(driver: Driver, server: databases.Server) -> Report:
    """Of a freeze in which it takes writes."""
    driver.prepare(Deadline.after(20))
    with driver.quiesce(Deadline.after(10)) as report:
        assert server.can_write(10)
    assert server.can_write(10)
    return report


@pytest.fixture(params=maven.POSTGRESQL)
def postgresql(
    request: pytest.FixtureRequest, processes: Processes
) -> Iterator[databases.PackedPostgres]:
    version: str = request.param
    folder = processes.logs / f"pg-{version}"
    server = databases.PackedPostgres(folder, processes, version=version, settings=BACKUPS)
    server.up()
    yield server
    server.stop()
    shutil.rmtree(folder)
    shutil.rmtree(server.programs.parent)


def test_postgresql_comes_to_rest_in_every_way(
    postgresql: databases.PackedPostgres, tmp_path: Path
) -> None:
    found = [
        each for each in PostgreSQL.discover() if each.options.get("port") == str(postgresql.port)
    ]
    assert [each.options["host"] for each in found] == [str(postgresql.folder)]
    for method in ("checkpoint", "backup"):
        section = Section("db", "postgresql", method=method, options=dict(found[0].options))
        report = report_of(PostgreSQL(section, UndoJournal(str(tmp_path), section)), postgresql)
        assert report.position["system_identifier"]
        assert "/" in report.position["lsn"]
    assert "START WAL LOCATION: " in report.position["backup_label"]


def test_valkey_is_found_by_its_name(processes: Processes, tmp_path: Path) -> None:
    """Debian's Redis, called as Valkey is, of which there is no package: both speak the same."""
    folder = processes.logs / "valkey"
    server = NamedValkey(folder, processes)
    server.up()
    found = [each for each in Redis.discover() if each.options.get("socket") == str(server.socket)]
    section = Section(found[0].name, "redis", options=dict(found[0].options))
    driver = Redis(section, UndoJournal(str(tmp_path), section))
    driver.prepare(Deadline.after(10))
    with driver.quiesce(Deadline.after(5)) as report:
        assert not server.can_write(0.5)
    assert server.can_write()
    server.stop()
    assert report.method == "CLIENT PAUSE WRITE, BGSAVE"


class NamedValkey(databases.Redis):
    def create(self) -> None:
        super().create()
        (self.folder / "valkey-server").symlink_to("/usr/bin/redis-server")

    @property
    def command(self) -> list[databases.Part]:
        return [self.folder / "valkey-server", *super().command[1:]]
