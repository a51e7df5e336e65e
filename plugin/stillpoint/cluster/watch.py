"""Watches: one keeps a list up to date, one gives each change to a caller who waits for it.

Source: "Efficient detection of changes" in the API concepts of Kubernetes.
"""

import logging
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace

from urllib3 import exceptions as http

from stillpoint.cluster.api_request import ApiRequest
from stillpoint.cluster.packed import PackedItems
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reader import Change

_MOST_TRIES = 5
_PAUSE_S = 1.0

_SHORT_PAUSE_S = 0.2
"""Before a watch that a frozen guest waits for is opened again."""

_LONGEST_SILENCE_S = 5.0
"""As often as Velero looks for a snapshot: a connection that died unnoticed costs no more."""

_log = logging.getLogger("stillpoint")

Lines = Callable[[ApiRequest, Mapping[str, str]], Iterator[bytes]]
"""Opens the response to a request."""


class FollowedItems:
    """Objects of a list by name, each in its last known state.

    A single thread writes while others read.
    """

    def __init__(self, items: PackedItems) -> None:
        self.version = items.version
        self._items = items
        self._places = {it.name(item): place for place, item in enumerate(items)}

    def get(self, name: str) -> Item | None:
        """See `model.reader.Lookup`."""
        place = self._places.get(name)
        return None if place is None else self._items[place]

    def take(self, kind: str, item: Item) -> None:
        """Applies an event of a watch."""
        place = self._places.get(it.name(item))
        if kind == "DELETED":
            self._places.pop(it.name(item), None)
        elif kind in ("ADDED", "MODIFIED") and place is not None:
            self._items.replace(place, item)
        elif kind in ("ADDED", "MODIFIED"):
            self._items.append(item)
            self._places[it.name(item)] = len(self._items) - 1
        self.version = it.text(item, "metadata", "resourceVersion") or self.version


class Watch:
    """Applies changes to `followed`, until the request expires.

    A connection that ends too early is opened again, a few times, from where the last ended. After
    that, or if the server refuses or has dropped that state, the list stays as it is: entries live
    for `cache.OLDEST_S` only, and the next list starts the next watch.
    """

    def __init__(self, request: ApiRequest, followed: FollowedItems, lines: Lines) -> None:
        self._request = request
        self._followed = followed
        self._lines = lines

    def run(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        """Watch, until now or for a while.

        Raises:
            Forbidden: the account may list but not watch.
        """
        for _ in range(_MOST_TRIES):
            left_s = self._request.expires - clock()
            if left_s < 1:
                return
            try:
                self._follow(left_s)
            except http.HTTPError as error:
                _log.debug("a watch is opened again: %s", error)
            except Forbidden:
                raise
            except StillpointError as error:
                _log.debug("%s", error)
                return
            sleep(_PAUSE_S)

    def _follow(self, left_s: float) -> None:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._followed.version,
            "timeoutSeconds": str(int(left_s)),
        }
        for line in self._lines(self._request, query):
            self._followed.take(*self._request.event(line))


@dataclass(frozen=True, slots=True)
class Changes:
    """Gives each state of objects, until the request expires.

    Each connection begins with the state of all objects, so that nothing is lost between two:
    neither by a connection that breaks or stays silent, nor by a state that the server has dropped.
    The state is one that the server has at hand (`resourceVersion=0`), and what came later follows:
    for the latest state the server waits until its cache has seen that: for ever, if nobody writes
    such objects and etcd reports no progress (before 3.4.31 and 3.5.13).

    Attributes:
        request: a `watch`.
        labels: a label selector.
    """

    request: ApiRequest
    labels: str
    lines: Lines

    def states(
        self, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> Generator[Change, None, None]:
        """See `Reader.changes`."""
        failure: StillpointError | None = None
        while (left_s := self.request.expires - clock()) > 0:
            try:
                yield from self._of_connection(left_s, clock())
                failure = None
            except http.ReadTimeoutError:
                failure = None
                continue
            except http.HTTPError as error:
                failure = self.request.no_response(str(error))
            except Forbidden:
                raise
            except StillpointError as error:
                failure = error
            sleep(_SHORT_PAUSE_S)
        if failure:
            raise failure

    def _of_connection(self, left_s: float, now: float) -> Generator[Change, None, None]:
        query = {
            "watch": "true",
            "labelSelector": self.labels,
            "resourceVersion": "0",
            "timeoutSeconds": str(math.ceil(left_s)),
        }
        silence_s = min(left_s, _LONGEST_SILENCE_S)
        for line in self.lines(replace(self.request, expires=now + silence_s), query):
            kind, item = self.request.event(line)
            if kind in ("ADDED", "MODIFIED", "DELETED"):
                yield Change(item, kind == "DELETED")
