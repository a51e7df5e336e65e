"""Connections to servers of object stores, through the proxy of the environment if it has one."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout, make_headers
from urllib3 import exceptions as http

from stillpoint.downloads.errors import DownloadFailed, Interrupted
from stillpoint.downloads.signed_url import SignedUrl
from stillpoint.downloads.trust import CA_HINT, Trust

_OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""No proxy is asked for these, as Go has it (golang.org/x/net/http/httpproxy)."""

_LOGGER = logging.getLogger("urllib3.connectionpool")


@dataclass(frozen=True, slots=True)
class Connection:
    """Sends requests.

    Attributes:
        connect_s: until a connection stands.
        silence_s: between two bytes.
    """

    trust: Trust
    connect_s: float = 10.0
    silence_s: float = 30.0

    def get(self, url: SignedUrl, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """The response, whatever its status, before its body; to be closed.

        Raises:
            DownloadFailed: there is none.
        """
        try:
            with _unlogged():
                return self._manager(url).request(
                    "GET",
                    url.text.partition("#")[0],
                    headers=dict(headers),
                    timeout=Timeout(connect=self.connect_s, read=self.silence_s),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
        except http.HTTPError as error:
            raise self.failure(url, error) from None

    def failure(self, url: SignedUrl, error: http.HTTPError) -> DownloadFailed:
        """The error, without what of it may quote the URL: raise it `from None`."""
        reason = _innermost(error)
        if "certificate" in reason.lower():
            return url.failure(f"{url.server} is not trusted: {reason}", CA_HINT)
        cause = f"no connection to {url.server} that lasts: {reason}"
        if isinstance(error, http.LocationParseError | http.ProxySchemeUnknown):
            return url.failure(f"no connection to {url.server}")
        return Interrupted(url.subject, "cannot download it", cause, _REACH_HINT)

    def _manager(self, url: SignedUrl) -> PoolManager:
        context = self.trust.context(url.subject) if url.parts.scheme == "https" else None
        proxy = _proxy(url)
        if not proxy:
            return PoolManager(num_pools=1, ssl_context=context)
        parts = urlsplit(proxy)
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers = make_headers(proxy_basic_auth=user) if parts.username else None
        return ProxyManager(proxy, num_pools=1, proxy_headers=headers, ssl_context=context)


_REACH_HINT = (
    "the object store has to be reachable from here: where only the cluster reaches it, set "
    "publicUrl in the config of the BackupStorageLocation, or run this in the cluster"
)


def _proxy(url: SignedUrl) -> str:
    """URL of the proxy; empty for a direct connection."""
    host = url.parts.hostname or ""
    proxies = getproxies()
    if host in _OWN_HOSTS or proxy_bypass(host):
        return ""
    proxy = proxies.get(url.parts.scheme, "")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keeps URLs from urllib3's log, and its warning of what the user has asked for."""
    _LOGGER.addFilter(_is_no_request)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", http.InsecureRequestWarning)
            yield
    finally:
        _LOGGER.removeFilter(_is_no_request)


def _is_no_request(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _innermost(error: BaseException) -> str:
    """The reason of the operating system or of TLS, in one line; urllib3's own quote the URL."""
    while isinstance(error, http.HTTPError):
        inner = (
            getattr(error, "reason", None)
            or error.__cause__
            or next((one for one in reversed(error.args) if isinstance(one, BaseException)), None)
        )
        if not isinstance(inner, BaseException):
            return _OF_TYPES.get(type(error), type(error).__name__)
        error = inner
    text = getattr(error, "strerror", None) or getattr(error, "verify_message", None)
    return " ".join(str(text or type(error).__name__).split()).rstrip(".")


_OF_TYPES = {
    http.ReadTimeoutError: "the server falls silent",
    http.ConnectTimeoutError: "it does not answer",
    http.IncompleteRead: "the server breaks off",
}
