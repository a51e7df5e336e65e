"""What restore actions may ask of the backup that is being restored.

Velero shows an action one item at a time, claims before the machines that use them. What becomes of
a claim can depend on its machine: so actions may look into the backup themselves.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource

Value = TypeVar("Value")


class Archive(Protocol):
    """The objects of one backup, as they were stored.

    Every method raises `ArchiveUnreadable` where the archive is not to be had, or is cut short.
    """

    def get(self, reference: Reference) -> Item | None:
        """One object, or None if the backup does not hold it."""

    def holds(self, reference: Reference) -> bool:
        """Whether the backup holds an object."""

    def list(self, resource: Resource, namespace: str) -> Sequence[Item]:
        """All objects of one resource in one namespace."""

    def namespaces(self, resource: Resource) -> Sequence[str]:
        """The namespaces that objects of this resource are in."""

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """What `compute` makes of the archive, made once for the whole restore."""
