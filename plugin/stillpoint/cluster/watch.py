"""A list and what changes in it afterwards, as one watch tells.

Source: "Efficient detection of changes" in the API concepts of Kubernetes.
"""

import logging
from collections.abc import Callable, Iterator, Mapping

from urllib3 import exceptions as http

from stillpoint.cluster.api_request import ApiRequest
from stillpoint.cluster.packed import PackedItems
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, StillpointError
from stillpoint.model.item import Item

_MOST_TRIES = 5
_PAUSE_S = 1.0

_log = logging.getLogger("stillpoint")

Lines = Callable[[ApiRequest, Mapping[str, str]], Iterator[bytes]]
"""Opens the answer to a question."""


class FollowedItems:
    """The objects of a list by name, each in its last known state.

    One thread changes it while others ask.
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
        """Take over one event of a watch."""
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
    """Tells `followed` what changes, until its question expires.

    A connection that ends too early is made anew, a few times, from where it ended. After that, or
    if the server refuses or has forgotten that state, what is known stays as it is: it is used for
    a while only (`cache.OLDEST_S`), and the next list starts the next watch.
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
                _log.debug("a watch is made anew: %s", error)
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
