"""Documents of a YAML text with the values of JSON, made event by event.

PyYAML makes a tree of nodes of the whole text first, which is ten times as large as the objects.
Values are read as the tools of Kubernetes read them, which is not wholly as PyYAML does: a time
stays a text, and `52:54:00:12:34:56` is a MAC address and no number to base 60.

Manifests may come from anybody. A few hundred bytes of aliases of aliases are more than any memory
holds: as in the tools of Kubernetes, expanded aliases are bound to ten times the text.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from yaml import MappingEndEvent, ScalarEvent
from yaml.constructor import ConstructorError

_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(
        r"[-+]?(?:0b_*[01][01_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)$"
    ),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE])|0[0-9_]*[89][0-9_]*)"
        r"(?:[eE][-+]?[0-9]+)?$"
    ),
}
_LEFT_AS_TEXT = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", *_NUMBERS}
_DEEPEST = 200  # levels; orjson writes 254
_MOST_BY_ALIASES = 10  # times the text
_FREE_BY_ALIASES = 100_000  # letters that any text may have made
_LONGEST_QUOTE = 60
_UNKNOWN = object()

_PLAIN_COLLECTIONS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a YAML text.

    Attributes:
        line: its first line.
        item_lines: first line of each entry of `items`.
    """

    value: Any
    line: int
    item_lines: list[int]


def documents(text: str) -> Iterator[Document]:
    """The documents in their order.

    Raises:
        yaml.YAMLError: the text is no YAML, or has values that JSON lacks.
    """
    loader = _Loader(text)
    try:
        most = max(_MOST_BY_ALIASES * len(text), _FREE_BY_ALIASES)
        yield from _Values(loader, most).documents()
    finally:
        loader.dispose()


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to set it
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _LEFT_AS_TEXT]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, _pattern, list("-+0123456789."))


class _Values:
    """Values made from events.

    Args:
        most_by_aliases: letters that aliases may stand for, all together.
    """

    def __init__(self, loader: Any, most_by_aliases: int) -> None:
        self._loader = loader
        self._next: Callable[[], Any] = loader.get_event
        self._known: dict[str, Any] = {}  # most scalars come many times: read once, kept once
        self._texts: dict[str, str] = {}
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._depth = 0
        self._size = 0  # letters of all that was made, each alias written out
        self._room = most_by_aliases

    def documents(self) -> Iterator[Document]:
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                root = self._next()
                item_lines: list[int] = []
                value = self._value(root, item_lines)
                yield Document(value, root.start_mark.line + 1, item_lines)

    def _value(self, event: Any, item_lines: list[int] | None = None) -> Any:
        """The value that an event begins.

        Args:
            item_lines: of the root of a document, to be filled.
        """
        before = self._size
        if event.__class__ is ScalarEvent:
            value = self._scalar(event)
            self._size += len(event.value) + 1
            if event.anchor is None:
                return value
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        else:
            value = self._collection(event, item_lines)
        if event.anchor:
            self._anchors[event.anchor] = value, self._size - before
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _error(f"found undefined alias {_quote(event.anchor)}", event)
        value, size = self._anchors[event.anchor]
        self._size += size
        self._room -= size
        if self._room < 0:
            raise _error("aliases make more of it than ten times its size", event)
        return value

    def _collection(self, event: Any, item_lines: list[int] | None) -> Any:
        if event.tag not in _PLAIN_COLLECTIONS:
            problem = f"could not determine a constructor for the tag {_quote(event.tag)}"
            raise _error(problem, event)
        self._depth += 1
        self._size += 2
        if self._depth > _DEEPEST:
            raise _error(f"nested deeper than {_DEEPEST} levels", event)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        value = self._mapping(item_lines) if is_mapping else self._sequence()
        self._depth -= 1
        return value

    def _sequence(self, lines: list[int] | None = None) -> list[Any]:
        values = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            if lines is not None:
                lines.append(event.start_mark.line + 1)
            values.append(self._value(event))
        return values

    def _mapping(self, item_lines: list[int] | None) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        next_event, value = self._next, self._value
        while (event := next_event()).__class__ is not MappingEndEvent:
            key = value(event)
            following = next_event()
            if key == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                merged += self._to_merge(following)
            elif item_lines is not None and key == "items" and _is_plain_sequence(following):
                values[key] = self._sequence(item_lines)
            elif key.__class__ is str:
                values[key] = value(following)
            elif isinstance(key, dict | list):
                raise _error("found a key that is no scalar", event)
            else:
                values[orjson.dumps(key).decode()] = value(following)
        for other in merged:
            for name, inner in other.items():
                values.setdefault(name, inner)
        return values

    def _to_merge(self, event: Any) -> list[dict[str, Any]]:
        value = self._value(event)
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in mappings):
            raise _error("expected a mapping or list of mappings for merging", event)
        return mappings

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.tag is not None:
            return self._read(event)
        if not event.implicit[0]:  # it stands in quotes
            return self._texts.setdefault(text, text)
        value = self._known.get(text, _UNKNOWN)
        if value is _UNKNOWN:
            value = self._known[text] = self._read(event)
        return value

    def _read(self, event: Any) -> Any:
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if event.tag not in (None, "!"):
            tag = event.tag
        if tag == "tag:yaml.org,2002:merge":
            return event.value
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            value = self._loader.construct_document(node)
        except (ValueError, OverflowError) as error:  # more digits than Python reads
            raise _error(f"nothing that JSON can say: {error}", event) from error
        if isinstance(value, float) and not math.isfinite(value):
            raise _error("nothing that JSON can say: a number beyond all bounds", event)
        if isinstance(value, str):
            return self._texts.setdefault(value, value)
        try:
            return orjson.loads(orjson.dumps(value))
        except orjson.JSONEncodeError as error:
            raise _error(f"nothing that JSON can say: {error}", event) from error


def _is_plain_sequence(event: Any) -> bool:
    is_sequence = isinstance(event, yaml.SequenceStartEvent)
    return is_sequence and event.anchor is None and event.tag in _PLAIN_COLLECTIONS


def _quote(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_QUOTE else f"{name[:_LONGEST_QUOTE]}...")


def _error(problem: str, event: Any) -> ConstructorError:
    return ConstructorError(None, None, problem, event.start_mark)
