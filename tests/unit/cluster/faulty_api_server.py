"""An API server that follows a script of replies, most of them bad ones.

    with FaultyApiServer([status(503), sends(page)]) as server:
        reader = server.reader()

Each request takes the next reply of the script; the last one stays for all further requests.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import parse_qsl, urlsplit

import orjson
from kubernetes.client import ApiClient, Configuration

from stillpoint.cluster.kubernetes_reader import Limits
from stillpoint.cluster.kubernetes_writer import KubernetesWriter

TOKEN = "of-a-test"
PATIENT = Limits(
    connect_s=20.0,
    read_s=20.0,
    response_s=20.0,
    request_s=120.0,
    first_pause_s=0.25,
    longest_pause_s=4.0,
)
"""For servers that answer, be the machine as busy as it may."""

QUICK = replace(PATIENT, connect_s=0.5, read_s=0.15, response_s=0.3, request_s=5.0)
"""For servers that do not."""


@dataclass
class Exchange:
    """What a reply can do: send, wait for a while, or until the test ends."""

    connection: socket.socket
    ended: threading.Event

    def send(self, *parts: bytes) -> None:
        self.connection.sendall(b"".join(parts))


Reply = Callable[[Exchange], bool]
"""Answers one request; whether the connection goes on."""


def answers(code: int, body: bytes, **headers: str) -> Reply:
    """Any code and body; `Retry_After="1"` becomes a header."""

    def reply(exchange: Exchange) -> bool:
        exchange.send(_head(code, len(body), headers), body)
        return True

    return reply


def sends(value: object) -> Reply:
    """HTTP 200 with a JSON value."""
    return answers(200, orjson.dumps(value))


def status(code: int, message: str = "as scripted", **headers: str) -> Reply:
    """A failure with a Status object."""
    body = {"kind": "Status", "apiVersion": "v1", "message": message, "code": code}
    return answers(code, orjson.dumps(body), **headers)


def half_of(value: object) -> Reply:
    """Promises the whole, sends half, and closes."""

    def reply(exchange: Exchange) -> bool:
        body = orjson.dumps(value)
        exchange.send(_head(200, len(body), {}), body[: len(body) // 2])
        return False

    return reply


def half_of_chunks(value: object) -> Reply:
    """Half of a body whose length is not told, and no last chunk."""

    def reply(exchange: Exchange) -> bool:
        body = orjson.dumps(value)
        part = body[: len(body) // 2]
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        exchange.send(f"{len(part):x}\r\n".encode(), part, b"\r\n")
        return False

    return reply


def drips(value: object, every_s: float) -> Reply:
    """The right answer, byte by byte."""

    def reply(exchange: Exchange) -> bool:
        body = orjson.dumps(value)
        exchange.send(_head(200, len(body), {}))
        for byte in body:
            if exchange.ended.wait(every_s):
                break
            exchange.send(bytes([byte]))
        return False

    return reply


def closes(_: Exchange) -> bool:
    """No answer; the connection ends."""
    return False


def keeps_silent(exchange: Exchange) -> bool:
    """No answer; the connection stays."""
    exchange.ended.wait()
    return False


def speaks_another_protocol(exchange: Exchange) -> bool:
    """An answer, but not of HTTP."""
    exchange.send(b"SSH-2.0-OpenSSH_9.9\r\n")
    return False


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class FaultyApiServer:
    """Serves the script while the context lasts; `heard` holds the requests so far."""

    script: Sequence[Reply]
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept)
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def reader(
        self,
        limits: Limits = PATIENT,
        pauses: list[float] | None = None,
        token: str = TOKEN,
        kind: type[KubernetesWriter] = KubernetesWriter,
    ) -> KubernetesWriter:
        """A client of this server that notes its pauses instead of making them."""
        configuration = Configuration(host=self.url, api_key={"BearerToken": f"Bearer {token}"})
        noted = [] if pauses is None else pauses
        return kind(ApiClient(configuration), limits, sleep=noted.append)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Who is hung up on may call again, which nobody is to hear.
        _hang_up(self._listener)
        self._accepting.join()
        self._listener.close()
        self._ended.set()
        for connection in self._open:
            _hang_up(connection)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # hung up
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while (heard := _heard(stream)) and self._next(heard)(
                    Exchange(connection, self._ended)
                ):
                    pass
            except OSError:  # the client gave up, as it should
                pass
            _hang_up(connection)

    def _next(self, heard: Heard) -> Reply:
        with self._lock:
            self.heard.append(heard)
            return self.script[min(len(self.heard), len(self.script)) - 1]


def _heard(stream: BinaryIO) -> Heard | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    for line in iter(stream.readline, b""):
        name, _, value = line.decode("latin-1").strip().partition(": ")
        if not name:
            break
        headers[name.lower()] = value
    url = urlsplit(first[1])
    body = stream.read(int(headers.get("content-length", 0)))
    return Heard(first[0], url.path, dict(parse_qsl(url.query)), headers, body)


def _head(code: int, length: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {code} Scripted", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it ended before
        connection.shutdown(socket.SHUT_RDWR)
