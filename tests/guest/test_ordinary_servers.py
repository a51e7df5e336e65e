"""Servers as packages install them, nothing configured: a discovery that trusts nobody is red."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.processes import free_ports
from tests.guest.databases import POSTGRES_PROGRAMS, as_user
from tests.guest.lab.inside import configure, status, until
from tests.guest.lab.lab import Lab

VERSION = POSTGRES_PROGRAMS[-1].parent.name
PROGRAMS = str(POSTGRES_PROGRAMS[-1])
CLUSTERS = f"/var/lib/postgresql/{VERSION}"
RUN = "/run/postgresql"
EDB = "/opt/edb/as15/bin/edb-postgres"
LATIN_1 = os.fsdecode(b"/var/lib/postgresql/donn\xe9es")
OLD = "/opt/redis/bin/redis-server"
HIDING = 'mount -t tmpfs own "$0" && chmod 1777 "$0" && exec "$@"'


class Guest:
    """What runs in a lab, each started as its unit would; ended with the lab."""

    def __init__(self, lab: Lab, ended: contextlib.ExitStack) -> None:
        self.lab = lab
        self._ended = ended

    def start(self, account: str, *command: str, before: tuple[str, ...] = ()) -> None:
        words = self.lab.command(*before, *as_user(account), *command)
        nowhere = subprocess.DEVNULL
        process = subprocess.Popen(words, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        self._ended.callback(process.wait)

    def folder(self, path: str, account: str, mode: int = 0o755) -> str:
        seen = self.lab.path(path)
        seen.mkdir(parents=True, exist_ok=True)
        shutil.chown(seen, account, account)
        seen.chmod(mode)
        return path

    def run(self, *command: str) -> None:
        done = self.lab.run(*command)
        assert done.returncode == 0, done.stderr

    def cluster(self, data: str, port: int, program: str = f"{PROGRAMS}/postgres") -> None:
        """A cluster of PostgreSQL; only the first one is made, the others are its copies."""
        first = f"{CLUSTERS}/main"
        if data == first:
            self.run(*as_user("postgres"), f"{PROGRAMS}/initdb", "-D", data, "-N", "--auth=peer")
        else:
            self.run("cp", "-a", first, data)
            self.lab.path(f"{data}/postmaster.pid").unlink(missing_ok=True)
        settings = {"unix_socket_directories": RUN, "port": port, "listen_addresses": ""}
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self.start("postgres", program, "-D", data, *words)
        until(lambda: self.lab.path(f"{RUN}/.s.PGSQL.{port}").exists(), f"{data} listens")

    def redis(self, folder: str, program: str = "redis-server", hiding: str = "") -> None:
        data = self.folder(f"/var/lib/databases/{folder}", "redis")
        socket = f"{hiding or data}/redis.sock"
        words = (program, "--port", "0", "--unixsocket", socket, "--dir", data)
        apart = ("unshare", "--mount", "sh", "-c", HIDING, hiding) if hiding else ()
        self.start("redis", *words, "--appendonly", "yes", before=apart)
        log = Path(data) / "appendonlydir"
        until(lambda: self.lab.path(str(log)).exists(), f"{folder} runs")


@pytest.fixture(scope="module")
def guest() -> Iterator[Lab]:
    """Thawed before its processes end, for what waits for a disk cannot be killed."""
    disks = {"/var/lib/postgresql": "ext4", "/var/lib/databases": "xfs"}
    with contextlib.ExitStack() as ended, Lab(disks) as lab, contextlib.ExitStack() as at_first:
        at_first.callback(lab.thaw)
        configure(lab, discovery="yes")
        guest = Guest(lab, ended)
        guest.folder("/var/lib/postgresql", "postgres")
        guest.folder(CLUSTERS, "postgres")
        guest.folder(RUN, "postgres", 0o2775)  # as Debian's is, for pg_ctlcluster
        for path in (EDB, OLD):
            lab.path(path).parent.mkdir(parents=True)
        guest.run("cp", f"{PROGRAMS}/postgres", EDB)
        guest.run("ln", "-s", str(POSTGRES_PROGRAMS[-1].parent / "lib"), "/opt/edb/as15/lib")
        guest.run("cp", "/usr/bin/redis-server", OLD)
        guest.run("ln", "-sf", "postgres", f"{PROGRAMS}/postmaster")
        guest.cluster(f"{CLUSTERS}/main", 5432)
        guest.cluster(f"{CLUSTERS}/second", 5433, f"{PROGRAMS}/postmaster")
        guest.cluster("/var/lib/postgresql/edb", 5444, EDB)
        guest.cluster(LATIN_1, 5435)
        start_mariadb(guest)
        guest.redis("redis")
        guest.redis("hidden", hiding="/tmp")  # noqa: S108  its own one
        guest.redis("replaced", OLD)
        guest.run("rm", "-r", "/opt/redis")
        start_etcd(guest)
        yield lab


def start_mariadb(guest: Guest) -> None:
    data = guest.folder("/var/lib/databases/mysql", "mysql")
    own = guest.folder("/var/lib/databases/mysql-tmp", "mysql")
    socket = f"{guest.folder('/run/mysqld', 'mysql')}/mysqld.sock"
    common = ("--no-defaults", f"--datadir={data}", f"--tmpdir={own}")
    guest.run("mariadb-install-db", *common, "--user=mysql", "--skip-test-db")
    guest.start("mysql", "mariadbd", *common, f"--socket={socket}", "--skip-networking")
    until(lambda: guest.lab.path(socket).exists(), "MariaDB listens")


def start_etcd(guest: Guest) -> None:
    data = guest.folder("/var/lib/databases/etcd", "etcd")
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    urls = ("--listen-client-urls", client, "--advertise-client-urls", client)
    peers = ("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer)
    cluster = ("--initial-cluster", f"default={peer}")
    guest.start("etcd", "etcd", "--data-dir", data, *urls, *peers, *cluster)
    until(lambda: guest.lab.path(f"{data}/member/snap/db").exists(), "etcd runs")


def test_all_of_them_are_found_by_the_same_names_each_time(guest: Lab) -> None:
    told = [status(guest) for _ in range(2)]
    names = [sorted(one["name"] for one in each["applications"]) for each in told]
    etcd = [name for name in names[0] if name.startswith("etcd:")]
    assert len(etcd) == 1
    assert names[0] == sorted(
        [
            f"postgresql:{VERSION}/main",
            f"postgresql:{VERSION}/second",
            "postgresql:/var/lib/postgresql/edb",
            "postgresql:/var/lib/postgresql/donn\\xe9es",
            "mariadb:/run/mysqld/mysqld.sock",
            "redis:/var/lib/databases/redis/redis.sock",
            "redis:/var/lib/databases/replaced/redis.sock",
            "redis:/tmp/redis.sock",
            *etcd,
        ]
    )
    assert names[1] == names[0]
    assert [each["warnings"] for each in told] == [[], []]


def test_all_of_them_come_to_rest(guest: Lab) -> None:
    with guest.agent() as agent:
        agent.freeze()
        agent.thaw()
    last = status(guest)["last"]
    assert {one["name"]: one["error"] for one in last["applications"] if one["error"]} == {}
    assert {one["level"] for one in last["applications"]} == {"application"}
    assert last["verdict"] == "application"


def test_a_section_is_the_server_that_it_leads_to_whichever_way(guest: Lab) -> None:
    """Of two entries for one server the second would wait for the first one's lock."""
    for section in (
        f"[{VERSION}/main]\ntype = postgresql\nport = 5432\n",
        f"[postgresql:{VERSION}/second]\nlock_s = 2\n",
        "[shop]\ntype = postgresql\nhost = /var/run/postgresql\nport = 5444\n",
        "[mariadb]\nlock_s = 2\n",
        "[db]\ntype = mariadb\nsocket = /var/run/mysqld/mysqld.sock\n",
    ):
        configure(guest, section, discovery="yes")
        applications = status(guest)["applications"]
        configured = [one["name"] for one in applications if one["source"] != "discovered"]
        assert (len(applications), len(configured)) == (9, 1), applications
    configure(guest, discovery="yes")
