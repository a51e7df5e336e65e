"""etcd, 3.4 and newer.

It syncs its log before it acknowledges, and starts from that after a power failure: there is
nothing to do but to write down where it stood. One member is all that is in a copy: bring back a
cluster of several from one of its own snapshots.
"""

import contextlib
import http.client
import json
import socket
from typing import Any, Dict, Iterator, Sequence
from urllib.parse import urlsplit

from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Finding, Found, Report
from guest_hooks.errors import CommandFailed, DeadlinePassed
from guest_hooks.note import Note
from guest_hooks.running import Process, processes
from guest_hooks.section import Section

_CLIENT_URLS = "--listen-client-urls"
_CLIENT_URLS_VARIABLE = b"ETCD_LISTEN_CLIENT_URLS="
_DEFAULT_PORT = 2379


class Etcd(Driver):
    """One member."""

    KIND = "etcd"
    METHODS = ("report",)
    OPTIONS = {
        "url": "where it answers clients; http://127.0.0.1:2379",
        "ca_file": "certificate authority, for https",
        "certificate_file": "certificate of a client, for https",
        "key_file": "its key, root's alone",
        "system_user": "account that it runs as; any account of the system",
    }

    def __init__(self, section: Section, note: Note) -> None:
        """Parse `OPTIONS`."""
        super().__init__(section, note)
        self._url = section.text("url", f"http://127.0.0.1:{_DEFAULT_PORT}")
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise section.error("url", "like http://127.0.0.1:2379")
        self._status: Dict[str, Any] = {}

    @classmethod
    def discover(cls) -> Sequence[Found]:
        """By the process and the port on which it answers."""
        return [_found(one) for one in processes("etcd")]

    @property
    def instance(self) -> str:
        """Its address."""
        return self._url

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Whether it answers."""
        self.prepare(deadline)
        return [Finding(True, f"{self.section.name}: version {self._status['version']} answers")]

    def prepare(self, deadline: Deadline) -> None:
        """Ask where it stands."""
        attempt = f"ask {self._url}"
        hint = "see the options url, ca_file, certificate_file and key_file"
        with self.reaching(deadline, hint, attempt) as patience:
            try:
                self._status = self._ask("/v3/maintenance/status", patience)
            except socket.timeout as error:
                raise DeadlinePassed(self.section.name, attempt, "timed out") from error
            except (OSError, ValueError, http.client.HTTPException) as error:
                cause = getattr(error, "strerror", None) or str(error)
                raise CommandFailed(self.section.name, attempt, cause) from error

    @contextlib.contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """Nothing is held."""
        del deadline
        header = self._status["header"]
        position = {key: str(header[key]) for key in ("revision", "member_id", "cluster_id")}
        yield Report("none needed", position, ("every write that was acknowledged",))

    def _ask(self, path: str, deadline: Deadline) -> Dict[str, Any]:
        connection = self._connection(max(0.1, deadline.left_s))
        with contextlib.closing(connection):
            connection.request("POST", path, "{}", {"Content-Type": "application/json"})
            if connection.sock:
                connection.sock.settimeout(max(0.1, deadline.left_s))
            response = connection.getresponse()
            content = response.read()
        if response.status != http.client.OK:
            raise ValueError(f"HTTP status {response.status} {response.reason}")
        status: Dict[str, Any] = json.loads(content.decode())
        return status

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
        import ssl  # noqa: PLC0415  3 MB that only those need who use it; prepare has its disk

        context = ssl.create_default_context(cafile=self.section.text("ca_file") or None)
        if self.section.text("certificate_file"):
            key_file = self.section.text("key_file") or None
            context.load_cert_chain(self.section.text("certificate_file"), key_file)
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)


def _found(process: Process) -> Found:
    ports = process.ports()
    url = _client_url(process) or f"http://127.0.0.1:{_DEFAULT_PORT}"
    url = url.replace("//0.0.0.0", "//127.0.0.1").replace("//[::]", "//127.0.0.1")
    name = f"{Etcd.KIND}:{urlsplit(url).port}"
    if process.is_in_container:
        return Found(name, {}, "it runs in a container: say its url")
    if url.startswith("https:"):
        return Found(name, {"url": url}, "its clients need a certificate: say which")
    if urlsplit(url).port not in ports:
        return Found(name, {}, f"where it answers is not to be seen: one of {ports}")
    return Found(name, {"url": url}, process=process.number)


def _client_url(process: Process) -> str:
    """The first one, from its arguments or environment; "" if it is in a file."""
    arguments = [part for one in process.arguments for part in one.split("=", 1)]
    if _CLIENT_URLS in arguments[:-1]:
        return arguments[arguments.index(_CLIENT_URLS) + 1].split(",")[0]
    with open(f"/proc/{process.number}/environ", "rb") as file:
        for variable in file.read().split(b"\0"):
            if variable.startswith(_CLIENT_URLS_VARIABLE):
                return variable[len(_CLIENT_URLS_VARIABLE) :].decode().split(",")[0]
    return ""
