"""etcd, 3.4 and newer.

etcd syncs its log before it acknowledges, and starts from that log after a power failure: there is
nothing to do but to record its position. A copy has a single member: restore a cluster of several
from etcd's own snapshots.
"""

import contextlib
import json
import re
from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Finding, Report
from stillpoint_guest.errors import CommandFailed, Senseless
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.open_files import open_files
from stillpoint_guest.processes.process_table import Process
from stillpoint_guest.sockets import peer
from stillpoint_guest.sockets.bounded_socket import BoundedSocket
from stillpoint_guest.sockets.ways import Way
from stillpoint_guest.state.undo_journal import UndoJournal

_CLIENT_URLS = "--listen-client-urls"
_CLIENT_URLS_VARIABLE = "ETCD_LISTEN_CLIENT_URLS"
_DEFAULT_PORT = 2379
_NO_MEMBER = ("gateway", "grpc-proxy")
_PORTS = {"http": 80, "https": 443}
_STATUS = "/v3/maintenance/status"
_HTTP_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: .*)?", re.DOTALL)
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){1,2}[-+.0-9A-Za-z]{0,64}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_MOST_HEADERS = 100
_MOST_ALARMS = 10
_DATA_FILE = re.compile(r"(.*)/(?:member/snap/db|[^/]+\.wal)")  # open in every member that runs


class _Status(NamedTuple):
    """A member's status."""

    version: str
    position: Dict[str, str]
    errors: Tuple[str, ...] = ()  # alarms: no space, corrupt


class Etcd(Driver):
    """A member of etcd."""

    KIND = "etcd"
    PROGRAMS = ("etcd",)
    REACHED_BY = ("url",)
    METHODS = ("report",)
    OPTIONS = {
        "url": "where it answers clients; http://127.0.0.1:2379",
        "ca_file": "certificate authority, for https; root's alone to write",
        "certificate_file": "certificate of a client, for https; root's alone to write",
        "key_file": "its key, root's alone",
        "system_user": "account that it runs as; any account of the system",
    }

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses `OPTIONS`."""
        super().__init__(section, journal)
        self._url = section.text("url", f"http://127.0.0.1:{_DEFAULT_PORT}")
        self._parts = urlsplit(self._url)
        try:
            port = self._parts.port
        except ValueError:
            port = -1
        if self._parts.scheme not in _PORTS or not self._parts.hostname or port == -1:
            raise section.error("url", "the URL of a member", f"http://127.0.0.1:{_DEFAULT_PORT}")
        self._address = (self._parts.hostname, port or _PORTS[self._parts.scheme])
        self._authority = section.file("ca_file")
        self._certificate = section.file("certificate_file")
        self._key = section.file("key_file", is_secret=True)
        self._status = _Status("", {})

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """Detects a member by the port of its client URL; other modes keep no data."""
        if process.arguments[1:2] and process.arguments[1] in _NO_MEMBER:
            return None
        url = _client_url(process) or f"http://127.0.0.1:{_DEFAULT_PORT}"
        port = _port(url)
        name = f"{cls.KIND}:{port}"
        hosts = {port: host for host, port in process.addresses()}
        if port not in hosts:
            ports = ", ".join(map(str, hosts)) or "no port"
            return Found(name, {}, f"where it answers is not to be seen: it listens at {ports}")
        if url.startswith("https:"):
            return Found(name, {"url": url}, "its clients need a certificate: say which")
        host = f"[{hosts[port]}]" if ":" in hosts[port] else hosts[port]
        return Found(name, {"url": f"http://{host}:{port}"})

    @property
    def ways(self) -> Sequence[Way]:
        """The host and port of its url."""
        return [self._address]

    @property
    def instance(self) -> str:
        """Its address."""
        return self._url

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Probes if the server answers."""
        self.prepare(deadline)
        text = f"{self.section.name}: version {self._status.version} answers"
        good = Finding(True, text, folders=_folders(self.section.process))
        return [good] + [Finding(False, each, is_blocking=False) for each in self._status.errors]

    def prepare(self, deadline: Deadline) -> None:
        """Reads the member's position."""
        attempt = f"ask {self._url}"
        hint = "see the options url, ca_file, certificate_file and key_file"
        with self.reaching(deadline, hint, attempt) as patience:
            peer.require_listener(*self._address, peer.users(self.section))
            self._status = self._parse(self._answer(attempt, patience), attempt)

    @contextlib.contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """Holds nothing."""
        del deadline
        kept = ("every write that was acknowledged",)
        status = self._status
        yield Report(
            "none needed",
            status.position,
            kept,
            status.errors,
            folders=_folders(self.section.process),
        )

    def _answer(self, attempt: str, deadline: Deadline) -> bytes:
        """The body of a response by HTTP 1.0, without chunks and without keep-alive."""
        connection = BoundedSocket(self.section.name, self._address, deadline)
        with contextlib.closing(connection):
            if self._parts.scheme == "https":
                connection.encrypt(self._context(), self._address[0], attempt, deadline)
            heading = (
                f"POST {_STATUS} HTTP/1.0\r\nHost: {self._parts.netloc.rpartition('@')[2]}\r\n"
            )
            kind = "Content-Type: application/json\r\nContent-Length: 2\r\n"
            connection.say(f"{heading}{kind}\r\n{{}}".encode(), attempt, deadline)
            return self._content(connection, attempt, deadline)

    def _content(self, connection: BoundedSocket, attempt: str, deadline: Deadline) -> bytes:
        first = connection.line(attempt, deadline)
        found = _HTTP_STATUS.fullmatch(first)
        if not found:
            raise self._senseless(attempt, f"{first[:40]!r} is not of HTTP")
        if found.group(1) != b"200":
            cause = f"HTTP status {first[9:80].decode(errors='replace')}"
            raise CommandFailed(self.section.name, attempt, cause)
        length = None
        for _ in range(_MOST_HEADERS):
            name, _, value = connection.line(attempt, deadline).partition(b":")
            if not name:
                break
            if name.lower() == b"content-length" and _NUMBER.fullmatch(value.decode().strip()):
                length = int(value)
        else:
            raise self._senseless(attempt, "headers without end")
        if length is None:
            return connection.rest(attempt, deadline)
        return connection.exactly(length, attempt, deadline)

    def _parse(self, content: bytes, attempt: str) -> _Status:
        try:
            answer = json.loads(content.decode())
            header = answer["header"]
            written = {key: header[key] for key in ("revision", "member_id", "cluster_id")}
            errors = answer.get("errors") or []
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._senseless(attempt, f"{content[:60]!r}") from error
        version, position = answer.get("version"), {}
        for key, value in written.items():
            position[key] = str(value)
            if isinstance(value, bool) or not _NUMBER.fullmatch(position[key]):
                raise self._senseless(attempt, f"{key} {position[key][:40]!r}")
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise self._senseless(attempt, f"version {str(version)[:40]!r}")
        if not isinstance(errors, list) or not all(isinstance(one, str) for one in errors):
            raise self._senseless(attempt, "errors that are none")
        return _Status(version, position, tuple(errors[:_MOST_ALARMS]))

    def _senseless(self, attempt: str, why: str) -> Senseless:
        return Senseless(self.section.name, attempt, f"its answer makes no sense: {why}")

    def _context(self) -> Any:
        import ssl  # noqa: PLC0415  3 MB that only those need who use it; prepare has its disk

        try:
            context = ssl.create_default_context(cafile=self._authority)
            if self._certificate:
                context.load_cert_chain(self._certificate, self._key)
        except OSError as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise CommandFailed(self.section.name, "use its certificates", cause) from error
        return context


def _folders(number: int) -> Tuple[str, ...]:
    """Folders of database and log, by the process's open files; () without a process."""
    found = (_DATA_FILE.fullmatch(path) for path in open_files(number))
    return tuple(sorted({one.group(1) for one in found if one}))


def _client_url(process: Process) -> str:
    """The first client URL, from arguments or environment; "" if it is in a file."""
    arguments = [part for one in process.arguments for part in one.split("=", 1)]
    if _CLIENT_URLS in arguments[:-1]:
        urls = arguments[arguments.index(_CLIENT_URLS) + 1]
    else:
        urls = process.variable(_CLIENT_URLS_VARIABLE)
    return urls.split(",")[0]


def _port(url: str) -> int:
    """The port of a URL; 0 if invalid."""
    try:
        return urlsplit(url).port or 0
    except ValueError:
        return 0
