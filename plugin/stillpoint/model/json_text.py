"""JSON of any depth that Go reads.

orjson reads 1,024 levels and writes 254; Kubernetes and Velero pass 10,000. Deeper values are split
into pieces that orjson can do, and joined again: for objects of other products, which nobody here
looks into, but which have to come out as they went in.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

import orjson

_Container: TypeAlias = dict[Any, Any] | list[Any]

_DEEPEST = 10_000
_READ_AT_ONCE = 500
_WRITTEN_AT_ONCE = 200
_STRING_OR_BRACKET = rb'"(?:[^"\\]|\\.)*+"|[][{}]'


def decode(data: bytes | str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: the text is no JSON, or deeper than Go reads.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "depth limit" not in str(error):
            raise
    return _deep_value(data if isinstance(data, bytes) else data.encode())


def encode(value: Any) -> bytes:
    """The value as JSON.

    Raises:
        TypeError: the value has a part that JSON cannot express.
    """
    try:
        return orjson.dumps(value)
    except TypeError as error:
        if "Recursion limit" not in str(error):
            raise
    return orjson.dumps(_fold(value))


def _deep_value(data: bytes) -> Any:
    """Decodes a deep text: each part below the depth is first a list with its number."""
    parts = _parts_below(_READ_AT_ONCE, data)
    pieces: list[bytes] = []
    end = 0
    for number, (start, stop) in enumerate(parts):
        pieces += (data[end:start], b"[%d]" % number)
        end = stop
    value = orjson.loads(b"".join((*pieces, data[end:])))
    for container in _at_depth(_READ_AT_ONCE, value):
        for key, child in _children(container):
            start, stop = parts[child[0]]
            container[key] = decode(data[start:stop])
    return value


def _parts_below(limit: int, data: bytes) -> list[tuple[int, int]]:
    """Positions of the objects and lists that have exactly `limit` others around them."""
    parts: list[tuple[int, int]] = []
    depth = start = 0
    for token in re.finditer(_STRING_OR_BRACKET, data):
        letter = token.group()
        if letter in b"[{":
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"deeper than {_DEEPEST:,} levels")
            if depth == limit + 1:
                start = token.start()
        elif letter in b"]}":
            if depth == limit + 1:
                parts.append((start, token.end()))
            depth -= 1
    return parts


def _fold(value: Any) -> Any:
    """A copy in which every part below the depth is text already."""
    copy = [value]
    level: list[_Container] = [copy]
    for _ in range(_WRITTEN_AT_ONCE):
        following: list[_Container] = []
        for container in level:
            for key, child in _children(container):
                container[key] = child.copy()
                following.append(container[key])
        level = following
    for container in level:
        for key, child in _children(container):
            container[key] = orjson.Fragment(encode(child))
    return copy[0]


def _at_depth(depth: int, value: Any) -> Iterable[_Container]:
    """The objects and lists that have `depth` - 1 others around them."""
    level: list[_Container] = [value]
    for _ in range(depth - 1):
        level = [child for container in level for _, child in _children(container)]
    return level


def _children(container: _Container) -> list[tuple[Any, _Container]]:
    """Objects and lists directly inside the container, with the key or place of each."""
    pairs = container.items() if isinstance(container, dict) else enumerate(container)
    return [(key, child) for key, child in pairs if isinstance(child, dict | list)]
