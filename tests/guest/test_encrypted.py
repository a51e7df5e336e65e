"""Connections that are encrypted, each with a server that takes no other."""

import http.client
import shutil
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.etcd import Etcd
from stillpoint_guest.drivers.mysql_family.mariadb import MariaDB
from stillpoint_guest.drivers.postgresql.driver import PostgreSQL
from stillpoint_guest.errors import Unreachable
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.cluster.processes import Processes
from tests.guest import certificates, databases
from tests.guest.cases.case import KINDS, PASSWORD, secret


@pytest.fixture(scope="module")
def signed(processes: Processes) -> Iterator[Path]:
    folder = processes.logs / "certificates"
    certificates.make(folder, "server", "client")
    (folder / "client.key").chmod(0o600)
    yield folder
    shutil.rmtree(folder)


def driver_of(kind: str, folder: Path, **options: str) -> Driver:
    section = Section("db", kind, options=options)
    return KINDS[kind](section, UndoJournal(str(folder), section))


def asked(driver: PostgreSQL | MariaDB, statement: str) -> Sequence[str]:
    """What its session is told in a freeze."""
    driver.prepare(Deadline.after(20))
    assert driver._session
    answer = driver._session.ask(statement, Deadline.after(5))
    with driver.quiesce(Deadline.after(10)) as report:
        assert report.position
    return answer


def test_etcd_by_certificate(processes: Processes, signed: Path, tmp_path: Path) -> None:
    server = EncryptedEtcd(processes.logs / "etcd-encrypted", processes)
    server.signed = signed
    server.up()
    options = {"url": server.url, "ca_file": str(signed / "ca.crt")}
    own = {f"{kind}_file": str(signed / f"client.{end}") for kind, end in SUFFIXES}
    driver = driver_of("etcd", tmp_path, **options, **own)
    driver.prepare(Deadline.after(10))
    with driver.quiesce(Deadline.after(5)) as report:
        server.write()
    without = driver_of("etcd", tmp_path, **options)
    with pytest.raises(Unreachable, match="ask https://"):
        without.prepare(Deadline.after(10))
    stranger = driver_of("etcd", tmp_path, url=server.url)
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.prepare(Deadline.after(10))
    named = [each for each in Etcd.discover() if each.name == f"etcd:{server.port}"]
    server.stop()
    assert int(report.position["revision"]) > 0
    assert named[0].unsafe == "its clients need a certificate: say which"


SUFFIXES = (("certificate", "crt"), ("key", "key"))


class EncryptedEtcd(databases.Etcd):
    signed: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[databases.Part]:
        own = ("--cert-file", self.signed / "server.crt", "--key-file", self.signed / "server.key")
        theirs = ("--client-cert-auth", "--trusted-ca-file", self.signed / "ca.crt")
        return [*super().command, *own, *theirs]

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        context = ssl.create_default_context(cafile=self.signed / "ca.crt")
        context.load_cert_chain(self.signed / "client.crt", self.signed / "client.key")
        place = ("127.0.0.1", self.port)
        return http.client.HTTPSConnection(*place, timeout=timeout_s, context=context)


def test_postgresql_by_tcp(processes: Processes, signed: Path, tmp_path: Path) -> None:
    key = signed / "postgres.key"  # it insists on a key that is its own
    shutil.copy(signed / "server.key", key)
    key.chmod(0o600)
    shutil.chown(key, "postgres")
    settings = ("ssl=on", f"ssl_cert_file={signed / 'server.crt'}", f"ssl_key_file={key}")
    server = databases.Postgres(
        processes.logs / "pg-encrypted",
        processes,
        settings=(*settings, "listen_addresses=127.0.0.1"),
    )
    server.up()
    hba = server.data / "pg_hba.conf"
    hba.write_text(f"hostssl all keeper 127.0.0.1/32 scram-sha-256\n{hba.read_text()}")
    server.query(f"CREATE ROLE keeper SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    server.query("SELECT pg_reload_conf()")
    place = {"host": "127.0.0.1", "port": str(server.port)}
    account = {"user": "keeper", "password_file": secret(tmp_path, PASSWORD)}
    driver = driver_of("postgresql", tmp_path, **place, **account)
    assert isinstance(driver, PostgreSQL)
    told = asked(driver, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();")
    server.stop()
    assert told == ["t"]


def test_mariadb_by_tcp(processes: Processes, signed: Path, tmp_path: Path) -> None:
    server = databases.MariaDB(processes.logs / "mariadb-encrypted", processes)
    own = (f"--ssl-cert={signed / 'server.crt'}", f"--ssl-key={signed / 'server.key'}")
    network = ("--skip-networking=0", "--bind-address=127.0.0.1", f"--port={server.port}")
    server.settings = (*own, *network)
    server.up()
    server.query("CREATE USER keeper@'%' IDENTIFIED BY 'word' REQUIRE SSL")
    server.query("GRANT ALL ON *.* TO keeper@'%'")
    file = tmp_path / "client.cnf"
    authority = f"ssl-ca={signed / 'ca.crt'}\nssl-verify-server-cert"
    place = f"host = 127.0.0.1\nport={server.port}"
    file.write_text(f"[client]\nuser=keeper\npassword=word\n{place}\n{authority}\n")
    file.chmod(0o600)
    driver = driver_of("mariadb", tmp_path, defaults_file=str(file))
    assert isinstance(driver, MariaDB)
    told = asked(driver, "SHOW STATUS LIKE 'Ssl_version';")
    server.stop()
    assert told[0].startswith("Ssl_version\tTLS")
