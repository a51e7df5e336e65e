"""Reads of restore actions from the backup that is restored.

Velero shows an action one item at a time, claims before the machines that use them. The outcome for
a claim can depend on its machine: so actions may look into the backup themselves.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource

Value = TypeVar("Value")


class Archive(Protocol):
    """Objects of one backup, as they were stored.

    Every method raises `ArchiveUnreadable` where the archive is unavailable or incomplete.
    """

    def get(self, reference: Reference) -> Item | None:
        """The object, or None if the backup has not stored it."""

    def holds(self, reference: Reference) -> bool:
        """True if the backup has stored the object."""

    def list(self, resource: Resource, namespace: str) -> Sequence[Item]:
        """All objects of one resource in one namespace."""

    def namespaces(self, resource: Resource) -> Sequence[str]:
        """The namespaces that objects of this resource are in."""

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The value that `compute` makes of the archive, computed once for the whole restore."""
