"""A stand-in for the Kubernetes API server: it serves given objects to this machine, read-only.

Where it is to take snapshots, a VolumeSnapshot can be created, and is bound and taken at once, and
an instance can be thawed.

The plugin's process, or a rehearsal of a live cluster, reads it over HTTP as always. What this
server does not understand it refuses: an answer to half of a question would look like a truth. It
keeps a token because other users of the machine reach the loopback device too.

Source: "Kubernetes API Concepts" of the Kubernetes reference documentation.
"""

import contextlib
import hmac
import os
import re
import secrets
import socket
import socketserver
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
import yaml

from stillpoint.model.api_resources import Served
from stillpoint.model.item import Item
from stillpoint.velero.selection.label_selector import LabelSelector
from tests.api_server import discovery
from tests.api_server.objects import ApiObjects

_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 404: "NotFound", 405: "MethodNotAllowed",
    409: "AlreadyExists",
}  # fmt: skip
_THAW = re.compile(
    "/apis/subresources.kubevirt.io/v1/namespaces/[^/]+/virtualmachineinstances/[^/]+/unfreeze"
)
_SNAPSHOTS = ("snapshot.storage.k8s.io", "v1", "volumesnapshots")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class Request(NamedTuple):
    """One request.

    Attributes:
        verb: `get`, `list` (a watch, too), `create`, `update` or `discover`; or the HTTP method of
            a refused change.
    """

    verb: str
    path: str
    query: Mapping[str, str]


class ApiServer:
    """Serves from `__enter__` to `__exit__`.

    Attributes:
        requests: what was asked so far.
        token: the bearer token that each request must carry.

    Args:
        objects: as from YAML; one without a namespace is in `default` if its kind has namespaces.
        takes_snapshots: VolumeSnapshots can be created, and instances thawed.

    Raises:
        MalformedItem: an object is none of the Kubernetes API.
    """

    def __init__(self, objects: Iterable[Item], *, takes_snapshots: bool = False) -> None:
        self.takes_snapshots = takes_snapshots
        self.requests: list[Request] = []
        self.token = secrets.token_urlsafe(32)
        self._objects = ApiObjects(objects)
        self._server = _Server(self)
        self._serving = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Example: `http://127.0.0.1:40123`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._serving.join()
        self._server.hang_up()
        self._server.server_close()

    def clear(self) -> None:
        """From now on this is a cluster without objects, which serves the same resources."""
        self._objects.clear()

    def add(self, item: Item) -> None:
        """From now on this object is there, too."""
        self._objects.add(item)

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for this server that only its owner can read; gives its path."""
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stillpoint",
            "contexts": [
                {"name": "stillpoint", "context": {"cluster": "stillpoint", "user": "stillpoint"}}
            ],
            # an empty proxy keeps one of the environment from seeing, or losing, our requests
            "clusters": [{"name": "stillpoint", "cluster": {"server": self.url, "proxy-url": ""}}],
            "users": [{"name": "stillpoint", "user": {"token": self.token}}],
        }
        with os.fdopen(os.open(path, _NEW_FILE, 0o600), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            yaml.safe_dump(configuration, file)
        return path

    def answer(self, target: str, accept: str = "") -> tuple[int, bytes]:
        """HTTP code and JSON for a GET of `target`, a path with its query."""
        url = urlsplit(target)
        path, query = unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True))
        parts = path.strip("/").split("/")
        question = _Question.parse(parts)
        self.requests.append(Request(question.verb if question else "discover", path, query))
        is_aggregated = discovery.AGGREGATED in accept
        discover = discovery.aggregated if is_aggregated else discovery.answer
        document = discover(parts, self._objects.served)
        if document is not None:
            return 200, orjson.dumps(document)
        served = question and self._objects.resource(*question.resource)
        if not question or not served or not question.fits(served):
            return _failure(404, f"no resource of this server: {path}")
        if question.verb == "get":
            return self._get(served, question)
        return self._list(served, question, query)

    def _get(self, served: Served, question: "_Question") -> tuple[int, bytes]:
        found = self._objects.get(served, question.namespace, question.name)
        resource = f"{served.plural}.{served.group}" if served.group else served.plural
        return (200, found) if found else _failure(404, f'{resource} "{question.name}" not found')

    def _list(
        self, served: Served, question: "_Question", query: Mapping[str, str]
    ) -> tuple[int, bytes]:
        is_watch = query.get("watch") in ("1", "true")
        if is_watch and self.takes_snapshots and query.get("resourceVersion", "0") == "0":
            return self._watch(served, question, query)
        if is_watch or query.get("fieldSelector"):
            return _failure(400, "neither watch nor fieldSelector is served here")
        try:
            selector = LabelSelector.parse(query.get("labelSelector", ""))
            span = _natural(query, "continue"), _natural(query, "limit") or sys.maxsize
        except ValueError as error:
            return _failure(400, f"cannot read the query: {error}")
        page = self._objects.page(served, question.namespace, selector, span)
        metadata: Item = {"resourceVersion": "1"}
        if page.next_start:
            metadata["continue"] = str(page.next_start)
            if page.remaining is not None:
                metadata["remainingItemCount"] = page.remaining
        head = {"kind": f"{served.kind}List", "apiVersion": served.api_version}
        start = orjson.dumps({**head, "metadata": metadata})[:-1]
        return 200, b"".join((start, b',"items":[', b",".join(page.items), b"]}"))

    def _watch(
        self, served: Served, question: "_Question", query: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """The objects that there are; a watch that goes on would have nothing to say."""
        selector = LabelSelector.parse(query.get("labelSelector", ""))
        page = self._objects.page(served, question.namespace, selector, (0, sys.maxsize))
        return 200, b"".join(b'{"type":"ADDED","object":%s}\n' % item for item in page.items)

    def create(self, target: str, body: bytes) -> tuple[int, bytes]:
        """HTTP code and JSON for a POST of a VolumeSnapshot."""
        path = unquote(urlsplit(target).path)
        question = _Question.parse(path.strip("/").split("/"))
        if not question or question.resource != _SNAPSHOTS or question.verb != "list":
            return _failure(405, f"only volumesnapshots can be created, not {path}")
        self.requests.append(Request("create", path, {}))
        snapshot: Item = orjson.loads(body)
        name, served = snapshot["metadata"]["name"], self._objects.resource(*_SNAPSHOTS)
        assert served
        if self._objects.get(served, question.namespace, name):
            return _failure(409, f'volumesnapshots "{name}" already exists')
        content = f"snapcontent-{question.namespace}-{name}"
        self._objects.add(
            {
                "apiVersion": "snapshot.storage.k8s.io/v1",
                "kind": "VolumeSnapshotContent",
                "metadata": {"name": content},
                "spec": {"volumeSnapshotRef": {"namespace": question.namespace, "name": name}},
                "status": {"snapshotHandle": "taken"},
            }
        )
        taken = "2026-05-04T12:00:00Z"
        status = {"boundVolumeSnapshotContentName": content, "creationTime": taken}
        self._objects.add({**snapshot, "status": status})
        return 201, body

    def update(self, target: str) -> tuple[int, bytes]:
        """HTTP code and JSON for a PUT of an instance's thaw."""
        path = unquote(urlsplit(target).path)
        if not _THAW.fullmatch(path):
            return _failure(405, f"only a thaw can be put, not {path}")
        self.requests.append(Request("update", path, {}))
        return 202, b"{}"


class _Question(NamedTuple):
    resource: tuple[str, str, str]  # group, version, plural
    namespace: str
    name: str

    @property
    def verb(self) -> str:
        return "get" if self.name else "list"

    @classmethod
    def parse(cls, parts: Sequence[str]) -> "_Question | None":
        match list(parts):
            case ["api", version, *rest]:
                group = ""
            case ["apis", group, version, *rest]:
                pass
            case _:
                return None
        match rest:
            case ["namespaces", namespace, plural]:
                return cls((group, version, plural), namespace, "")
            case ["namespaces", namespace, plural, name]:
                return cls((group, version, plural), namespace, name)
            case [plural]:
                return cls((group, version, plural), "", "")
            case [plural, name]:
                return cls((group, version, plural), "", name)
        return None

    def fits(self, served: Served) -> bool:
        """Only namespaced objects have a namespace; only their lists can span all of them."""
        if served.is_namespaced:
            return bool(self.namespace) or not self.name
        return not self.namespace


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # `server_close` waits for them, after `hang_up`
    request_queue_size = 128

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the DNS for our name

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # it ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that left is no fault
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self._is_allowed():
            self._send(*self.server.api.answer(self.path, self.headers.get("Accept", "")))
        else:
            self._send(*_failure(401, "Unauthorized"))

    def do_POST(self) -> None:
        if self.server.api.takes_snapshots and self._is_allowed():
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._send(*self.server.api.create(self.path, body))
        else:
            self._refuse()

    def do_PUT(self) -> None:
        if self.server.api.takes_snapshots and self._is_allowed():
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self._send(*self.server.api.update(self.path))
        else:
            self._refuse()

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {self.server.api.token}".encode())

    def _refuse(self) -> None:
        self.server.api.requests.append(Request(self.command, self.path, {}))
        self.close_connection = True  # with a body that nobody reads
        self._send(*_failure(405, f"this server is read-only: {self.command} is not served"))

    # the base class calls them by these names
    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = _refuse  # noqa: N815

    def _send(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is given
        """Say nothing: tests look at standard error."""


def _natural(query: Mapping[str, str], key: str) -> int:
    text = query.get(key) or "0"
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{key} is not a number: {text!r}")
    return int(text)


def _failure(code: int, message: str) -> tuple[int, bytes]:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": _REASONS[code],
        "code": code,
    }
    return code, orjson.dumps(status)
