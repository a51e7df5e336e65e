"""Fixtures: every database server once for the whole session, started side by side."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.processes import Processes
from tests.guest import databases
from tests.guest.cases.case import PASSWORD, Case
from tests.guest.cases.scripted import PEERS, peer
from tests.guest.cases.servers import DATABASES, Servers
from tests.guest.lab.inside import STATE, configure
from tests.guest.lab.lab import Lab


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """Their folder can be reached by every user, which pytest's own cannot."""
    folder = Path(tempfile.mkdtemp(prefix="stillpoint-guest-"))
    folder.chmod(0o755)
    processes = Processes(folder, [folder])
    try:
        yield processes
    finally:
        processes.close()


@pytest.fixture(scope="session")
def servers(processes: Processes) -> Servers:
    def at(name: str) -> Path:
        return processes.logs / name

    servers = Servers(
        databases.Postgres(at("pg"), processes),
        databases.MariaDB(at("mariadb"), processes),
        databases.MySQL(at("mysql"), processes),
        databases.Redis(at("redis"), processes),
        databases.Etcd(at("etcd"), processes),
        databases.Postgres(at("pg2"), processes),
        databases.Redis(at("aof"), processes, settings=("--appendonly", "yes", "--save", "")),
    )
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(server.up) for server in vars(servers).values()]
        for one in started:
            one.result()
    add_accounts(servers)
    return servers


def add_accounts(servers: Servers) -> None:
    """`keeper` everywhere has a password, and few rights; `pauser` of Redis may not save."""
    quoted = PASSWORD.replace("\\", "\\\\")
    hba = servers.postgresql.data / "pg_hba.conf"
    hba.write_text(f"local all keeper scram-sha-256\n{hba.read_text()}")
    servers.postgresql.query(f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'")
    servers.postgresql.query("SELECT pg_reload_conf()")
    for server in (servers.mariadb, servers.mysql):
        server.query(f"CREATE USER keeper@localhost IDENTIFIED BY '{quoted}'")
        server.query("GRANT ALL ON *.* TO keeper@localhost")
    word = PASSWORD.replace(" ", "-")
    for rule in (f"keeper on >{word} ~* +@all", f"pauser on >{word} ~* +@all -bgsave"):
        servers.redis.query(f"ACL SETUSER {rule}")


@pytest.fixture(params=[*DATABASES, *PEERS])
def case(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    """Each driver, with an application that runs."""
    name: str = request.param
    if name not in PEERS:
        yield DATABASES[name](request.getfixturevalue("servers"), tmp_path)
        return
    with peer(name, monkeypatch) as case:
        yield case


@pytest.fixture(scope="module")
def started() -> Iterator[Lab]:
    with Lab({STATE: "ext4", "/data/a": "ext4", "/data/b": "xfs", "/data/c": "btrfs"}) as lab:
        yield lab


@pytest.fixture
def lab(started: Lab) -> Iterator[Lab]:
    """One lab for a file of tests, configured to bring nothing to rest, and thawed after each."""
    configure(started)
    yield started
    started.thaw()
    started.guest("thaw")
