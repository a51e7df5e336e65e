"""Caches API responses for the length of a backup.

Velero calls actions once per item and, with several item-block workers, in parallel. Without a
cache each call would send its own requests; with the cache, requests grow with namespaces and
kinds. A failure is never cached: the next call tries again.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reader import Change, Lookup, Reader, Stream
from stillpoint.model.reference import Reference, Resource
from stillpoint.model.writer import Cluster, Writer

OLDEST_S = 300.0
"""Age at which an entry is requested again. Velero's own items are as old as the backup."""

_MOST_REQUESTS = 8
_MOST_ENTRIES = 2_000


@dataclass(frozen=True, slots=True)
class _Entry:
    future: Future[Any]
    since: float


class Cache:
    """Values by key, each computed once however many threads ask (single flight).

    Bounded: beyond `most` keys the least recently used is forgotten.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, most: int, oldest_s: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._oldest_s = oldest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The cached value for `key`, else what `compute` returns.

        Raises:
            Whatever `compute` raises, in every thread that waits for it.
        """
        with self._lock:
            entry = self._entries.get(key)
            ours = entry is None or entry.since < self._clock() - self._oldest_s
            if entry is None or ours:
                self._forget_old()
                entry = self._entries[key] = _Entry(Future(), self._clock())
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
        if ours:
            self._fill(key, entry, compute)
        return entry.future.result()

    def _forget_old(self) -> None:
        """Drops expired entries: Velero is through with a namespace and does not come back."""
        oldest = self._clock() - self._oldest_s
        for key in [key for key, entry in self._entries.items() if entry.since < oldest]:
            del self._entries[key]

    def _fill(self, key: Hashable, entry: _Entry, compute: Callable[[], Any]) -> None:
        try:
            entry.future.set_result(compute())
        except BaseException as error:  # noqa: BLE001 - it is raised by result(), to each waiter
            with self._lock:
                if self._entries.get(key) is entry:
                    del self._entries[key]
            entry.future.set_exception(error)


class CachedIndex:
    """An `Index` that sends each request of a backup once.

    `get` answers from a list of the whole namespace; a name missing from that list costs a request
    of its own, so that objects created after the list are found all the same.
    """

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._cache = Cache(_MOST_ENTRIES, OLDEST_S, clock)

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """See `Index.get`."""
        listed = self.get_listed(resource, namespace, name)
        return self.single(resource, namespace, name) if listed is None else listed

    def single(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """See `Index.single`."""
        entry: Item | None = self._cache.once(
            ("get", resource, namespace, name),
            lambda: self._reader.get(resource, namespace, name),
        )
        return entry

    def get_listed(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """See `Index.get_listed`."""
        return next(iter(self.list_grouped(resource, namespace, it.names).get(name, ())), None)

    def latest(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """See `Index.latest`."""
        lookup: Lookup = self._cache.once(
            ("follow", resource, namespace),
            lambda: self._reader.follow(resource, namespace, OLDEST_S),
        )
        return lookup(name) or self.single(resource, namespace, name)

    def current(self, resource: Resource, namespace: str, name: str) -> Item | None:
        """See `Index.current`."""
        return self._reader.get(resource, namespace, name)

    def list_now(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        """See `Index.list_now`."""
        return self._reader.list(resource, namespace, labels)

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        """See `Index.changes`."""
        return self._reader.changes(resource, namespace, labels, longest_s)

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> Stream[Change]:
        """See `Index.watch`."""
        return self._reader.watch(resource, namespace, name, longest_s)

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> Stream[bytes]:
        """See `Index.log`."""
        return self._reader.log(pod, container, oldest_s, follow_s)

    def list_grouped(
        self,
        resource: Resource,
        namespace: str,
        by: Callable[[Item], Iterable[str]],
        labels: str = "",
    ) -> Mapping[str, Sequence[Item]]:
        """See `Index.list_grouped`."""
        listed: _List = self._cache.once(
            ("list", resource, namespace, labels),
            lambda: _List(self._reader.list(resource, namespace, labels)),
        )
        return listed.group(by)


class CachedIndexes:
    """Keeps a `CachedIndex` for each of the last few backups and restores.

    Args:
        connect: makes the client; called once, and late, because its imports would be most of the
            plugin's start-up time. A failure is not cached.
        has_csi: see `calls.contexts.Clusters`.
        background: see `calls.contexts.Clusters`; by default tasks run at once.
        note: see `calls.contexts.Clusters`; by default tasks run at once.
        is_observed: see `calls.contexts.Clusters`.
    """

    def __init__(
        self,
        connect: Callable[[], Cluster],
        *,
        has_csi: bool = True,
        background: Callable[[Callable[[], None]], None] = lambda task: task(),
        note: Callable[[Callable[[], None]], None] = lambda task: task(),
        is_observed: bool = False,
    ) -> None:
        self.has_csi = has_csi
        self.background = background
        self.note = note
        self.is_observed = is_observed
        self._reader = _LateCluster(connect)
        self._indexes = Cache(_MOST_REQUESTS, float("inf"), time.monotonic)

    def for_request(self, uid: str) -> CachedIndex:
        """The index of the backup or restore with this uid."""
        index: CachedIndex = self._indexes.once(uid, lambda: CachedIndex(self._reader))
        return index

    @property
    def writer(self) -> Writer:
        """Changes the cluster; cached responses are not corrected."""
        return self._reader

    def expect_requests(self) -> None:
        """Connects in a thread while Velero collects items, so that the first does not wait."""
        threading.Thread(target=self._connect_early, daemon=True).start()

    def _connect_early(self) -> None:
        with suppress(StillpointError):  # the first request meets the same fault, and reports it
            self._reader.connect()


class _LateCluster:
    def __init__(self, connect: Callable[[], Cluster]) -> None:
        self._cache = Cache(1, float("inf"), time.monotonic)
        self._connect = connect

    def connect(self) -> Cluster:
        cluster: Cluster = self._cache.once("cluster", self._connect)
        return cluster

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        return self.connect().get(resource, namespace, name)

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        return self.connect().list(resource, namespace, labels)

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        return self.connect().follow(resource, namespace, longest_s)

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        return self.connect().changes(resource, namespace, labels, longest_s)

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> Stream[Change]:
        return self.connect().watch(resource, namespace, name, longest_s)

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> Stream[bytes]:
        return self.connect().log(pod, container, oldest_s, follow_s)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        return self.connect().patch(resource, namespace, name, change, subresource)

    def create(self, resource: Resource, item: Item) -> Item | None:
        return self.connect().create(resource, item)

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        self.connect().put(resource, namespace, name, subresource)

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        self.connect().delete(resource, namespace, name, uid=uid, version=version)


class _List:
    """A list and all its groupings."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._groups: dict[Callable[[Item], Iterable[str]], _Groups] = {}
        self._lock = threading.Lock()

    def group(self, by: Callable[[Item], Iterable[str]]) -> Mapping[str, Sequence[Item]]:
        with self._lock:
            if by not in self._groups:
                self._groups[by] = _Groups(self._items, by)
            return self._groups[by]


class _Groups(Mapping[str, Sequence[Item]]):
    """Places in a list by key: the objects themselves stay as the reader keeps them."""

    def __init__(self, items: Sequence[Item], by: Callable[[Item], Iterable[str]]) -> None:
        self._items = items
        self._places: dict[str, list[int]] = {}
        for place, item in enumerate(items):
            for key in by(item):
                self._places.setdefault(key, []).append(place)

    def __getitem__(self, key: str) -> Sequence[Item]:
        return [self._items[place] for place in self._places[key]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
