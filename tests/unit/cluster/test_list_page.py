"""A page that is read object by object is what it would be as a whole."""

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.cluster import list_page

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip
KEYS = st.sampled_from(["kind", "items", "metadata", "newer", "ü"])
INDENTS = st.sampled_from([None, 1])
BROKEN = {
    "nothing": b"",
    "another value": b"[]",
    "not closed": b'{"items":[{}]',
    "an array that is not closed": b'{"items":[{}',
    "half an object": b'{"items":[{"a":',
    "no comma between objects": b'{"items":[{}{}]}',
    "a comma too many": b'{"items":[{},]}',
    "a comma too many after the items": b'{"items":[],}',
    "no colon": b'{"items"[]}',
    "a key without quotes": b"{items:[]}",
    "a number as key": b"{1:2}",
    "more behind it": b'{"items":[]} {}',
    "a space of Unicode": '{\u00a0"items":[]}'.encode(),
    "no UTF-8": b'{"items":["\xff"]}',
    "no number": b'{"items":[NaN]}',
    "infinity": b'{"items":[-Infinity]}',
    "a number too large": b'{"items":[1e400]}',
    "a line end in a string": b'{"items":["a\nb"]}',
}


def read(body: bytes) -> tuple[dict[str, Any], list[Any]]:
    items: list[Any] = []
    return list_page.read(body, items.append), items


@given(page=st.dictionaries(KEYS, JSON), items=st.lists(JSON, max_size=5), indent=INDENTS)
def test_it_is_as_if_it_were_read_whole(
    page: dict[str, Any], items: list[Any], indent: int | None
) -> None:
    whole = page | ({"items": items} if "items" in page else {})
    spaced = f"\r\n {json.dumps(whole, indent=indent, ensure_ascii=indent is None)} \t".encode()
    for body in (spaced, orjson.dumps(whole)):
        rest, taken = read(body)
        if "items" in whole:
            assert rest["items"] == []
            rest["items"] = taken
        assert orjson.dumps(rest) == orjson.dumps(orjson.loads(body))


def test_an_integer_that_no_64_bits_hold_is_as_everywhere_else() -> None:
    body = b'{"items":[18446744073709551615,18446744073709552000]}'
    assert read(body)[1] == orjson.loads(body)["items"]


@pytest.mark.parametrize("body", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_page_is_an_error_as_if_it_were_read_whole(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(body)
    with contextlib.suppress(ValueError):
        assert not isinstance(orjson.loads(body), dict)


def test_one_object_at_a_time_is_read() -> None:
    seen: list[str] = []

    def take(item: dict[str, str]) -> None:
        seen.append(item["name"])

    with pytest.raises(ValueError, match="line 1 column"):
        list_page.read(b'{"items":[{"name":"a"},{"name":"b"},{"name":oops}]}', take)
    assert seen == ["a", "b"]
