"""Of a page of a list no object is read, and what comes out is as if it had been."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from stillpoint.cluster.api_request import ApiRequest, ApiResponse, PageEnd
from stillpoint.cluster.packed import Fields, PackedItems
from stillpoint.model import json_text
from stillpoint.model.errors import Unreachable
from stillpoint.resources.machines import pod
from tests.json_values import JSON

ROOT = Path(__file__).parents[3]
OBJECTS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)
INDENTS = st.sampled_from([None, 1])
BROKEN = {
    "nothing": b"",
    "another value": b"[]",
    "no items": b'{"metadata":{}}',
    "items that are no array": b'{"metadata":{},"items":{}}',
    "no metadata": b'{"items":[]}',
    "not closed": b'{"metadata":{},"items":[{}]',
    "an array that is not closed": b'{"metadata":{},"items":[{}',
    "half an object": b'{"metadata":{},"items":[{"a":',
    "no object": b'{"metadata":{},"items":[{},7]}',
    "no comma between objects": b'{"metadata":{},"items":[{}{}]}',
    "a comma too many": b'{"metadata":{},"items":[{},]}',
    "a comma too many after the items": b'{"metadata":{},"items":[],}',
    "no colon": b'{"metadata":{},"items"[]}',
    "more behind it": b'{"metadata":{},"items":[]} {}',
    "a space of Unicode": '{\u00a0"metadata":{},"items":[]}'.encode(),
    "no UTF-8": b'{"metadata":{},"items":[{"a":"\xff"}]}',
    "no number": b'{"metadata":{},"items":[{"a":NaN}]}',
    "infinity": b'{"metadata":{},"items":[{"a":-Infinity}]}',
    "a line end in a string": b'{"metadata":{},"items":[{"a":"a\nb"}]}',
    "metadata that are no object": b'{"metadata":{},"items":[{"metadata":7}]}',
    "metadata that are no UTF-8": b'{"metadata":{},"items":[{"metadata":{"name":"\xff"}}]}',
    "an object too deep to be read": b'{"metadata":{},"items":[%s]}'
    % (b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
}
REQUEST = ApiRequest("list", pod.RESOURCE, "shop", "", 0.0)


def read(body: bytes) -> tuple[PageEnd, list[Any]]:
    items = PackedItems()
    end = REQUEST.read_page(ApiResponse(200, "", body), items.append)
    return end, list(items)


@given(
    page=st.dictionaries(st.sampled_from(["kind", "newer", "ü"]), JSON),
    metadata=st.dictionaries(st.sampled_from(["newest", "newer"]), JSON),
    items=st.lists(OBJECTS, max_size=5),
    end=st.builds(PageEnd, st.text(max_size=5), st.text(max_size=5)),
    indent=INDENTS,
)
def test_it_is_as_if_it_were_read_whole(
    page: dict[str, Any],
    metadata: dict[str, Any],
    items: list[dict[str, Any]],
    end: PageEnd,
    indent: int | None,
) -> None:
    whole = page | {"metadata": metadata, "items": items}
    if end.token:
        metadata["continue"] = end.token
    if end.version:
        metadata["resourceVersion"] = end.version
    spaced = f"\r\n {json.dumps(whole, indent=indent, ensure_ascii=indent is None)} \t".encode()
    typed = {"kind": "Pod", "apiVersion": "v1"}
    expected = [item if typed.keys() <= item.keys() else typed | item for item in items]
    for body in (spaced, orjson.dumps(whole)):
        told, taken = read(body)
        assert told == end
        assert orjson.dumps(taken) == orjson.dumps(orjson.loads(json.dumps(expected)))


def test_an_integer_that_no_64_bits_hold_is_as_everywhere_else() -> None:
    numbers = b"[18446744073709551615,18446744073709552000]"
    items = read(b'{"metadata":{},"items":[{"a":%s}]}' % numbers)[1]
    assert items[0]["a"] == orjson.loads(numbers)


@pytest.mark.parametrize("body", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_page_is_an_error(body: bytes) -> None:
    with pytest.raises(Unreachable, match="the response is no"):
        read(body)


def test_a_deep_object_comes_with_the_others() -> None:
    deep = b'{"a":' * 3_000 + b"1" + b"}" * 3_000
    body = b'{"metadata":{"continue":"next"},"items":[{"b":1},{"spec":%s}]}' % deep
    end, [other, found] = read(body)
    assert (end.token, other["b"], other["kind"]) == ("next", 1, "Pod")
    assert json_text.encode(found["spec"]) == deep


def test_no_field_of_an_object_is_read_before_somebody_asks_for_it() -> None:
    taken: list[Fields] = []
    body = b'{"metadata":{},"items":[{"kind":"Pod","apiVersion":"v1","spec":{"a":1}}]}'
    REQUEST.read_page(ApiResponse(200, "", body), taken.append)
    assert taken == [{"kind": Raw(b'"Pod"'), "apiVersion": Raw(b'"v1"'), "spec": Raw(b'{"a":1}')}]


def test_a_number_that_nobody_can_hold_is_an_error_for_who_asks_for_it() -> None:
    items = PackedItems()
    body = b'{"metadata":{},"items":[{"a":1e400},{"a":1e300}]}'
    REQUEST.read_page(ApiResponse(200, "", body), items.append)
    with pytest.raises(Unreachable, match="an object of a list: cannot read it") as caught:
        items[0]
    assert "infinity" in caught.value.cause
    assert items[1]["a"] == 1e300


def test_the_first_pages_of_a_process_are_read_side_by_side() -> None:
    """One process in ten ended with a segmentation fault."""
    command = [sys.executable, "-m", "tests.unit.cluster.first_page"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
