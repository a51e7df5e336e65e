"""The cases with real database servers."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.guest import databases
from tests.guest.cases.case import PASSWORD, Case, secret


@dataclass
class DatabaseCase(Case):
    server: databases.Server | None = None

    @property
    def database(self) -> databases.Server:
        assert self.server
        return self.server

    def runs(self, timeout_s: float = 10) -> bool:
        return self.database.can_write(timeout_s)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """By options that lead to where nobody listens; it goes on for the other tests."""
        saved = self.options
        self.options = {**saved, **self.nowhere}
        try:
            yield
        finally:
            self.options = saved

    @property
    def nowhere(self) -> Mapping[str, str]:
        return {"socket": f"{self.database.folder}/nobody.sock"}

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        self.database.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.database.signal(signal.SIGCONT)


@dataclass
class PostgresCase(DatabaseCase):
    @property
    def nowhere(self) -> Mapping[str, str]:
        return {"port": "1"}

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Backends of connections that are there would go on: the checkpointer too."""
        assert self.database.process
        family = children(self.database.process.number)
        for number in family:
            send(number, signal.SIGSTOP)
        try:
            yield
        finally:
            for number in family:
                send(number, signal.SIGCONT)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        """A role that may neither checkpoint nor back up."""
        yield {"user": "keeper", "password_file": self.password}

    password: str = ""

    def wrong_password(self, folder: Path) -> Mapping[str, str] | None:
        return {"user": "keeper", "password_file": secret(folder, "wrong " + PASSWORD)}


@dataclass
class MySQLCase(DatabaseCase):
    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        """Somebody has the table locked, so that the lock waits until its time is over."""
        with held_statement(self.database, "LOCK TABLES shop.probe WRITE"):
            yield {}

    def wrong_password(self, folder: Path) -> Mapping[str, str] | None:
        return {"user": "keeper", "password_file": secret(folder, "wrong " + PASSWORD)}


@dataclass
class MySQLInstanceCase(MySQLCase):
    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        """A change of a definition has begun, and waits for somebody who reads."""
        assert isinstance(self.database, databases.MySQL)
        waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting%'"
        change = self.database.client("-e", "ALTER TABLE shop.probe COMMENT 'changed'")
        with held_statement(self.database, "LOCK TABLES shop.probe READ"):
            changing = subprocess.Popen(change, cwd="/")
            while self.database.query(waiting) == "0":
                time.sleep(0.02)
            yield {}
        changing.wait(20)


@dataclass
class RedisCase(DatabaseCase):
    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        """A user who may pause and not save."""
        yield {"user": "pauser", "password_file": self.password}

    password: str = ""

    def wrong_password(self, folder: Path) -> Mapping[str, str] | None:
        return {"user": "keeper", "password_file": secret(folder, "wrong " + PASSWORD)}


@dataclass
class EtcdCase(DatabaseCase):
    @property
    def nowhere(self) -> Mapping[str, str]:
        return {"url": "http://127.0.0.1:1"}

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        """It cannot refuse; one that is not there is as near as it gets."""
        yield self.nowhere


@contextlib.contextmanager
def held_statement(server: databases.Server, statement: str) -> Iterator[None]:
    """A session that executes it and stays, until the end of the block."""
    assert isinstance(server, databases.MySQLFamily | databases.Postgres)
    command = server.client(*server.unbuffered)
    client = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    assert client.stdin
    assert client.stdout
    try:
        client.stdin.write(f"{statement};\nSELECT 'there';\n")
        client.stdin.flush()
        assert client.stdout.readline() == "there\n"
        yield
    finally:
        client.kill()
        client.communicate()


def children(number: int) -> list[int]:
    """A process and all below it."""
    path = Path(f"/proc/{number}/task/{number}/children")
    return [number, *(each for child in path.read_text().split() for each in children(int(child)))]


def send(number: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, which)


@dataclass
class Servers:
    postgresql: databases.Postgres
    mariadb: databases.MariaDB
    mysql: databases.MySQL
    redis: databases.Redis
    etcd: databases.Etcd
    second_postgresql: databases.Postgres
    append_only_redis: databases.Redis


def _postgresql(servers: Servers, folder: Path, method: str = "", has_client: bool = False) -> Case:
    return PostgresCase(
        "15/main",
        "postgresql",
        servers.postgresql.options,
        "No such file or directory",
        method=method,
        has_client=has_client,
        server=servers.postgresql,
        password=secret(folder, PASSWORD),
    )


def _mysql(
    kind: type[MySQLCase],
    server: databases.MySQLFamily,
    method: str = "",
    stops_writes: bool = False,
) -> Case:
    return kind(
        "main",
        server.kind,
        server.options,
        "No such file or directory",
        method=method,
        stops_writes=stops_writes,
        has_client=True,
        server=server,
    )


def _redis(server: databases.Redis, folder: Path, stops_writes: bool = False) -> Case:
    return RedisCase(
        "main",
        "redis",
        server.options,
        "No such file or directory",
        stops_writes=stops_writes,
        server=server,
        password=secret(folder, PASSWORD.replace(" ", "-")),
    )


# By names that begin with the driver's.
DATABASES: Mapping[str, Callable[[Servers, Path], Case]] = {
    "postgresql": _postgresql,
    "postgresql in backup mode": lambda servers, folder: _postgresql(
        servers, folder, method="backup", has_client=True
    ),
    "mariadb": lambda servers, _: _mysql(MySQLCase, servers.mariadb, stops_writes=True),
    "mariadb with a read lock": lambda servers, _: _mysql(
        MySQLCase, servers.mariadb, method="ftwrl", stops_writes=True
    ),
    "mysql": lambda servers, _: _mysql(MySQLInstanceCase, servers.mysql),
    "mysql with a read lock": lambda servers, _: _mysql(
        MySQLCase, servers.mysql, method="ftwrl", stops_writes=True
    ),
    "redis": lambda servers, folder: _redis(servers.redis, folder, stops_writes=True),
    "redis with an append-only file": lambda servers, folder: _redis(
        servers.append_only_redis, folder, stops_writes=True
    ),
    "etcd": lambda servers, _: EtcdCase(
        "main", "etcd", servers.etcd.options, "nobody does", server=servers.etcd
    ),
}
