"""Stands for the cluster in tests of actions: a Reader and Writer over objects in memory."""

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from stillpoint.model import item as it
from stillpoint.model.errors import Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reader import Change, Lookup
from stillpoint.model.reference import Reference, Resource

Part = TypeVar("Part")


class MemoryStream(Generic[Part]):
    """Parts that are there already, then those that come, until it is closed."""

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self._parts: SimpleQueue[Part | Exception | None] = SimpleQueue()
        for part in parts:
            self.send(part)

    def send(self, part: Part | Exception) -> None:
        self._parts.put(part)

    def __iter__(self) -> Iterator[Part]:
        while (part := self._parts.get()) is not None:
            if isinstance(part, Exception):
                raise part
            yield part

    def close(self) -> None:
        self._parts.put(None)


class DictionaryReader:
    """Answers any threads from `objects`; label selectors as `a`, `a=b`, `a in (b)`, `a notin (b)`.

    Attributes:
        questions: every question asked, `list pods shop` or `get secrets shop/db`.
        patches: what was changed, by `shop/db`.
        refused: `shop/db` of each object that nobody may change.
        logs: by `shop/virt-launcher-db-x guest-console-log`; others have no lines.
        oldest_s: by the same, the age of the oldest line that was asked for, the first time.
        followed: by the same, what who follows a log reads.
        watches: by `shop/db`, what who watches one object reads; by default its state of now.
    """

    def __init__(self, objects: Sequence[Item], failure: Exception | None = None) -> None:
        self.objects = list(objects)
        self._lock = threading.RLock()  # of what changes `objects`
        self.failure = failure
        self.questions: list[str] = []
        self.patches: dict[str, list[Item]] = {}
        self.refused: set[str] = set()
        self.logs: dict[str, list[bytes]] = {}
        self.oldest_s: dict[str, float | None] = {}
        self.followed: dict[str, MemoryStream[bytes]] = {}
        self.watches: dict[str, MemoryStream[Change]] = {}

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        self._ask(f"get {resource} {namespace}/{name}")
        return next((o for o in self._of(resource, namespace) if it.name(o) == name), None)

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        self._ask(f"list {resource} {namespace}")
        return [o for o in self._of(resource, namespace) if _matches(labels, it.labels(o))]

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        del longest_s
        listed = {it.name(item): item for item in reversed(self.list(resource, namespace))}
        return listed.get

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        """The state of now, and no changes."""
        del longest_s
        self._ask(f"watch {resource} {namespace}")
        found = self._of(resource, namespace)
        yield from (Change(o) for o in found if _matches(labels, it.labels(o)))

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> MemoryStream[Change]:
        del longest_s
        now = [Change(o) for o in self._of(resource, namespace) if it.name(o) == name]
        stream = self.watches.setdefault(f"{namespace}/{name}", MemoryStream(now))
        self._ask(f"watch {resource} {namespace}/{name}")  # which tests wait for
        return stream

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> MemoryStream[bytes]:
        whose = f"{pod.namespace}/{pod.name} {container}"
        self.oldest_s.setdefault(whose, oldest_s)
        log = MemoryStream(self.logs.get(whose, ()))
        if follow_s is None:
            log.close()
        else:
            log = self.followed.setdefault(whose, log)
        self._ask(f"log {whose}")  # which tests wait for
        return log

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        self._ask(f"patch {resource} {namespace}/{name}{subresource and f'/{subresource}'}")
        if f"{namespace}/{name}" in self.refused:
            raise Unreachable(f"{namespace}/{name}", "cannot patch", "HTTP 422: a webhook says no")
        with self._lock:
            [before] = [o for o in self._of(resource, namespace) if it.name(o) == name]
            self.patches.setdefault(f"{namespace}/{name}", []).append(change)
            after: Item = merged(before, change)
            self.objects[self.objects.index(before)] = after
            return after

    def create(self, resource: Resource, item: Item) -> Item | None:
        self._ask(f"create {resource} {it.namespace(item)}/{it.name(item)}")
        with self._lock:
            there = self._of(resource, it.namespace(item))
            if any(it.name(o) == it.name(item) for o in there):
                return None
            self.objects.append(item)
            return item

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        self._ask(f"put {resource} {namespace}/{name}/{subresource}")

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        self._ask(f"delete {resource} {namespace}/{name}")
        with self._lock:
            gone = [o for o in self._of(resource, namespace) if it.name(o) == name]
            for one in gone:
                current = it.text(one, "metadata", "resourceVersion")
                if uid not in ("", it.uid(one)) or version not in ("", current):
                    cause = "HTTP 409: precondition"
                    raise Unreachable(f"{namespace}/{name}", "cannot delete", cause)
            self.objects = [o for o in self.objects if o not in gone]

    def _ask(self, question: str) -> None:
        self.questions.append(question)
        if self.failure:
            raise self.failure

    def _of(self, resource: Resource, namespace: str) -> Sequence[Item]:
        return [
            o
            for o in self.objects
            if o["kind"] == resource.kind and namespace in ("", it.namespace(o))
        ]


def _matches(selector: str, labels: Item) -> bool:
    if not selector:
        return True
    for operator in (" in ", " notin "):
        label, _operator, values = selector.partition(operator)
        if values:
            is_in = labels.get(label) in [one.strip() for one in values.strip("()").split(",")]
            return is_in == (operator == " in ")
    if "=" not in selector:
        return selector in labels
    pairs = (part.partition("=") for part in selector.split(","))
    return all(labels.get(label) == value for label, _equals, value in pairs)


def merged(item: Any, patch: Any) -> Any:
    """`item` after a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(item) if isinstance(item, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
