"""Downloads from servers that lie, break off, send too much or lead elsewhere."""

import logging
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from stillpoint.downloads.connection import Connection
from stillpoint.downloads.errors import DownloadFailed, Interrupted
from stillpoint.downloads.signed_url import SignedUrl
from stillpoint.downloads.transfer import Limits, Transfer
from stillpoint.downloads.trust import Trust
from tests.unit.cluster.faulty_api_server import (
    Exchange,
    FaultyApiServer,
    Reply,
    answers,
    closes,
    keeps_silent,
    speaks_another_protocol,
)

SECRET = "X-Signature=5e4c9a"
BODY = b"of the archive"
MOST = 1000
VERSION = '"v1"'


@dataclass
class Download:
    """One download from a scripted server.

    Attributes:
        pauses: between tries, noted instead of made.
        urls: asked for, each with a signature of its own.
    """

    script: Sequence[Reply]
    limits: Limits = field(default_factory=Limits)
    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)
    silence_s: float = 20.0
    urls: int = 0
    open_urls: int = 0

    def run(self, most_bytes: int = MOST) -> bytes | None:
        with FaultyApiServer(self.script) as self.server:
            connection = Connection(Trust(), connect_s=20.0, silence_s=self.silence_s)
            transfer = Transfer(connection, self.limits, self._clock, self.pauses.append)
            found = transfer.fetch(self._url, most_bytes, lambda *far: self.progress.append(far))
            if found is None:
                return None
            with found.file:
                return found.file.read()

    def failure(self, most_bytes: int = MOST) -> DownloadFailed:
        with pytest.raises(DownloadFailed) as caught:
            self.run(most_bytes)
        assert self.open_urls == 0
        return caught.value

    @property
    def asked(self) -> list[str]:
        return [heard.headers.get("range", "") for heard in self.server.heard]

    @contextmanager
    def _url(self) -> Iterator[SignedUrl]:
        self.urls += 1
        self.open_urls += 1
        url = f"{self.server.url}/bucket/file?try={self.urls}&{SECRET}"
        try:
            yield SignedUrl.parse("BackupContents of backup nightly", url)
        finally:
            self.open_urls -= 1

    def _clock(self) -> float:
        self.seconds += 1.0
        return self.seconds


def raw(*lines: str, body: bytes = b"") -> Reply:
    """Lines of a head and a body as they are, and the end of the connection."""

    def reply(exchange: Exchange) -> bool:
        exchange.send("".join(f"{line}\r\n" for line in lines).encode(), b"\r\n", body)
        return False

    return reply


def cut_after(number: int, version: str = VERSION) -> Reply:
    """Promises all of the body, and sends the first bytes of it."""
    head = ("HTTP/1.1 200 OK", f"Content-Length: {len(BODY)}", f"ETag: {version}")
    return raw(*head, body=BODY[:number])


def rest_from(number: int, stated: int | None = None) -> Reply:
    start = number if stated is None else stated
    of = f"Content-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}"
    length = f"Content-Length: {len(BODY) - number}"
    return raw("HTTP/1.1 206 Partial", of, length, f"ETag: {VERSION}", body=BODY[number:])


def xml(status: int, code: str) -> Reply:
    return answers(status, f"<Error><Code>{code}</Code><Key>{SECRET}</Key></Error>".encode())


def test_a_file_comes_as_it_is_and_its_progress_is_reported() -> None:
    download = Download([answers(200, BODY)])
    assert download.run() == BODY
    assert download.progress[-1] == (len(BODY), len(BODY))
    [heard] = download.server.heard
    assert heard.headers["accept-encoding"] == "identity"
    assert "authorization" not in heard.headers


def test_no_such_file_is_a_result() -> None:
    assert Download([xml(404, "NoSuchKey")]).run() is None
    assert Download([answers(404, b"")]).run() is None


def test_a_bucket_that_is_gone_is_an_error() -> None:
    assert "NoSuchBucket" in Download([xml(404, "NoSuchBucket")]).failure().cause


@pytest.mark.parametrize("first", [closes, keeps_silent, xml(503, "SlowDown"), cut_after(0)])
def test_what_passes_is_tried_again_with_a_new_url(first: Reply) -> None:
    download = Download([first, answers(200, BODY)], silence_s=2.0)
    assert download.run() == BODY
    assert [heard.query["try"] for heard in download.server.heard] == ["1", "2"]
    assert download.pauses == [1.0]


def test_a_download_goes_on_where_it_was_broken_off() -> None:
    download = Download([cut_after(5), rest_from(5)])
    assert download.run() == BODY
    assert download.asked == ["", "bytes=5-"]
    assert download.server.heard[1].headers["if-match"] == VERSION


@pytest.mark.parametrize(
    "second",
    [
        answers(200, BODY),
        raw("HTTP/1.1 206 Partial", "Content-Length: 2", "Content-Range: bytes 7-8/9", body=b"xx"),
        raw("HTTP/1.1 206 Partial", "Content-Length: 2", body=b"xx"),
        raw("HTTP/1.1 206 Partial", "Content-Length: 2", "Content-Range: bytes 5-6/*", body=b"xx"),
        answers(412, b""),
        answers(416, b""),
    ],
)
def test_it_starts_again_where_the_rest_is_not_of_the_same_file(second: Reply) -> None:
    assert Download([cut_after(5), second, answers(200, BODY)]).run() == BODY


@pytest.mark.parametrize("version", ['W/"v1"', "", "v1"])
def test_without_a_version_it_starts_again(version: str) -> None:
    download = Download([cut_after(5, version), answers(200, BODY)])
    assert download.run() == BODY
    assert download.asked == ["", ""]


def test_it_goes_on_as_often_as_the_server_gives_a_part() -> None:
    part = f"Content-Range: bytes 5-7/{len(BODY)}"
    head = ("HTTP/1.1 206 Partial", part, "Content-Length: 3", f"ETag: {VERSION}")
    download = Download([cut_after(5), raw(*head, body=BODY[5:8]), rest_from(8)])
    assert download.run() == BODY
    assert download.asked == ["", "bytes=5-", "bytes=8-"]


def test_a_part_that_nobody_asked_for_is_no_file() -> None:
    download = Download([rest_from(5), answers(200, BODY)])
    assert download.run() == BODY


def test_tries_have_an_end() -> None:
    download = Download([closes])
    assert isinstance(download.failure(), Interrupted)
    assert download.urls == 4
    assert download.pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("code", [400, 401, 403])
def test_an_expired_url_is_no_riddle(code: int) -> None:
    download = Download([xml(code, "AccessDenied")])
    error = download.failure()
    assert f"HTTP {code} (AccessDenied)" in error.cause
    assert "ten minutes" in error.hint
    assert download.urls == 1


def test_a_body_without_end_is_cut_off() -> None:
    def endless(exchange: Exchange) -> bool:
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not exchange.ended.is_set():
            exchange.send(b"x" * 100)
        return False

    download = Download([endless])
    assert "more than 1000 bytes" in download.failure().cause
    assert max((done for done, _whole in download.progress), default=0) <= MOST


def test_a_length_that_is_too_large_is_refused_before_the_body() -> None:
    download = Download([raw("HTTP/1.1 200 OK", "Content-Length: 5000", body=b"x")])
    assert "more than 1000 bytes" in download.failure().cause
    assert download.progress == []


@pytest.mark.parametrize("length", ["-5", "1e3", "9" * 400, "٣"])
def test_a_length_that_is_none_is_not_believed(length: str) -> None:
    reply = raw("HTTP/1.1 200 OK", f"Content-Length: {length}", body=BODY)
    try:
        assert Download([reply]).run() == BODY
    except DownloadFailed as error:
        assert SECRET not in str(error)  # noqa: PT017 - either is right


def test_a_body_that_is_longer_than_its_length_ends_there() -> None:
    assert Download([raw("HTTP/1.1 200 OK", "Content-Length: 3", body=BODY)]).run() == BODY[:3]


def test_a_server_that_drips_has_no_more_than_its_time() -> None:
    def drips(exchange: Exchange) -> bool:
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not exchange.ended.wait(0.001):
            exchange.send(b"x")
        return False

    error = Download([drips], Limits(whole_s=20.0)).failure(10**9)
    assert "in 20 s" in error.cause
    assert "--timeout" in error.hint


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Drip: ",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["status", "header", "chunk"],
)
def test_a_server_that_never_comes_to_the_body_has_no_more_than_its_time(begin: bytes) -> None:
    def drips(exchange: Exchange) -> bool:
        exchange.send(begin)
        while not exchange.ended.wait(0.01):
            exchange.send(b"x")
        return False

    error = Download([drips], Limits(whole_s=1.5)).failure()
    assert error.cause == "0 bytes came in 1.5 s"
    assert "--timeout" in error.hint


def test_redirects_are_followed() -> None:
    script = [raw("HTTP/1.1 307 There", "Location: /other?x=1"), answers(200, BODY)]
    download = Download(script)
    assert download.run() == BODY
    assert download.server.heard[1].path == "/other"


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://host/x",
        "http://",
        "http://user@host/",
        "http://h/\x7f",
        "http://[",
        "",
    ],
)
def test_redirects_lead_to_servers_of_http_alone(location: str) -> None:
    download = Download([raw("HTTP/1.1 302 There", f"Location: {location}")])
    assert SECRET not in str(download.failure())
    assert len(download.server.heard) <= 4


def test_redirects_have_an_end() -> None:
    download = Download([raw("HTTP/1.1 302 There", "Location: /again")])
    assert "more than 3 redirects" in download.failure().cause
    assert len(download.server.heard) == 4


def test_no_redirect_leads_from_tls_to_none() -> None:
    url = SignedUrl.parse("a file", f"https://store/x?{SECRET}")
    assert url.redirected("//other/y").server == "https://other"
    with pytest.raises(DownloadFailed, match="without TLS"):
        url.redirected("http://store/y")


@pytest.mark.parametrize(
    "reply", [closes, xml(403, "AccessDenied"), xml(500, SECRET), speaks_another_protocol]
)
def test_the_signature_shows_nowhere(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        error = Download([reply]).failure()
    shown = f"{error!r} {error} {error.__cause__!r} {caplog.text}"
    assert SECRET not in shown
    assert SECRET not in repr(SignedUrl("a file", f"http://store/x?{SECRET}"))


@pytest.mark.parametrize(
    "text", ["file:///etc/passwd", "http://h:x/", "http://[::1/", "h", "http://a b/"]
)
def test_what_is_no_url_of_http_is_refused(text: str) -> None:
    with pytest.raises(DownloadFailed):
        SignedUrl.parse("a file", text)


def test_a_content_encoding_is_left_alone() -> None:
    packed = zlib.compress(b"x" * 500)
    reply = raw("HTTP/1.1 200 OK", "Content-Encoding: deflate", body=packed)
    assert Download([reply]).run() == packed
