"""Changes of actions to the cluster: patches, creations and deletions of single objects."""

from typing import Protocol

from stillpoint.model.item import Item
from stillpoint.model.reader import Reader
from stillpoint.model.reference import Resource


class Writer(Protocol):
    """Changes objects of the Kubernetes API. The caller logs each change, and why."""

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        """Applies a JSON merge patch (RFC 7386): None removes a field.

        With the `metadata.resourceVersion` that the change was computed from, the patch fails if
        somebody else has changed the object meanwhile.

        Args:
            subresource: of the object, `status`; empty for the object itself.

        Returns:
            The object as it is then, with whatever webhooks have added.

        Raises:
            ReadFailed: success was not reported; the change may be made all the same.
        """

    def create(self, resource: Resource, item: Item) -> Item | None:
        """Creates the object under its own name and namespace.

        Returns:
            The object as created; None if an object of that name exists: another one, or this one
            by an attempt whose response was lost.

        Raises:
            ReadFailed: as `patch`.
        """

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        """Asks for what a subresource of the object does; sent once, without a body.

        Example: `unfreeze` of an instance.

        Raises:
            ReadFailed: as `patch`.
        """

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        """Deletes the object; no error if there is none.

        Args:
            uid: of the object that is meant: another one of the name stays. Empty for any.
            version: the `metadata.resourceVersion` that the object must have still; empty for any.

        Raises:
            ReadFailed: as `patch`; another object has the name, or the object was changed.
        """


class Cluster(Reader, Writer, Protocol):
    """Reads and writes, over one connection."""
