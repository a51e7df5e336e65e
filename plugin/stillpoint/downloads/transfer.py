"""Fetches a file over HTTP, from a server that may do anything.

Connections are urllib3's; redirects, retries and limits are this module's, because those of urllib3
bound neither a body nor its time, and its errors and its log quote the URL.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass

from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as http

from stillpoint.downloads.connection import Connection
from stillpoint.downloads.errors import DownloadFailed, Interrupted
from stillpoint.downloads.partial import Partial
from stillpoint.downloads.signed_url import SignedUrl

Report = Callable[[int, int], None]
"""Takes bytes that have come, and bytes in all."""

OpenUrl = Callable[[], AbstractContextManager[SignedUrl]]
"""Gives a URL that is valid now."""

_CHUNK_BYTES = 128 * 1024
_EXPLANATION_BYTES = 4096
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")  # S3 and Azure
_NUMBER = re.compile("[0-9]{1,18}")
_RANGE = re.compile("bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")

_EXPIRED_HINT = (
    "the URL is valid for ten minutes by the clock of the object store: compare the clocks of "
    "Velero's node and of the store, and look whether Velero's credentials may read the bucket"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a download.

    Attributes:
        whole_s: all tries, from the first request to the last byte.
        tries: of a file; each goes on where the one before was broken off.
        pause_s: before the second try; doubled before each further one.
        redirects: in a row.
    """

    whole_s: float = 1800.0
    tries: int = 4
    pause_s: float = 1.0
    redirects: int = 3


@dataclass(frozen=True, slots=True)
class Transfer:
    """Downloads files.

    Attributes:
        clock: seconds, monotonic.
    """

    connection: Connection
    limits: Limits = Limits()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def fetch(self, open_url: OpenUrl, most_bytes: int, report: Report) -> Partial | None:
        """The whole file; None if the server has no such file.

        Args:
            open_url: called for each try: a URL expires.
            most_bytes: of the file.

        Raises:
            DownloadFailed: it did not come, or is larger.
        """
        partial = Partial()
        try:
            is_there = self._try(open_url, _Wanted(partial, most_bytes, report))
        except BaseException:
            partial.file.close()
            raise
        if not is_there:
            partial.file.close()
            return None
        partial.file.seek(0)
        return partial

    def _try(self, open_url: OpenUrl, wanted: "_Wanted") -> bool:
        expires = self.clock() + self.limits.whole_s
        for pause_s in self._pauses():
            try:
                with open_url() as url:
                    return self._in_time(url, wanted, expires)
            except Interrupted:
                if pause_s is None or self.clock() + pause_s > expires:
                    raise
                self.sleep(pause_s)
        return False

    def _pauses(self) -> Iterator[float | None]:
        yield from (self.limits.pause_s * 2**number for number in range(self.limits.tries - 1))
        yield None

    def _in_time(self, url: SignedUrl, wanted: "_Wanted", expires: float) -> bool:
        """Receives in a thread: a server can drip header after header, and no read ends.

        Raises:
            DownloadFailed: as of `_receive`, or it takes too long; then the thread is left alone.
        """
        received: Future[bool] = Future()

        def receive() -> None:
            try:
                received.set_result(self._receive(url, wanted, expires))
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                received.set_exception(error)

        threading.Thread(target=receive, daemon=True).start()
        wait([received], max(expires - self.clock(), 0.0))
        if received.done():
            return received.result()
        raise self._too_late(url, wanted)

    def _too_late(self, url: SignedUrl, wanted: "_Wanted") -> DownloadFailed:
        cause = f"{wanted.partial.received} bytes came in {self.limits.whole_s:g} s"
        return url.failure(cause, "give it more time: --timeout")

    def _receive(self, url: SignedUrl, wanted: "_Wanted", expires: float) -> bool:
        response = self._final_response(url, wanted.headers)
        try:
            if response.status not in (200, 206):
                wanted.refuse(url, response)
                return False
            self._keep(url, response, wanted, expires)
        except http.HTTPError as error:
            raise self.connection.failure(url, error) from None
        finally:
            response.close()
        return True

    def _final_response(self, url: SignedUrl, headers: dict[str, str]) -> BaseHTTPResponse:
        for _ in range(self.limits.redirects + 1):
            response = self.connection.get(url, headers)
            if response.status not in _REDIRECTS:
                return response
            response.close()
            url = url.redirected(response.headers.get("Location", ""))
        raise url.failure(f"more than {self.limits.redirects} redirects")

    def _keep(
        self, url: SignedUrl, response: BaseHTTPResponse, wanted: "_Wanted", expires: float
    ) -> None:
        wanted.begin(url, response)
        while part := response.read1(_CHUNK_BYTES, decode_content=False):
            wanted.keep(url, part)
            if self.clock() > expires:
                raise self._too_late(url, wanted)
        wanted.end(url)


@dataclass(slots=True)
class _Wanted:
    """A file that is wanted.

    Attributes:
        whole_bytes: by the server's word; 0 if it gave none.
    """

    partial: Partial
    most_bytes: int
    report: Report
    whole_bytes: int = 0

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self.partial.received and self.partial.version:
            begin = {"Range": f"bytes={self.partial.received}-", "If-Match": self.partial.version}
            return headers | begin
        return headers

    def refuse(self, url: SignedUrl, response: BaseHTTPResponse) -> None:
        """Takes a response without content.

        Raises:
            DownloadFailed: the response says anything else than that there is no such file.
        """
        if response.status in (412, 416):  # another file by now: the next try is of that
            self.partial.clear()
            raise Interrupted(url.subject, "cannot download it", "it changes while it is read")
        code = _code(response)
        if response.status == 404 and code != "NoSuchBucket":
            return
        cause = f"{url.server} answers HTTP {response.status}{code and f' ({code})'}"
        if response.status in _PASSING:
            raise Interrupted(url.subject, "cannot download it", cause)
        raise url.failure(cause, _EXPIRED_HINT if response.status in (400, 401, 403) else "")

    def begin(self, url: SignedUrl, response: BaseHTTPResponse) -> None:
        """Goes on where the last try ended, or starts again, as the response has it.

        Raises:
            DownloadFailed: the response is of another part, or of more bytes than it may.
        """
        if response.status == 206:
            self.whole_bytes = self._whole_bytes_of_range(url, response)
        else:
            self.partial.clear()
            length = response.headers.get("Content-Length", "")
            self.whole_bytes = int(length) if _NUMBER.fullmatch(length) else 0
        self.partial.version = _strong(response.headers.get("ETag", ""))
        self._check_size(url, self.whole_bytes)

    def keep(self, url: SignedUrl, part: bytes) -> None:
        """Adds what came.

        Raises:
            DownloadFailed: it is more than it may be.
        """
        self._check_size(url, self.partial.received + len(part))
        self.partial.write(part)
        self.report(self.partial.received, max(self.whole_bytes, self.partial.received))

    def end(self, url: SignedUrl) -> None:
        """Takes the end of a response.

        Raises:
            Interrupted: it is not the end of the file.
        """
        if self.partial.received < self.whole_bytes:
            raise Interrupted(url.subject, "cannot download it", "no more than a part of it came")

    def _whole_bytes_of_range(self, url: SignedUrl, response: BaseHTTPResponse) -> int:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != self.partial.received:
            self.partial.clear()
            raise Interrupted(url.subject, "cannot download it", "another part of it came")
        return int(found[2])

    def _check_size(self, url: SignedUrl, whole_bytes: int) -> None:
        if whole_bytes > self.most_bytes:
            raise url.failure(f"it has more than {self.most_bytes} bytes, as no such file has")


def _strong(version: str) -> str:
    """An ETag that stands for the very bytes; a weak one stands for nothing here."""
    return version if version.startswith('"') and len(version) < 200 else ""


def _code(response: BaseHTTPResponse) -> str:
    """The server's own code for a failure; empty if it gives none."""
    found = _CODE.search(response.read(_EXPLANATION_BYTES, decode_content=False))
    return found[1].decode() if found else ""
