"""Streams: the log of a container as its node and a hostile guest send it; one watched object."""

import io
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from queue import SimpleQueue

import pytest
from urllib3 import HTTPResponse

from stillpoint.cluster import stream
from stillpoint.cluster.api_request import ApiRequest
from stillpoint.model import kinds
from stillpoint.model.errors import Forbidden, NoResponse, Unreachable
from stillpoint.model.reader import Change, Stream
from tests.unit.cluster.faulty_api_server import PATIENT, Exchange, FaultyApiServer, answers, status
from tests.unit.cluster.test_watch import INSTANCES, bookmark, breaks, event, instance, tells

POD = kinds.POD.named("shop", "virt-launcher-db-x")
FIRST = b"2026-05-04T12:00:01.123456789Z login:\r\n"
SECOND = b"2026-05-04T12:00:02.5Z @stillpoint {}\r\n"
LINES = [FIRST[:-1], SECOND[:-1]]


def test_a_log_that_is_there_is_read_to_its_end() -> None:
    with FaultyApiServer([answers(200, FIRST + SECOND)]) as server:
        assert list(server.reader().log(POD, "guest-console-log", 60.0)) == LINES
        [heard] = server.heard
    assert heard.path == "/api/v1/namespaces/shop/pods/virt-launcher-db-x/log"
    assert heard.query == {
        "container": "guest-console-log",
        "timestamps": "true",
        "sinceSeconds": "60",
        "follow": "false",
    }


def test_lines_that_are_followed_come_one_by_one_until_the_log_is_closed() -> None:
    with FaultyApiServer([tells(FIRST[:9], FIRST[9:] + SECOND)]) as server:
        log = server.reader().log(POD, "compute", 60.0, follow_s=30.0)
        found = collect_aside(log)
        assert [found.get(timeout=60) for _ in LINES] == LINES
        assert server.heard[0].query["follow"] == "true"
        log.close()
        assert found.get(timeout=60) is None, "the end, and no error"


def test_a_log_that_was_closed_before_is_over_at_once() -> None:
    with FaultyApiServer([tells(FIRST)]) as server:
        log = server.reader().log(POD, "compute", 60.0, follow_s=30.0)
        log.close()
        assert list(log) == []


def test_a_log_in_which_nothing_is_printed_ends_at_its_deadline() -> None:
    with FaultyApiServer([tells(FIRST)]) as server:
        log = server.reader().log(POD, "compute", 60.0, follow_s=2.0)
        assert list(log) == LINES[:1]


def test_a_whole_log_of_which_the_end_does_not_come_is_a_failure() -> None:
    """What is not in it is taken for not said."""
    with FaultyApiServer([tells(FIRST)]) as server:
        log = iter(server.reader(replace(PATIENT, response_s=2.0)).log(POD, "compute", 60.0))
        assert next(log) == LINES[0]
        with pytest.raises(NoResponse, match="end did not come in time"):
            next(log)


@pytest.mark.parametrize(
    ("is_whole", "outcome"), [(True, pytest.raises(NoResponse)), (False, nullcontext())]
)
def test_a_log_that_comes_slowly_ends_at_its_deadline(
    is_whole: bool, outcome: AbstractContextManager[object]
) -> None:
    request = ApiRequest("get", kinds.POD, "shop", "db", 1.5, subresource="log")
    body = HTTPResponse(io.BytesIO(FIRST * 100_000), preload_content=False)
    bounds = stream.Bounds(line=100, response=1_000_000_000, is_whole=is_whole)
    log = stream.LineStream(request, lambda: body, bytes, iter(range(9)).__next__, bounds)
    with outcome:
        assert len(list(log)) < 100_000


def test_the_missing_right_is_named() -> None:
    refusal = 'pods "db" is forbidden: User "velero" cannot get resource "pods/log"'
    with (
        FaultyApiServer([status(403, refusal)]) as server,
        pytest.raises(Forbidden, match="no right to get pods/log in namespace shop") as caught,
    ):
        list(server.reader().log(POD, "compute", 60.0))
    assert caught.value.hint.endswith('resources: ["pods/log"], verbs: ["get"]')


def test_a_failure_and_a_connection_that_is_lost_are_no_end() -> None:
    with FaultyApiServer([status(400, "container is not valid"), breaks(FIRST)]) as server:
        with pytest.raises(Unreachable, match="container is not valid"):
            list(server.reader().log(POD, "none", 60.0))
        followed = iter(server.reader().log(POD, "compute", 60.0, follow_s=30.0))
        assert next(followed) == LINES[0]
        with pytest.raises(NoResponse):
            next(followed)


def test_of_a_line_without_an_end_no_more_than_its_beginning_is_kept() -> None:
    parts = [b"2026-05-04T12:00:00Z " + b"x" * 1_000_000, *[b"y" * 1_000_000] * 50, b"\n" + SECOND]
    assert list(stream.lines(parts, 100)) == [parts[0][:100], LINES[1]]


def test_a_guest_that_never_stops_printing_is_left() -> None:
    with FaultyApiServer([floods]) as server:
        read = sum(1 for _ in server.reader().log(POD, "compute", 60.0, follow_s=60.0))
    assert len(FIRST) * read < 17 * 1024 * 1024


def test_a_log_that_is_too_long_is_not_whole() -> None:
    with (
        FaultyApiServer([floods]) as server,
        pytest.raises(NoResponse, match="the response is too long"),
    ):
        list(server.reader(replace(PATIENT, response_s=60.0)).log(POD, "compute", 60.0))


def test_one_object_is_watched_by_its_name_and_signs_of_life_come_too() -> None:
    was, now = instance("db", "3", "root"), instance("db", "8", "root", "data")
    told = tells(event("ADDED", was), bookmark("7"), event("DELETED", now), then_ends=True)
    with FaultyApiServer([told]) as server:
        changes = list(server.reader().watch(INSTANCES, "shop", "db", 30.0))
        [heard] = server.heard
    assert [changes[0], changes[2]] == [Change(was), Change(now, is_deleted=True)]
    assert "name" not in changes[1].item["metadata"]
    assert (heard.query["fieldSelector"], heard.query["watch"]) == ("metadata.name=db", "true")


def test_a_watch_that_the_server_ends_with_an_error_says_so() -> None:
    gone = {"kind": "Status", "code": 500, "message": "too many"}
    with (
        FaultyApiServer([tells(event("ERROR", gone), then_ends=True)]) as server,
        pytest.raises(Unreachable, match="too many"),
    ):
        list(server.reader().watch(INSTANCES, "shop", "db", 30.0))


def floods(exchange: Exchange) -> bool:
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    part = FIRST * 10_000
    while not exchange.ended.is_set():
        exchange.send(f"{len(part):x}\r\n".encode(), part, b"\r\n")
    return False


def collect_aside(log: Stream[bytes]) -> "SimpleQueue[bytes | None]":
    """The lines as a thread finds them, and None at their end."""
    found: SimpleQueue[bytes | None] = SimpleQueue()

    def read() -> None:
        for line in log:
            found.put(line)
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    return found
