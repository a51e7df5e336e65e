"""Stand-ins that look at a cluster again and again while a test goes on, as controllers do."""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

from tests.cluster.api import ApiError

TOO_LATE = (
    "because it is being terminated",
    "no new finalizers can be added if the object is being deleted",
)
"""What the API server says of a namespace and of an object whose deletion was quicker."""


class Watcher(ABC):
    """Looks around, in a thread of its own, while its context lasts or from `start` to `close`.

    An error ends the thread, and is raised where the context ends.

    Args:
        every_s: seconds from one look to the next.

    Attributes:
        error: what has ended the thread.
    """

    def __init__(self, every_s: float = 0.1) -> None:
        self._every_s = every_s
        self._ended = threading.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._watch)

    @abstractmethod
    def look(self) -> None: ...

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Raises what has ended the thread; one that was never started is closed, too."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self.error:
            raise self.error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self) -> None:
        try:
            while not self._ended.wait(self._every_s):
                self.look()
        except Exception as error:  # noqa: BLE001 - raised again where the context ends
            self.error = error


@contextlib.contextmanager
def lost_race() -> Iterator[None]:
    """Somebody else was quicker, as a test that deletes: the next look sees it."""
    try:
        yield
    except ApiError as error:
        if error.status not in (404, 409) and not any(word in str(error) for word in TOO_LATE):
            raise
