"""What changes in a namespace after it was listed, as one watch tells it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import pytest

from stillpoint.cluster.api_request import ApiRequest, ApiResponse
from stillpoint.cluster.packed import PackedItems
from stillpoint.cluster.watch import Changes, FollowedItems, Lines
from stillpoint.model.errors import Forbidden, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reader import Change, Lookup
from stillpoint.model.reference import Resource
from tests.unit.cluster.faulty_api_server import (
    PATIENT,
    Exchange,
    FaultyApiServer,
    Reply,
    closes,
    sends,
    status,
)

INSTANCES = Resource("kubevirt.io", "v1", "virtualmachineinstances", "VirtualMachineInstance")
LONG = replace(PATIENT, silence_s=20.0)
LONGEST_S = 30.0
RULE = 'resources: ["virtualmachineinstances"], verbs: ["watch"]'


def instance(name: str, version: str, *disks: str) -> Item:
    metadata = {"name": name, "namespace": "shop", "resourceVersion": version}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": metadata,
        "spec": {"volumes": [{"name": disk} for disk in disks]},
    }


LISTED = sends(
    {
        "metadata": {"resourceVersion": "7"},
        "items": [instance("db", "3", "root"), instance("b", "4")],
    }
)


def event(kind: str, item: Item) -> bytes:
    return orjson.dumps({"type": kind, "object": item}) + b"\n"


def bookmark(version: str) -> bytes:
    return event("BOOKMARK", {"kind": "X", "metadata": {"resourceVersion": version}})


def tells(*parts: bytes, then_ends: bool = False) -> Reply:
    """Chunks of a watch that goes on, or is then ended as a server ends it."""

    def reply(exchange: Exchange) -> bool:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            exchange.send(f"{len(part):x}\r\n".encode(), part, b"\r\n")
        if then_ends:
            exchange.send(b"0\r\n\r\n")
        else:
            exchange.ended.wait()
        return then_ends

    return reply


def breaks(*parts: bytes) -> Reply:
    """Chunks of a watch whose connection is then lost."""

    def reply(exchange: Exchange) -> bool:
        tells(*parts, then_ends=False)(replace(exchange, ended=_over()))
        return False

    return reply


def _over() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@contextmanager
def followed(*watch: Reply) -> Iterator[tuple[FaultyApiServer, Lookup]]:
    before = threading.active_count()
    with FaultyApiServer([LISTED, *watch]) as server:
        yield server, server.reader(LONG).follow(INSTANCES, "shop", LONGEST_S)
    wait_until(lambda: threading.active_count() <= before)  # one of another test may have ended


def wait_until(is_so: Callable[[], Any]) -> None:
    """The watch has a thread of its own."""
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def disks(lookup: Lookup, name: str = "db") -> list[str]:
    found = lookup(name) or {"spec": {"volumes": []}}
    return [disk["name"] for disk in found["spec"]["volumes"]]


def watches(server: FaultyApiServer) -> list[dict[str, str]]:
    return [heard.query for heard in server.heard if "watch" in heard.query]


def test_a_disk_that_is_plugged_after_the_list_is_seen_without_another_one() -> None:
    with followed(tells(event("MODIFIED", instance("db", "8", "root", "hot")))) as (server, lookup):
        wait_until(lambda: disks(lookup) == ["root", "hot"])
        assert disks(lookup, "b") == []
        assert [heard.query.get("limit") for heard in server.heard] == ["2000", None]


def test_a_watch_begins_where_the_list_ended_and_ends_by_itself() -> None:
    with followed(tells()) as (server, lookup):
        wait_until(lambda: watches(server))
        assert disks(lookup) == ["root"]
        [query] = watches(server)
        assert {**query, "timeoutSeconds": ""} == {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": "7",
            "timeoutSeconds": "",
        }
        assert 20 < int(query["timeoutSeconds"]) <= LONGEST_S
        assert server.heard[1].path.endswith("/namespaces/shop/virtualmachineinstances")


def test_what_comes_and_what_goes_is_seen() -> None:
    new, gone = instance("new", "8", "root"), instance("db", "9", "root")
    with followed(tells(event("ADDED", new), event("DELETED", gone))) as (_, lookup):
        wait_until(lambda: lookup("db") is None)
        assert lookup("new") == new
        assert lookup("b") == instance("b", "4")


def test_an_instance_that_changes_often_is_kept_once() -> None:
    items = PackedItems()
    items.append(instance("db", "3"))
    seen = FollowedItems(items)
    for version in ("8", "9"):
        seen.take("MODIFIED", instance("db", version))
    assert list(items) == [seen.get("db")] == [instance("db", "9")]


def test_an_instance_that_comes_back_is_the_new_one() -> None:
    gone, back = instance("db", "8", "root"), instance("db", "9", "other")
    with followed(tells(event("DELETED", gone), event("ADDED", back))) as (_, lookup):
        wait_until(lambda: disks(lookup) == ["other"])


def test_an_event_may_come_in_pieces_and_several_in_one() -> None:
    lines = event("MODIFIED", instance("db", "8", "ü")) + event("MODIFIED", instance("b", "9", "x"))
    pieces = [lines[:5], lines[5:200], lines[200:]]
    with followed(tells(*pieces)) as (_, lookup):
        wait_until(lambda: disks(lookup, "b") == ["x"])
        assert disks(lookup) == ["ü"]


@pytest.mark.parametrize(
    "early", [breaks(bookmark("8")), tells(bookmark("8"), then_ends=True)], ids=["lost", "ended"]
)
def test_a_watch_that_ends_early_goes_on_where_it_was(early: Reply) -> None:
    hot = event("MODIFIED", instance("db", "9", "hot"))
    with followed(early, tells(hot)) as (server, lookup):
        wait_until(lambda: disks(lookup) == ["hot"])
        assert [query["resourceVersion"] for query in watches(server)] == ["7", "8"]
        assert len(server.heard) == 3


def test_half_an_event_is_none() -> None:
    whole = event("MODIFIED", instance("db", "9", "hot"))
    with followed(breaks(whole[:-20]), tells(whole)) as (server, lookup):
        wait_until(lambda: disks(lookup) == ["hot"])
        assert [query["resourceVersion"] for query in watches(server)] == ["7", "7"]


GONE = {"kind": "Status", "code": 410, "message": "too old resource version"}
ENDS: dict[str, Reply] = {
    "410": status(410, "too old resource version"),
    "an event of 410": tells(event("ERROR", GONE)),
    "403": status(403),
    "400, a server that serves no watch": status(400),
    "500": status(500),
    "no JSON": tells(b"oops\n"),
    "no event": tells(b'{"type": 7}\n'),
    "no object": tells(event("MODIFIED", {"metadata": "db"})),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_a_watch_that_is_refused_leaves_the_list_as_it_was_and_is_not_tried_again(
    end: Reply,
) -> None:
    before = threading.active_count()
    with FaultyApiServer([LISTED, end, closes]) as server:
        lookup = server.reader(LONG).follow(INSTANCES, "shop", LONGEST_S)
        serving = 2  # the server's own: one that accepts, one for the connection
        wait_until(lambda: len(server.heard) == 2 and threading.active_count() <= before + serving)
        assert disks(lookup) == ["root"]
        assert len(server.heard) == 2
    wait_until(lambda: threading.active_count() <= before)  # one of another test may have ended


def test_a_watch_whose_connection_is_lost_each_time_is_given_up() -> None:
    with followed(closes) as (server, lookup):
        wait_until(lambda: len(server.heard) == 6)
        assert disks(lookup) == ["root"]
    assert len(server.heard) == 6


def has_told(caplog: pytest.LogCaptureFixture, times: int) -> bool:
    return len(caplog.records) == times


def test_a_missing_right_is_told_once_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    forbidden = status(403, "no")
    with (
        caplog.at_level(logging.DEBUG, "stillpoint"),
        FaultyApiServer([LISTED, forbidden, LISTED, forbidden]) as server,
    ):
        reader = server.reader(LONG)
        for told in (1, 2):
            reader.follow(INSTANCES, "shop", LONGEST_S)
            wait_until(partial(has_told, caplog, told))
    first, second = caplog.records
    assert (first.levelname, second.levelname) == ("WARNING", "DEBUG")
    assert first.getMessage().startswith(
        "virtualmachineinstances.kubevirt.io in namespace shop: cannot watch: the account has no "
        "right to watch virtualmachineinstances.kubevirt.io in namespace shop (HTTP 403: no); HINT"
    )
    assert RULE in first.getMessage()
    assert first.getMessage().endswith("a disk hot-plugged meanwhile may be missed")


def test_a_namespace_without_objects_is_not_watched() -> None:
    with FaultyApiServer([sends({"metadata": {}, "items": []}), status(404)]) as server:
        reader = server.reader(LONG)
        for _ in range(2):  # the second as if the resource were not served
            assert reader.follow(INSTANCES, "shop", LONGEST_S)("db") is None
    assert watches(server) == []


def test_a_namespace_beyond_so_many_watches_is_not_followed() -> None:
    with FaultyApiServer([LISTED, tells(), LISTED]) as server:
        reader = server.reader(replace(LONG, watches=1))
        reader.follow(INSTANCES, "shop", LONGEST_S)
        wait_until(lambda: watches(server))
        assert disks(reader.follow(INSTANCES, "other", LONGEST_S)) == ["root"]
    assert len(server.heard) == 3
    assert len(watches(server)) == 1


# changes that a caller waits for

States = tuple[list[tuple[str, bool]], list[dict[str, str]]]
"""Version of each object and whether it was deleted; the queries of the watches."""


def states(*script: Reply, longest_s: float = 30.0, silence_s: float = 20.0) -> States:
    """The states that come to a caller who has enough with version 9."""
    found: list[tuple[str, bool]] = []
    with FaultyApiServer(script) as server:
        reader = server.reader(replace(LONG, silence_s=silence_s))
        with closing(reader.changes(INSTANCES, "shop", "a=b", longest_s)) as changes:
            for change in changes:
                found.append((change.item["metadata"]["resourceVersion"], change.is_deleted))
                if found[-1][0] == "9":
                    break
    return found, watches(server)


def test_a_caller_gets_the_state_of_now_and_then_each_change() -> None:
    now, later = event("ADDED", instance("db", "3")), event("MODIFIED", instance("db", "8"))
    found, asked = states(tells(now, later, bookmark("8"), event("DELETED", instance("db", "9"))))
    assert found == [("3", False), ("8", False), ("9", True)]
    assert asked == [
        {"watch": "true", "labelSelector": "a=b", "resourceVersion": "0", "timeoutSeconds": "30"}
    ]


NOW = event("ADDED", instance("db", "3"))
LAST = event("ADDED", instance("db", "9"))
EXPIRED = event("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})


@pytest.mark.parametrize(
    "broken",
    [breaks(NOW), tells(NOW, then_ends=True), tells(NOW, EXPIRED), tells(NOW, b"{\n")],
    ids=["reset", "ended by the server", "expired", "no event"],
)
def test_a_watch_that_breaks_is_opened_again_with_the_state_of_now(broken: Reply) -> None:
    found, asked = states(broken, tells(LAST))
    assert found == [("3", False), ("9", False)]
    assert len(asked) == 2
    assert asked[1]["resourceVersion"] == "0"


@pytest.mark.parametrize("failure", [closes, status(429), status(500), status(503)])
def test_a_watch_that_cannot_be_opened_is_tried_again(failure: Reply) -> None:
    found, asked = states(failure, failure, tells(LAST))
    assert found == [("9", False)]
    assert len(asked) == 3


def test_a_connection_that_stays_silent_is_not_trusted() -> None:
    found, _asked = states(tells(NOW), tells(LAST), silence_s=2.0)
    assert found == [("3", False), ("9", False)]


def test_a_missing_right_is_no_reason_to_wait() -> None:
    with pytest.raises(Forbidden, match="no right to watch") as caught:
        states(status(403))
    assert RULE in str(caught.value)


def states_by(lines: Lines) -> list[Change]:
    """The states within ten seconds of a clock that goes on when somebody sleeps, or reads."""
    hands = [0.0]

    def read(request: ApiRequest, query: Mapping[str, str]) -> Iterator[bytes]:
        hands[0] += 3.0
        return lines(request, query)

    def sleep(pause_s: float) -> None:
        hands[0] += pause_s

    request = ApiRequest("watch", INSTANCES, "shop", "", 10.0)
    return list(Changes(request, "a=b", read).states(lambda: hands[0], sleep))


def test_it_ends_with_the_time() -> None:
    asked: list[str] = []

    def lines(_request: ApiRequest, query: Mapping[str, str]) -> Iterator[bytes]:
        asked.append(query["timeoutSeconds"])
        yield NOW

    assert states_by(lines) == 4 * [(instance("db", "3"), False)]
    assert asked == ["10", "7", "4", "1"]


def test_the_last_failure_is_told_when_the_time_is_over() -> None:
    def lines(request: ApiRequest, _query: Mapping[str, str]) -> Iterator[bytes]:
        raise request.failure(ApiResponse(500, "", b"{}"))

    with pytest.raises(Unreachable, match="cannot watch: HTTP 500"):
        states_by(lines)
