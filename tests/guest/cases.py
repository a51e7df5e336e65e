"""One case for each driver: an application, and what the contract has to know about it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver
from guest_hooks.drivers import DRIVERS
from guest_hooks.note import Note
from guest_hooks.section import Section
from tests.guest import databases
from tests.guest.peers import HOOK, MONGOSH, SYSTEMCTL, Peer

PASSWORD = "correct horse: battery\\staple"
KINDS = {driver.KIND: driver for driver in DRIVERS}


@dataclass
class Case:
    """What is common; `down_says` is in the line about one that is not there."""

    name: str
    kind: str
    options: Mapping[str, str]
    down_says: str
    method: str = ""
    stops_writes: bool = False
    has_client: bool = False

    def section(self, **options: str) -> Section:
        return Section(
            f"{self.kind}:{self.name}",
            self.kind,
            lock_s=3,
            release_s=2,
            method=self.method,
            options={**self.options, **options},
        )

    def note(self, folder: Path) -> Note:
        return Note(str(folder), self.section())

    def driver(self, folder: Path, **options: str) -> Driver:
        return KINDS[self.kind](self.section(**options), self.note(folder))

    def runs(self, timeout_s: float = 10) -> bool:
        """Whether it takes a write within that time."""
        raise NotImplementedError

    def is_stopped(self) -> bool:
        """Whether a write waits."""
        return not self.runs(0.7)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        raise NotImplementedError

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        raise NotImplementedError

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        """`held` cannot succeed; yields options that the driver needs for it."""
        raise NotImplementedError

    def wrong_password(self, folder: Path) -> Mapping[str, str] | None:
        """Options with a password that is wrong; None for those that have none."""
        del folder
        return None


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


@dataclass
class PeerCase(Case):
    peer: Peer | None = None

    @property
    def there(self) -> Peer:
        assert self.peer
        return self.peer

    def runs(self, timeout_s: float = 10) -> bool:
        deadline = time.monotonic() + timeout_s
        while not self.there.runs:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    @contextlib.contextmanager
    def _with(self, **changes: bool) -> Iterator[Mapping[str, str]]:
        self.there.set(**changes)
        try:
            yield {}
        finally:
            self.there.set(**dict.fromkeys(changes, False))

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        with self._with(down=True):
            yield

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        with self._with(hangs=True):
            yield

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        with self._with(refuses=True) as options:
            yield options


@dataclass
class MongoCase(PeerCase):
    def wrong_password(self, folder: Path) -> Mapping[str, str] | None:
        return {"password_file": secret(folder, f"mongodb://keeper:wrong {PASSWORD}@localhost")}


@dataclass
class ScriptCase(PeerCase):
    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Its folder is gone."""
        saved = self.options
        self.options = {"path": f"{saved['path']}/nothing"}
        try:
            yield
        finally:
            self.options = saved


def cycle(driver: Driver, prepare_s: float = 10, lock_s: float = 3) -> None:
    """Freeze and thaw at once."""
    driver.prepare(Deadline.after(prepare_s))
    with driver.held(Deadline.after(lock_s)):
        pass


def secret(folder: Path, text: str) -> str:
    path = folder / "secret"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return str(path)


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


DATABASES: Mapping[str, Callable[[Servers, Path], Case]] = {
    "postgresql": lambda servers, folder: PostgresCase(
        "15/main",
        "postgresql",
        servers.postgresql.options,
        "No such file or directory",
        server=servers.postgresql,
        password=secret(folder, PASSWORD),
    ),
    "postgresql in backup mode": lambda servers, folder: PostgresCase(
        "15/main",
        "postgresql",
        servers.postgresql.options,
        "No such file or directory",
        method="backup",
        has_client=True,
        server=servers.postgresql,
        password=secret(folder, PASSWORD),
    ),
    "mariadb": lambda servers, _: MySQLCase(
        "main",
        "mariadb",
        servers.mariadb.options,
        "Can't connect to local server through socket",
        stops_writes=True,
        has_client=True,
        server=servers.mariadb,
    ),
    "mariadb with a read lock": lambda servers, _: MySQLCase(
        "main",
        "mariadb",
        servers.mariadb.options,
        "Can't connect to local server through socket",
        method="ftwrl",
        stops_writes=True,
        has_client=True,
        server=servers.mariadb,
    ),
    "mysql": lambda servers, _: MySQLInstanceCase(
        "main",
        "mysql",
        servers.mysql.options,
        "Can't connect to local server through socket",
        has_client=True,
        server=servers.mysql,
    ),
    "mysql with a read lock": lambda servers, _: MySQLCase(
        "main",
        "mysql",
        servers.mysql.options,
        "Can't connect to local server through socket",
        method="ftwrl",
        stops_writes=True,
        has_client=True,
        server=servers.mysql,
    ),
    "redis": lambda servers, folder: RedisCase(
        "main",
        "redis",
        servers.redis.options,
        "No such file or directory",
        stops_writes=True,
        server=servers.redis,
        password=secret(folder, PASSWORD.replace(" ", "-")),
    ),
    "redis with an append-only file": lambda servers, folder: RedisCase(
        "main",
        "redis",
        servers.append_only_redis.options,
        "No such file or directory",
        server=servers.append_only_redis,
        password=secret(folder, PASSWORD.replace(" ", "-")),
    ),
    "etcd": lambda servers, _: EtcdCase(
        "main", "etcd", servers.etcd.options, "Connection refused", server=servers.etcd
    ),
}


def _mongodb(folder: Path) -> Case:
    peer = Peer(folder, "mongosh", MONGOSH)
    said = "connect ECONNREFUSED"
    return MongoCase("main", "mongodb", {}, said, stops_writes=True, has_client=True, peer=peer)


def _unit(folder: Path, method: str) -> Case:
    peer = Peer(folder, "systemctl", SYSTEMCTL)
    options = {"unit": "shop.service"}
    said = "Failed to connect to bus"
    return PeerCase("main", "systemd", options, said, method, stops_writes=True, peer=peer)


def _scripts(folder: Path, method: str) -> Case:
    peer = Peer(folder, "10-dump", HOOK)
    options = {"path": str(folder)}
    said = "No such file or directory"
    return ScriptCase("main", "script", options, said, method, stops_writes=True, peer=peer)


PEERS: Mapping[str, Callable[[Path], Case]] = {
    "mongodb, its shell scripted": _mongodb,
    "unit stopped, systemctl scripted": lambda folder: _unit(folder, "stop"),
    "unit frozen, systemctl scripted": lambda folder: _unit(folder, "freeze"),
    "hooks of QEMU": lambda folder: _scripts(folder, "folder"),
    "hooks of VMware": lambda folder: _scripts(folder, "vmware"),
}
