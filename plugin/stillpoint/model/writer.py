"""What restore actions may change on the cluster: single objects, which they patch or create."""

from typing import Protocol

from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.model.reference import Resource


class Writer(Protocol):
    """Changes objects of the Kubernetes API. Whoever calls it logs what is changed, and why."""

    def patch(self, resource: Resource, namespace: str, name: str, change: Item) -> None:
        """A JSON merge patch (RFC 7386): None takes a field away.

        Give the `metadata.resourceVersion` that the change was made from: then an object that
        somebody else has changed meanwhile is left as it is, and the patch fails.

        Raises:
            ReadFailed: the answer was not that it is done; it may be done all the same.
        """

    def create(self, resource: Resource, item: Item) -> None:
        """A new object, of the name and in the namespace that it says; no harm if it exists.

        Raises:
            ReadFailed: as `patch`.
        """


class Cluster(Reader, Writer, Protocol):
    """Both, over one connection."""
