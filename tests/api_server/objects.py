"""The objects of the stand-in API server, by resource, namespace and name, and what it serves."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from stillpoint.model import item as it
from stillpoint.model.api_resources import KNOWN, Served, guess_plural
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.velero.selection.label_selector import LabelSelector

_FROM_YAML = orjson.OPT_NON_STR_KEYS | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
"""YAML reads an unquoted time as a time, and `1:` as a number; JSON has neither."""


@dataclass(slots=True)
class _Shelf:
    by_name: dict[tuple[str, str], Item] = field(default_factory=dict)
    by_namespace: dict[str, list[Item]] = field(default_factory=dict)  # "": all of them

    def sort(self) -> None:
        lists = defaultdict(list)
        for (namespace, _), item in sorted(self.by_name.items(), key=lambda entry: entry[0]):
            lists[""].append(item)
            if namespace:
                lists[namespace].append(item)
        self.by_namespace = dict(lists)


class Page(NamedTuple):
    """Part of a list.

    Attributes:
        items: JSON of each object.
        next_start: where the next page starts; 0 after the last one.
        remaining: objects on further pages; None if a selector makes that costly to tell.
    """

    items: Sequence[bytes]
    next_start: int
    remaining: int | None


class ApiObjects:
    """Objects at rest: nothing changes them once they are here; more can be added.

    They become JSON as they are asked for, which is seldom: as JSON beside the objects they would
    take as much memory again. An object is served in each version of its resource, as if versions
    differed in name only.

    Raises:
        MalformedItem: an object lacks apiVersion, kind or a name, or is not JSON.
    """

    def __init__(self, objects: Iterable[Item]) -> None:
        objects = list(objects)
        self._served = {served[:3]: served for served in KNOWN}
        self._by_kind = {(served.group, served.kind): served for served in KNOWN}
        self._shelves: defaultdict[tuple[str, str], _Shelf] = defaultdict(_Shelf)
        with_namespace = {_group_kind(item) for item in objects if it.namespace(item)}
        for item in objects:
            self._store(item, self._serve(item, with_namespace))
        for shelf in self._shelves.values():
            shelf.sort()

    def add(self, item: Item) -> None:
        """Adds an object."""
        served = self._serve(item, {_group_kind(item)} if it.namespace(item) else set())
        self._store(item, served)
        self._shelves[served.group, served.plural].sort()

    def clear(self) -> None:
        """From now on there is no object; what is served stays."""
        self._shelves.clear()

    @property
    def served(self) -> Collection[Served]:
        """Every resource in every version, whether there are objects of it or not."""
        return self._served.values()

    def resource(self, group: str, version: str, plural: str) -> Served | None:
        """The resource of that name, if it is served."""
        return self._served.get((group, version, plural))

    def get(self, served: Served, namespace: str, name: str) -> bytes | None:
        """JSON of one object."""
        item = self._shelf(served).by_name.get((namespace, name))
        return None if item is None else _whole(served, item)

    def page(
        self, served: Served, namespace: str, selector: LabelSelector, span: tuple[int, int]
    ) -> Page:
        """Objects in the order of their names, from `span[0]` on and at most `span[1]`."""
        start, most = span
        items = self._shelf(served).by_namespace.get(namespace, [])
        end = start
        found: list[Item] = []
        while end < len(items) and len(found) < most:
            if selector.matches(_labels(items[end])):
                found.append(items[end])
            end += 1
        left = len(items) - end
        return Page(
            [_body(item) if served.is_built_in else _whole(served, item) for item in found],
            end if left else 0,
            None if selector.requirements else left,
        )

    def _shelf(self, served: Served) -> _Shelf:
        return self._shelves.get((served.group, served.plural)) or _Shelf()

    def _serve(self, item: Item, with_namespace: set[tuple[str, str]]) -> Served:
        group, version = _group_version(item)
        kind = _needed(item, "kind")
        known = self._by_kind.get((group, kind)) or Served(
            group, version, guess_plural(kind), kind, (group, kind) in with_namespace
        )
        served = known._replace(version=version)
        self._by_kind.setdefault((group, kind), served)
        return self._served.setdefault(served[:3], served)

    def _store(self, item: Item, served: Served) -> None:
        name = _needed(item, "metadata", "name")
        namespace = (it.namespace(item) or "default") if served.is_namespaced else ""
        if namespace and namespace != it.namespace(item):
            item = it.with_value(item, namespace, "metadata", "namespace")
        try:
            _body(item)
        except orjson.JSONEncodeError as error:
            raise MalformedItem(it.describe(item), str(error), "JSON", name) from error
        it.labels(item)
        self._shelves[served.group, served.plural].by_name[namespace, name] = item


def _labels(item: Item) -> Mapping[str, str]:
    return {str(label): str(value) for label, value in it.labels(item).items()}


def _body(item: Item) -> bytes:
    """JSON without apiVersion and kind."""
    body = {key: value for key, value in item.items() if key not in ("apiVersion", "kind")}
    return orjson.dumps(body, option=_FROM_YAML)


def _whole(served: Served, item: Item) -> bytes:
    head = orjson.dumps({"apiVersion": served.api_version, "kind": served.kind})
    return head[:-1] + b"," + _body(item)[1:]


def _needed(item: Item, *path: str) -> str:
    text = it.text(item, *path)
    if not text:
        raise MalformedItem(it.describe(item), ".".join(path), "a text", text)
    return text


def _group_version(item: Item) -> tuple[str, str]:
    group, _, version = _needed(item, "apiVersion").rpartition("/")
    return group, version


def _group_kind(item: Item) -> tuple[str, str]:
    return _group_version(item)[0], _needed(item, "kind")
