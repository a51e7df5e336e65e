"""The archive of a rehearsed backup, as restore actions read it."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource

Value = TypeVar("Value")


class StoredBackup:
    """See `Archive`; in memory, and of whichever restore."""

    def __init__(self, stored: Mapping[Reference, Item]) -> None:
        self._stored = stored
        self._lists: defaultdict[tuple[str, str], dict[str, list[Item]]] = defaultdict(dict)
        self._references: defaultdict[tuple[str, str, str], list[Reference]] = defaultdict(list)
        for reference in sorted(stored):
            group, resource, namespace, _ = reference
            self._references[group, resource, namespace].append(reference)
            if namespace:
                in_namespace = self._lists[group, resource].setdefault(namespace, [])
                in_namespace.append(stored[reference])
        self._values: dict[Hashable, Any] = {}

    def of_restore(self, uid: str, stored: Item) -> Self:
        """See `Archives.of_restore`."""
        del uid, stored
        return self

    def get(self, reference: Reference) -> Item | None:
        """See `Archive.get`."""
        return self._stored.get(reference)

    def holds(self, reference: Reference) -> bool:
        """See `Archive.holds`."""
        return reference in self._stored

    def list(self, resource: Resource, namespace: str) -> Sequence[Item]:
        """See `Archive.list`; in the order of names."""
        return self._namespaces(resource).get(namespace, ())

    def references(self, resource: Resource, namespace: str) -> Sequence[Reference]:
        """See `uploads.Objects`."""
        return self._references.get((resource.group, resource.plural, namespace), ())

    def namespaces(self, resource: Resource) -> Sequence[str]:
        """See `Archive.namespaces`."""
        return sorted(self._namespaces(resource))

    def once(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """See `Archive.once`."""
        if key not in self._values:
            self._values[key] = compute()
        return cast("Value", self._values[key])

    def _namespaces(self, resource: Resource) -> Mapping[str, Sequence[Item]]:
        return self._lists.get((resource.group, resource.plural), {})
