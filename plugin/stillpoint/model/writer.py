"""Changes of restore actions to the cluster: patches and creations of single objects."""

from typing import Protocol

from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.model.reference import Resource


class Writer(Protocol):
    """Changes objects of the Kubernetes API. The caller logs each change, and why."""

    def patch(self, resource: Resource, namespace: str, name: str, change: Item) -> None:
        """Applies a JSON merge patch (RFC 7386): None removes a field.

        With the `metadata.resourceVersion` that the change was computed from, the patch fails if
        somebody else has changed the object meanwhile.

        Raises:
            ReadFailed: success was not reported; the change may be made all the same.
        """

    def create(self, resource: Resource, item: Item) -> None:
        """Creates the object under its own name and namespace; no error if it exists.

        Raises:
            ReadFailed: as `patch`.
        """


class Cluster(Reader, Writer, Protocol):
    """Reads and writes, over one connection."""
