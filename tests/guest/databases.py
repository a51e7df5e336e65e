"""Real database servers in folders of their own, as the unprivileged users of their packages.

Each listens on a socket in its folder, Redis and etcd on a port of 127.0.0.1 besides. A keeper
process ends them, also when the test run is killed. `prefix` goes before every command, to run it
somewhere else (a mount namespace).
"""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.processes import Process, Processes, free_ports
from tests.guest import maven

START_S = 180.0
POSTGRES_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class QueryError(Exception):
    """What the client said."""


Part = str | Path


def as_user(name: str) -> list[str]:
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"]


def output_of(command: Sequence[Part], timeout_s: float = START_S) -> str:
    """What a command prints.

    Raises:
        QueryError: it failed, or took longer.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            cwd="/",
        )
    except subprocess.TimeoutExpired as error:
        raise QueryError(f"{command[0]}: nothing in {timeout_s} s") from error
    if done.returncode:
        raise QueryError(done.stderr + done.stdout)
    return done.stdout


@dataclass
class Server:
    """One server; its data is in `folder / "data"`."""

    folder: Path
    processes: Processes
    prefix: Sequence[str] = ()
    seen: Callable[[Path], Path] = Path  # where this machine sees a path of that place
    settings: Sequence[str] = ()
    process: Process | None = None
    port: int = field(default_factory=lambda: free_ports(1)[0])

    user = "root"
    kind = ""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def options(self) -> Mapping[str, str]:
        """What a section of the configuration says about it."""
        raise NotImplementedError

    def create(self) -> None:
        """Its folder; a subclass fills it."""
        self.seen(self.data).mkdir(parents=True, exist_ok=True)
        for path in (self.folder, self.data):
            shutil.chown(self.seen(path), self.user, self.user)

    @property
    def command(self) -> Sequence[Part]:
        raise NotImplementedError

    def query(self, statement: str, timeout_s: float = 20) -> str:
        """The answer, without what clients put around it."""
        raise NotImplementedError

    def write(self, timeout_s: float = 20) -> None:
        """One write that is acknowledged.

        Raises:
            QueryError: it is not, in time.
        """
        raise NotImplementedError

    def make_writable(self) -> None:
        """Whatever `write` needs."""

    def start(self) -> None:
        started = [*self.prefix, *as_user(self.user), *self.command]
        name = f"{self.kind}-{self.folder.name}"
        self.process = self.processes.start(name, started, folder=Path("/"))
        self.processes.wait(self.process, self.answers, "answering", START_S)

    def up(self) -> None:
        self.create()
        self.start()
        self.make_writable()

    def stop(self) -> None:
        if self.process:
            self.processes.stop(self.process)
            self.process = None

    def signal(self, number: signal.Signals) -> None:
        """To its main process: SIGSTOP for a server that hangs."""
        assert self.process
        os.kill(self.process.number, number)

    def answers(self) -> bool:
        try:
            self.query(self.probe, timeout_s=5)
        except QueryError:
            return False
        return True

    probe = "SELECT 1"

    def can_write(self, timeout_s: float = 2) -> bool:
        try:
            self.write(timeout_s)
        except QueryError:
            return False
        return True

    def wait_until_writable(self, timeout_s: float = 20) -> float:
        """Seconds until a write is acknowledged.

        Raises:
            QueryError: it is not, in time.
        """
        begin = time.monotonic()
        self.write(timeout_s)
        return time.monotonic() - begin


class Postgres(Server):
    kind = "postgresql"
    user = "postgres"
    unbuffered: Sequence[str] = ()

    @property
    def programs(self) -> Path:
        return POSTGRES_PROGRAMS[-1]

    @property
    def options(self) -> Mapping[str, str]:
        return {"host": str(self.folder), "port": str(self.port)}

    @property
    def command(self) -> Sequence[Part]:
        settings = (f"unix_socket_directories={self.folder}", f"port={self.port}", *self.settings)
        arguments = [part for each in settings for part in ("-c", each)]
        return [self.programs / "postgres", "-D", self.data, *arguments]

    def create(self) -> None:
        super().create()
        program = self.programs / "initdb"
        arguments: list[Part] = ["-D", self.data, "-N", "--auth=peer", "--data-checksums"]
        output_of([*self.prefix, *as_user(self.user), program, *arguments])
        with self.seen(self.data / "postgresql.conf").open("a") as file:
            file.write("listen_addresses = ''\nmax_connections = 20\nshared_buffers = 64MB\n")

    def client(self, *arguments: str) -> list[str]:
        place = ["-h", str(self.folder), "-p", str(self.port), "-d", "postgres"]
        return [*self.prefix, *as_user(self.user), "psql", "-XqAt", *place, *arguments]

    def query(self, statement: str, timeout_s: float = 20) -> str:
        return output_of(self.client("-v", "ON_ERROR_STOP=1", "-c", statement), timeout_s).strip()

    def make_writable(self) -> None:
        self.query("CREATE TABLE probe (n int)")

    def write(self, timeout_s: float = 20) -> None:
        self.query("INSERT INTO probe VALUES (1)", timeout_s)


@dataclass
class PackedPostgres(Postgres):
    """One of a version that Debian does not have."""

    version: str = ""

    @property
    def programs(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-program") / "bin"

    def create(self) -> None:
        package = maven.POSTGRESQL[self.version]
        shutil.copytree(maven.root(package), self.seen(self.programs.parent))  # see MySQL
        super().create()


class MySQLFamily(Server):
    """Its temporary files, named by process id, lie in its own folder: labs share /tmp."""

    user = "mysql"
    unbuffered = ("--unbuffered",)

    @property
    def socket(self) -> Path:
        return self.folder / "server.sock"

    @property
    def options(self) -> Mapping[str, str]:
        return {"socket": str(self.socket)}

    @property
    def arguments(self) -> list[str]:
        return [
            "--no-defaults",
            f"--datadir={self.data}",
            f"--tmpdir={self.folder}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-networking",
            "--innodb-buffer-pool-size=64M",
            "--log-bin=binary",
            "--server-id=1",
            *self.settings,
        ]

    def client(self, *arguments: str) -> list[str]:
        place = ["--no-defaults", f"--socket={self.socket}", "-uroot"]
        return [*self.prefix, "mariadb", *place, "-NB", *arguments]

    def query(self, statement: str, timeout_s: float = 20) -> str:
        return output_of(self.client("-e", statement), timeout_s).strip()

    def make_writable(self) -> None:
        self.query("CREATE DATABASE shop; CREATE TABLE shop.probe (n int) ENGINE=InnoDB")

    def write(self, timeout_s: float = 20) -> None:
        self.query("INSERT INTO shop.probe VALUES (1)", timeout_s)


class MariaDB(MySQLFamily):
    kind = "mariadb"

    @property
    def command(self) -> Sequence[Part]:
        return ["mariadbd", *self.arguments]

    def create(self) -> None:
        super().create()
        places = [f"--datadir={self.data}", f"--tmpdir={self.folder}"]
        root = ["--skip-test-db", "--auth-root-authentication-method=socket"]
        fill = ["mariadb-install-db", "--no-defaults", *places, "--user=mysql", *root]
        output_of([*self.prefix, *as_user(self.user), *fill])


class MySQL(MySQLFamily):
    kind = "mysql"

    @property
    def program(self) -> Path:
        """A folder of root's: what its own account could change is no program to be trusted."""
        return self.folder.with_name(f"{self.folder.name}-program")

    @property
    def arguments(self) -> list[str]:
        return [
            *super().arguments,
            f"--basedir={self.program}",
            f"--lc-messages-dir={self.program / 'share'}",
            "--mysqlx=OFF",
        ]

    @property
    def command(self) -> Sequence[Part]:
        return [self.program / "bin/mysqld", *self.arguments]

    def create(self) -> None:
        super().create()
        shutil.copytree(
            maven.root(maven.MYSQL), self.seen(self.program)
        )  # the cache is root's alone
        output_of([*self.prefix, *as_user(self.user), *self.command, "--initialize-insecure"])


class Redis(Server):
    kind = "redis"
    user = "redis"
    probe = "PING"

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def options(self) -> Mapping[str, str]:
        return {"socket": str(self.socket)}

    @property
    def command(self) -> Sequence[Part]:
        place: list[Part] = ["--port", "0", "--unixsocket", self.socket, "--dir", self.data]
        settings = self.settings or ("--save", "3600 1", "--appendonly", "no")
        return ["redis-server", *place, *settings]

    def query(self, statement: str, timeout_s: float = 20) -> str:
        client: list[Part] = [*self.prefix, "redis-cli", "-e", "-s", self.socket]
        return output_of([*client, *statement.split()], timeout_s).strip()

    def write(self, timeout_s: float = 20) -> None:
        self.query("INCR probe", timeout_s)


class Etcd(Server):
    kind = "etcd"
    user = "etcd"
    probe = "maintenance/status {}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> Mapping[str, str]:
        return {"url": self.url}

    @property
    def command(self) -> Sequence[Part]:
        peer = f"http://127.0.0.1:{free_ports(1)[0]}"
        urls = ["--listen-client-urls", self.url, "--advertise-client-urls", self.url]
        peers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        cluster = ["--initial-cluster", f"default={peer}"]
        return ["etcd", "--data-dir", self.data, *urls, *peers, *cluster]

    def query(self, statement: str, timeout_s: float = 20) -> str:
        """`PATH JSON`, by the gateway: its command line client is another package."""
        path, _, content = statement.partition(" ")
        try:
            with contextlib.closing(self.connection(timeout_s)) as connection:
                connection.request("POST", f"/v3/{path}", content)
                return connection.getresponse().read().decode()
        except OSError as error:
            raise QueryError(str(error)) from error

    def write(self, timeout_s: float = 20) -> None:
        self.query('kv/put {"key": "cHJvYmU=", "value": "MQ=="}', timeout_s)

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def value(self, key: str) -> str:
        """The value of a key; "" without one."""
        encoded = base64.b64encode(key.encode()).decode()
        found = json.loads(self.query(f'kv/range {{"key": "{encoded}"}}')).get("kvs", ())
        return base64.b64decode(found[0]["value"]).decode() if found else ""
