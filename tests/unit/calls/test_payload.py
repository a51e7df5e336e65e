"""Items on their way in and out of a call: what comes in goes out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stillpoint.calls import payload
from stillpoint.model.errors import MalformedRequest
from stillpoint.model.item import Item

TEXTS = some.text(some.characters(exclude_categories=["Cs"]))
NUMBERS = some.integers(-(2**63), 2**64 - 1) | some.floats(allow_nan=False, allow_infinity=False)
VALUES = some.recursive(
    some.none() | some.booleans() | NUMBERS | TEXTS,
    lambda values: some.lists(values) | some.dictionaries(TEXTS, values),
    max_leaves=30,
)
ITEMS = some.dictionaries(TEXTS, VALUES)


def in_order(item: Item) -> str:
    """Tells apart what `==` does not: key order, 1 and 1.0 and true."""
    return repr(item)


@given(ITEMS)
def test_an_item_survives_the_way_in_and_out(item: Item) -> None:
    there_and_back = payload.decode_item(payload.encode_item(item), "item")
    assert in_order(there_and_back) == in_order(item)


@given(ITEMS)
def test_an_item_is_read_and_written_as_the_standard_library_would(item: Item) -> None:
    assert in_order(payload.decode_item(json.dumps(item).encode(), "item")) == in_order(item)
    assert in_order(json.loads(payload.encode_item(item))) == in_order(item)


@given(some.binary())
def test_bytes_are_an_item_or_one_error(data: bytes) -> None:
    try:
        item = payload.decode_item(data, "item")
    except MalformedRequest:
        return
    assert in_order(item) == in_order(json.loads(data))


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1])
def test_a_large_integer_keeps_its_last_digit(number: int) -> None:
    data = f'{{"number":{number}}}'.encode()
    assert payload.encode_item(payload.decode_item(data, "item")) == data


def test_the_order_of_keys_and_text_beyond_ascii_stay_as_they_are() -> None:
    data = '{"z":"Ä漢🐘","a":{"2":null,"10":[]},"":""}'.encode()
    assert payload.encode_item(payload.decode_item(data, "item")) == data


@pytest.mark.parametrize("depth", [100, 254, 255, 1_024, 1_025, 9_990])
def test_an_item_of_any_depth_that_velero_passes_comes_in_and_goes_out(depth: int) -> None:
    data = b'{"kind":"Thing","d":' + b'{"d":' * depth + b'"x"' + b"}" * depth + b"}"
    item = payload.decode_item(data, "item")
    assert item["kind"] == "Thing"
    assert payload.encode_item(item) == data
    assert payload.encode_changed({**item}, item, data) is data
    changed = payload.encode_changed({**item, "kind": "Changed"}, item, data)
    assert changed == data.replace(b"Thing", b"Changed")


def test_an_item_that_is_not_changed_is_answered_as_it_came() -> None:
    data = b'{ "a" : 1.50, "b":18446744073709551616, "c":"\\u00e4" }'
    item = payload.decode_item(data, "item")
    assert payload.encode_changed(item, item, data) is data
    assert payload.encode_changed({**item, "a": 2}, item, data) != data


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "0 bytes that are no JSON: "),
        (b"{", "1 bytes that are no JSON: "),
        (b"null", "JSON, but NoneType instead of an object"),
        (b"[{}]", "JSON, but list instead of an object"),
        (b'"{}"', "JSON, but str instead of an object"),
    ],
)
def test_what_is_no_object_is_refused_with_its_cause(data: bytes, cause: str) -> None:
    with pytest.raises(MalformedRequest) as raised:
        payload.decode_item(data, "backup")
    assert str(raised.value).startswith(f"backup of Velero's call: cannot read it: {cause}")
