"""Reads the objects of a live cluster (`Reader`).

Configuration, authentication and transport are those of the `kubernetes` package. Requests and
bodies are this module's: the package's models drop unknown fields, and its request functions bound
the silence between two bytes but not the whole response.
"""

import base64
import binascii
import importlib.metadata
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self, TypeAlias
from urllib.parse import urlencode, urlsplit

import orjson
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from urllib3 import BaseHTTPResponse, Timeout
from urllib3 import exceptions as http

from stillpoint.cluster import no_answer
from stillpoint.cluster.api_request import CREDENTIALS_HINT, ApiRequest, ApiResponse, Expired
from stillpoint.cluster.discovery_request import PATHS, DiscoveryRequest
from stillpoint.cluster.packed import PackedItems
from stillpoint.cluster.stream import Bounds, LineStream
from stillpoint.cluster.watch import Changes, FollowedItems, Watch
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.api_resources import Served
from stillpoint.model.errors import Forbidden, ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.kinds import SECRET
from stillpoint.model.names import listing
from stillpoint.model.reader import PAGE, Change, Lookup
from stillpoint.model.reference import Reference, Resource

_CHUNK_BYTES = 128 * 1024
_MOST_CONNECTIONS = 32
_OF_LOGS = Bounds(line=8 * 1024, response=16 * 1024 * 1024)
"""A line of a guest's agent has 1 KiB at most, a file of a kubelet 10 MiB (containerLogMaxSize)."""

_OF_WHOLE_LOGS = _OF_LOGS._replace(is_whole=True)

_OF_WATCHES = Bounds(line=4 * 1024 * 1024, response=64 * 1024 * 1024)
"""An object has 1.5 MiB at most (etcd)."""

_PASSING = frozenset({429, 500, 502, 503, 504})
_DEFAULT_FILE = "~/.kube/config"

_log = logging.getLogger("stillpoint")

REVIEW = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview")
_REVIEW_VERSION = f"{REVIEW.group}/{REVIEW.version}"

_Request: TypeAlias = ApiRequest | DiscoveryRequest
_BROKEN_CONNECTION = (
    http.ConnectTimeoutError,
    http.NewConnectionError,
    http.ProtocolError,
    http.ProxyError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits and retries of requests.

    Attributes:
        connect_s: until a connection stands.
        read_s: between two bytes of a response.
        silence_s: between two bytes of a watch; an API server sends bookmarks, about one a minute.
        watches: at the same time; further namespaces are not followed.
        response_s: from a request to the last byte of its response.
        request_s: all pages and all tries of a `get` or `list`.
        tries: requests for a page while the server fails in a way that passes.
        first_pause_s: before the second try; doubled before each further one.
        longest_pause_s: limit of a wait for the server's `Retry-After`.
        page: objects per response of a list.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    silence_s: float = 100.0
    watches: int = 16
    response_s: float = 60.0
    request_s: float = 180.0
    tries: int = 3
    first_pause_s: float = 0.5
    longest_pause_s: float = 10.0
    page: int = PAGE


class KubernetesReader:
    """Reads over HTTP, from as many threads as want to.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        client: ApiClient,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._configuration = client.configuration
        self._host = client.configuration.host
        self._pool = client.rest_client.pool_manager
        self._limits = limits or Limits()
        self._clock = clock
        self._sleep = sleep
        self._credentials = threading.Lock()
        self._is_refusal_reported = False
        self._watches = threading.BoundedSemaphore(self._limits.watches)
        self._user_agent = f"stillpoint/{_version()}"

    @classmethod
    def connect(cls, limits: Limits | None = None, file: str = "", context: str = "") -> Self:
        """A reader of the cluster that Velero itself would choose; sends no request.

        That is the cluster of `KUBECONFIG`, else the cluster of this pod, by its service account,
        else the cluster of `~/.kube/config`.

        Args:
            file: a kubeconfig that goes before all of these.
            context: of the kubeconfig; empty for its current one.

        Raises:
            ReadFailed: there is no usable configuration.
        """
        return cls(_client(file, context), limits)

    @property
    def host(self) -> str:
        """URL of the API server."""
        return str(self._host)

    def discover(self) -> Sequence[Served] | None:
        """Resources of the cluster, in discovery's order; None for API servers older than 1.27.

        Raises:
            ReadFailed: the request failed.
        """
        found: list[Served] = []
        for path in PATHS:
            request = DiscoveryRequest(path, self._expiry())
            part = request.parse(self._send(request, {}))
            if part is None:
                return None
            found += part
        return found

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """See `Reader.get`."""
        request = ApiRequest("get", resource, namespace, name, self._expiry())
        response = self._send(request, {})
        return None if response.status == 404 else request.read_object(response)

    def time(self) -> datetime:
        """The time by the API server's clock, which dates what is created: to the second.

        Raises:
            ReadFailed: the request failed, or the response has no date.
        """
        request = ApiRequest("get", kinds.NAMESPACE, "", "default", self._expiry())
        response = self._send(request, {})
        if response.status not in (200, 404):
            raise request.failure(response)
        try:
            return parsedate_to_datetime(response.date).astimezone(UTC)
        except ValueError:
            raise request.unreachable("the response has no date") from None

    def secret_value(self, namespace: str, name: str, key: str) -> bytes | None:
        """The value of a key of a Secret; None if there is no such Secret or key.

        Raises:
            ReadFailed: the request failed.
        """
        request = ApiRequest("get", SECRET, namespace, name, self._expiry(), has_secrets=True)
        response = self._send(request, {})
        if response.status == 404:
            return None
        value = it.mapping(request.read_object(response), "data").get(key)
        try:
            return None if value is None else base64.b64decode(str(value))
        except binascii.Error:
            raise request.unreachable(f"the response has no base64 in {key}") from None

    def allows(
        self, account: tuple[str, str], namespace: str, verb: str, group: str, resource: str
    ) -> bool:
        """True if a service account may do this, by the API server's own word.

        Sends a SubjectAccessReview, a question that the API server stores nowhere.

        Args:
            account: its namespace and name.
            namespace: empty for all.
            resource: its plural, `*`, or one of a resource's own: `pods/log`.

        Raises:
            ReadFailed: it was not answered, for lack of the right to ask for instance.
        """
        named, _, part = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": named, "namespace": namespace}
        if part:
            attributes["subresource"] = part
        of, name = account
        groups = (f"system:serviceaccounts{part}" for part in ("", f":{of}"))
        question = {
            "user": f"system:serviceaccount:{of}:{name}",
            "groups": [*groups, "system:authenticated"],
            "resourceAttributes": attributes,
        }
        body = orjson.dumps({"apiVersion": _REVIEW_VERSION, "kind": REVIEW.kind, "spec": question})
        request = ApiRequest("create", REVIEW, "", "", self._expiry(), body)
        return request.read_review(self._send(request, {}))

    def list(self, resource: Resource, namespace: str, labels: str = "") -> PackedItems:
        """See `Reader.list`."""
        request = ApiRequest("list", resource, namespace, "", self._expiry())
        selection = {"labelSelector": labels} if labels else {}
        try:
            return self._pages(request, selection)
        except Expired:  # all pages show the same moment; start again with a later moment
            return self._pages(request, selection)

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        """See `Reader.follow`. Opens a watch, which ends by itself; with too many of them, none."""
        items = self.list(resource, namespace)
        followed = FollowedItems(items)
        # Nothing changes in a namespace that has none; a new object is requested by its name.
        if items and self._watches.acquire(blocking=False):
            request = ApiRequest("watch", resource, namespace, "", self._clock() + longest_s)
            watch = Watch(request, followed, self._lines)
            threading.Thread(target=self._watch, args=(watch,), daemon=True).start()
        return followed.get

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        """See `Reader.changes`."""
        request = ApiRequest("watch", resource, namespace, "", self._clock() + longest_s)
        return Changes(request, labels, self._lines).states(self._clock, self._sleep)

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> LineStream[Change]:
        """See `Reader.watch`."""
        expires = self._clock() + longest_s
        request = ApiRequest("watch", resource, namespace, "", expires)
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": "0",  # with bookmarks, Kubernetes 1.34 refuses this on an older etcd
            "timeoutSeconds": str(math.ceil(longest_s)),
        }

        def open_response() -> BaseHTTPResponse:
            return self._open_stream(request, query, longest_s)

        return LineStream(request, open_response, request.change, self._clock, _OF_WATCHES)

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> LineStream[bytes]:
        """See `Reader.log`."""
        longest_s = self._limits.response_s if follow_s is None else follow_s
        expires = self._clock() + longest_s
        request = ApiRequest("get", kinds.POD, pod.namespace, pod.name, expires, subresource="log")
        query = {
            "container": container,
            "timestamps": "true",
            "follow": "false" if follow_s is None else "true",
        }
        if oldest_s is not None:
            query["sinceSeconds"] = str(max(math.ceil(oldest_s), 1))

        def open_response() -> BaseHTTPResponse:
            return self._open_stream(request, query, longest_s)

        bounds = _OF_WHOLE_LOGS if follow_s is None else _OF_LOGS
        return LineStream(request, open_response, bytes, self._clock, bounds)

    def _watch(self, watch: Watch) -> None:
        try:
            watch.run(self._clock, self._sleep)
        except Forbidden as error:
            level = logging.DEBUG if self._is_refusal_reported else logging.WARNING
            self._is_refusal_reported = True
            _log.log(level, "%s; until then a disk hot-plugged meanwhile may be missed", error)
        finally:
            self._watches.release()

    def _expiry(self) -> float:
        return self._clock() + self._limits.request_s

    def _pages(self, request: ApiRequest, selection: Mapping[str, str]) -> PackedItems:
        items = PackedItems()
        query = {**selection, "limit": str(self._limits.page)}
        while True:
            response = self._send(request, query)
            may_be_unserved = request.resource.group and "continue" not in query
            if response.status == 404 and may_be_unserved:
                return items
            token, items.version = request.read_page(response, items.append)
            if not token:
                return items
            query["continue"] = token

    def _send(
        self, request: _Request, query: Mapping[str, str], *, is_repeatable: bool = True
    ) -> ApiResponse:
        send = self._retry if is_repeatable else self._request
        try:
            return send(request, query)
        except http.HTTPError as error:
            cause = f"{no_answer.address(self._host)}: {no_answer.reason(error)}"
            raise request.no_response(cause, no_answer.remedy(error)) from error

    def _retry(self, request: _Request, query: Mapping[str, str]) -> ApiResponse:
        pause_s = self._limits.first_pause_s
        for _ in range(self._limits.tries - 1):
            asked_s = None
            try:
                response = self._request(request, query)
                if response.status not in _PASSING:
                    return response
                asked_s = response.retry_after_s
            except _BROKEN_CONNECTION:
                pass
            wanted_s = pause_s if asked_s is None else asked_s
            self._sleep(min(wanted_s, self._limits.longest_pause_s))
            pause_s *= 2
        return self._request(request, query)

    def _request(self, request: _Request, query: Mapping[str, str]) -> ApiResponse:
        now = self._clock()
        expires = min(now + self._limits.response_s, request.expires)
        longest_s = expires - now
        if longest_s <= 0:
            raise request.unreachable(f"no response within {self._limits.request_s:g} s")
        silence_s = min(self._limits.read_s, longest_s)
        with self._open(request, query, silence_s) as response:
            return self._response(response, request, expires)

    def _open(
        self, request: _Request, query: Mapping[str, str], silence_s: float
    ) -> BaseHTTPResponse:
        """The response before its body; to be closed, as the body may be left unread."""
        url, has_body = self._host + request.path, bool(request.body)
        try:
            return self._pool.request(
                request.method,
                f"{url}?{urlencode(query)}" if query and has_body else url,
                fields=None if has_body else query,
                body=request.body or None,
                headers=self._headers(request),
                timeout=Timeout(connect=min(self._limits.connect_s, silence_s), read=silence_s),
                retries=False,  # urllib3 would make three of its own
                redirect=False,
                preload_content=False,
            )
        except http.ReadTimeoutError as error:
            if "handshake" in str(error.__cause__):  # urllib3 2 takes it for a read
                cause = "its TLS handshake timed out"
                raise http.ConnectTimeoutError(error.pool, cause) from error
            raise

    def _lines(self, request: ApiRequest, query: Mapping[str, str]) -> Iterator[bytes]:
        """Lines of a streamed response, until the server ends the stream."""
        with self._open_stream(request, query, self._limits.silence_s) as response:
            rest = b""
            while part := response.read1(_CHUNK_BYTES):
                *lines, rest = (rest + part).split(b"\n")
                yield from lines

    def _open_stream(
        self, request: ApiRequest, query: Mapping[str, str], silence_s: float
    ) -> BaseHTTPResponse:
        """The response before its body, if it is no failure; to be closed."""
        left_s = max(request.expires - self._clock(), 1.0)
        response = self._open(request, query, min(left_s, silence_s))
        if response.status == 200:
            return response
        with response:
            raise request.failure(self._response(response, request, request.expires))

    def _response(
        self, response: BaseHTTPResponse, request: _Request, expires: float
    ) -> ApiResponse:
        body = self._body(response, request, expires)
        headers = response.headers
        retry_after, date = headers.get("Retry-After", ""), headers.get("Date", "")
        return ApiResponse(response.status, retry_after, body, date)

    def _body(self, response: BaseHTTPResponse, request: _Request, expires: float) -> bytes:
        parts = []
        while part := response.read1(_CHUNK_BYTES):
            parts.append(part)
            if self._clock() > expires:
                size = sum(map(len, parts))
                raise request.unreachable(
                    f"response too slow: {size} bytes came before the deadline"
                )
        return b"".join(parts)

    def _headers(self, request: _Request) -> dict[str, str]:
        headers = {"Accept": request.accept, "User-Agent": self._user_agent}
        if request.body:
            headers["Content-Type"] = request.content_type
        try:
            with self._credentials:  # may run a program that fetches new ones: once
                setting = self._configuration.auth_settings().get("BearerToken")
        except Exception as error:  # noqa: BLE001 - of many libraries, see _client
            cause = f"no credentials: {_without_secrets(error)}"
            raise request.no_response(cause, CREDENTIALS_HINT) from None
        credentials = ((setting or {}).get("value") or "").strip()
        if not (credentials.isascii() and credentials.isprintable()):
            # http.client would refuse it too, and quote it
            raise request.no_response("no credentials: the token is not text", CREDENTIALS_HINT)
        return headers | ({"Authorization": credentials} if credentials else {})


def default_namespace(file: str = "", context: str = "") -> str:
    """The namespace of the chosen context of a kubeconfig, else of this pod, else `default`.

    Args:
        file: see `KubernetesReader.connect`.
        context: see `KubernetesReader.connect`.

    Raises:
        ReadFailed: there is no usable configuration.
    """
    file = file or os.environ.get("KUBECONFIG", "")
    if not (file or context) and os.environ.get("KUBERNETES_SERVICE_HOST"):
        mounted = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        return mounted.read_text().strip() if mounted.exists() else "default"
    try:
        contexts, current = config.list_kube_config_contexts(file or _DEFAULT_FILE)
    except Exception as error:  # noqa: BLE001 - see _client
        cause = _without_secrets(error)
        subject, attempt = f"kubeconfig {file or _DEFAULT_FILE}", "cannot read its contexts"
        raise ReadFailed(subject, attempt, cause) from None
    chosen = next((one for one in contexts if one.get("name") == context), current)
    return str((chosen.get("context") or {}).get("namespace") or "default")


def _client(file: str, context: str) -> ApiClient:
    configuration = Configuration()  # with the proxies of the environment
    configuration.connection_pool_maxsize = _MOST_CONNECTIONS
    file = file or os.environ.get("KUBECONFIG", "")
    try:
        if not (file or context) and os.environ.get("KUBERNETES_SERVICE_HOST"):
            source = "the service account of this pod"
            hint = "let the token be mounted: automountServiceAccountToken: true"
            config.load_incluster_config(configuration)
        else:
            file = file or _DEFAULT_FILE
            source = f"kubeconfig {file}"
            hint = "point KUBECONFIG at a kubeconfig with a current-context"
            _require_kubeconfig(file)
            hint = "mend it, or point KUBECONFIG at another; kubectl config view has to read it"
            with _login():
                config.load_kube_config(file, context or None, client_configuration=configuration)
            _require_url(configuration.host)
        return ApiClient(configuration)
    except _NoCredentials as error:
        raise ReadFailed(source, "cannot log in", str(error), CREDENTIALS_HINT) from None
    except Exception as error:  # noqa: BLE001 - YAML, OAuth, TLS and more: there is no common base
        cause, hint = _missing_context(context, file) or (_without_secrets(error), hint)
        raise ReadFailed(source, "cannot connect to a cluster", cause, hint) from None


def _require_kubeconfig(file: str) -> None:
    """Raises that no file of these is there; kubernetes 37 would call it invalid."""
    if not any(Path(one).expanduser().exists() for one in file.split(os.pathsep)):
        raise config.ConfigException("there is no such file")


def _require_url(host: str) -> None:
    """Raises that `server` is no URL; urllib3 would warn, and guess."""
    url = urlsplit(host)
    if url.scheme not in ("http", "https") or not url.hostname:
        what = f"server {no_answer.address(host)!r} is no URL like https://HOST:6443"
        raise config.ConfigException(what)


class _NoCredentials(Exception):
    """The program that fetches credentials has failed."""


@contextmanager
def _login() -> Iterator[None]:
    """Raises what the program that fetches credentials fails with, in the block.

    The kubernetes package (37) logs that, goes on without credentials, and then the API server says
    that nobody may do anything.

    Raises:
        _NoCredentials: it failed, or gave none.
    """
    failures: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: failures.append(record.getMessage())  # type: ignore[method-assign]
    handler.addFilter(lambda record: record.module == "kube_config")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
    if failures:
        raise _NoCredentials(no_answer.plain(failures[0]))


def _missing_context(context: str, file: str) -> tuple[str, str] | None:
    """Cause and remedy if the kubeconfig lacks the context; None if something else fails."""
    try:
        merged = config.kube_config.KubeConfigMerger(file).config
        names = [str(one["name"]) for one in merged["contexts"].value]
        chosen = context or str(merged["current-context"])
    except Exception:  # noqa: BLE001 - the file is broken otherwise, which is named already
        return None
    if chosen in names or not names:
        return None
    return f"there is no context {chosen!r}", f"its contexts are {listing(names)}"


def _without_secrets(error: Exception) -> str:
    """The kubernetes package's error, up to where a user entry with its token is quoted.

    Raise the result `from None`, because the cause still has the quotation: kubernetes 37 names
    each node of a kubeconfig by its whole content (`KubeConfigMerger._merge`).
    """
    if isinstance(error, (AttributeError, IndexError, KeyError, TypeError)):
        return f"what is in there is no kubeconfig ({type(error).__name__})"
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(filter(None, (error.strerror, error.filename)))
    text = " ".join(str(error).partition("/{")[0].split()).rstrip(".")
    return text if isinstance(error, config.ConfigException) else f"{type(error).__name__}: {text}"


def _version() -> str:
    try:
        return importlib.metadata.version("stillpoint")
    except importlib.metadata.PackageNotFoundError:  # run from its folder
        return "0"
