"""Stands for the backup that is restored: an Archive over a list of objects in memory."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from stillpoint.model import item as it
from stillpoint.model.api_resources import KNOWN, guess_plural
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource

_PLURALS = {(served.group, served.kind): served.plural for served in KNOWN}


class MemoryArchive:
    """Answers from `objects`, which have `kind`, and `apiVersion` where it is not of the core.

    Attributes:
        is_asked: whether anybody has looked into it.
    """

    def __init__(self, objects: Sequence[Item]) -> None:
        self._objects = {reference(item): item for item in objects}
        self._values: dict[Hashable, Any] = {}
        self.is_asked = False

    def get(self, reference: Reference) -> Item | None:
        self.is_asked = True
        return self._objects.get(reference)

    def holds(self, reference: Reference) -> bool:
        return self.get(reference) is not None

    def list(self, resource: Resource, namespace: str) -> Sequence[Item]:
        self.is_asked = True
        return [
            item
            for one, item in self._objects.items()
            if one.is_of(resource) and one.namespace == namespace
        ]

    def namespaces(self, resource: Resource) -> Sequence[str]:
        self.is_asked = True
        return sorted({one.namespace for one in self._objects if one.is_of(resource)})

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        if key not in self._values:
            self._values[key] = compute()
        return self._values[key]


def reference(item: Item) -> Reference:
    """What Velero calls the object."""
    group = it.text(item, "apiVersion").rpartition("/")[0] or _group(item)
    kind = it.text(item, "kind")
    plural = _PLURALS.get((group, kind)) or guess_plural(kind)
    return Reference(group, plural, it.namespace(item), it.name(item))


def _group(item: Item) -> str:
    """The one known group of a kind, so that a test need not say `apiVersion`."""
    groups = [group for group, kind in _PLURALS if kind == it.text(item, "kind")]
    return groups[0] if len(groups) == 1 else ""
