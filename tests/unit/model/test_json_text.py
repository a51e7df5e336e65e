"""JSON of any depth."""

import json
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from stillpoint.model import json_text

DEPTHS = [1, 199, 200, 201, 254, 255, 499, 500, 501, 1_023, 1_024, 1_025, 1_500, 9_990]


def lists(depth: int, inside: str = "") -> bytes:
    return f"{'[' * depth}{inside}{']' * depth}".encode()


def objects(depth: int) -> bytes:
    return b'{"a]":"[{\\"}","y":' * depth + b"1" + b',"z":["\\\\",{}]}' * depth


@pytest.mark.parametrize("depth", DEPTHS)
def test_lists_come_out_as_they_went_in(depth: int) -> None:
    data = lists(depth, '1,"]",{"a":null}')
    assert json_text.encode(json_text.decode(data)) == data


@pytest.mark.parametrize("depth", DEPTHS)
def test_objects_come_out_as_they_went_in(depth: int) -> None:
    data = objects(depth)
    assert json_text.encode(json_text.decode(data)) == data


@pytest.mark.parametrize("depth", [600, 1_300])
def test_several_deep_parts_keep_their_places_and_the_last_of_a_key_counts(depth: int) -> None:
    deep = [lists(depth, f'"{name}"').decode() for name in "abc"]
    data = f'{{"one":{deep[0]},"two":{deep[1]},"list":[{deep[0]},7,{deep[2]}],"one":{deep[2]}}}'
    value = json_text.decode(data)
    assert list(value) == ["one", "two", "list"]
    expected = f'{{"one":{deep[2]},"two":{deep[1]},"list":[{deep[0]},7,{deep[2]}]}}'
    assert json_text.encode(value).decode() == expected


def test_to_write_leaves_the_value_as_it_is() -> None:
    value = json_text.decode(lists(300))
    assert json_text.encode(value) == lists(300)
    assert json_text.encode(value) == lists(300)
    assert type(value[0]) is list


@pytest.mark.parametrize(
    "data", [b"", b"[", lists(1_100)[:-1], lists(1_100, "x"), lists(1_100) + b"]", lists(10_001)]
)
def test_what_is_no_json_or_deeper_than_go_reads_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.decode(data)


def test_what_json_cannot_say_is_an_error() -> None:
    with pytest.raises(TypeError):
        json_text.encode({"a": object()})


def test_a_hostile_text_costs_little() -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="deeper than 10,000 levels"):
        json_text.decode(b"[" * 5_000_000)
    json_text.decode(b'{"a":' + lists(1_200) + b',"b":"' + b'\\"' * 1_000_000 + b'"}')
    assert time.process_time() - began < 5


VALUES = some.recursive(some.none() | some.booleans() | some.text(), some.lists, max_leaves=20)


@given(VALUES)
def test_a_shallow_text_is_read_as_orjson_does(value: object) -> None:
    assert json_text.decode(json.dumps(value)) == value
    assert json_text.encode(value) == orjson.dumps(value)
