"""What Velero would collect for a backup, and in which order.

Source: pkg/backup/item_collector.go of Velero v1.18. For now a backup selects whole namespaces.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from plugin.model import item as it
from plugin.model.api_resources import KNOWN, Served, guessed_plural
from plugin.model.filters import EXCLUDED
from plugin.model.item import Item
from plugin.model.reference import Reference

_BY_KIND = {(served.group, served.kind): served for served in KNOWN}
_FIRST = ("pods", "persistentvolumeclaims", "persistentvolumes")
_BUILT_IN_GROUPS = ("", "apps")  # what the API server serves itself comes before custom resources


@dataclass(frozen=True, slots=True)
class Collected:
    """An object with the name by which Velero's protocol calls it."""

    reference: Reference
    item: Item


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a cluster, and which of them a backup collects.

    Attributes:
        cluster: every object, in the order of collection.
        namespaces: the selected ones; empty means all.
    """

    cluster: dict[Reference, Item]
    namespaces: frozenset[str]

    @classmethod
    def of(cls, objects: Iterable[Item], namespaces: Collection[str] = ()) -> "Selection":
        """Put the objects into Velero's order."""
        collected = sorted(map(_collected, objects), key=_rank)
        cluster = {one.reference: one.item for one in collected}
        return cls(cluster, frozenset(namespaces))

    def collected(self) -> Sequence[Reference]:
        """What the backup itself selects; excluded objects are left out only later."""
        return [reference for reference in self.cluster if self._is_collected(reference)]

    def may_join(self, reference: Reference) -> bool:
        """Whether Velero takes an object that an action asks for."""
        item = self.cluster[reference]
        if it.labels(item).get(EXCLUDED) == "true" or "deletionTimestamp" in item["metadata"]:
            return False
        return not reference.namespace or self._is_in_namespaces(reference.namespace)

    def _is_collected(self, reference: Reference) -> bool:
        if reference.namespace:
            return self._is_in_namespaces(reference.namespace)
        if (reference.group, reference.resource) == ("", "namespaces"):
            return self._is_in_namespaces(reference.name)
        return not self.namespaces  # cluster-scoped objects only with the whole cluster

    def _is_in_namespaces(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces


def _collected(item: Item) -> Collected:
    group = str(item["apiVersion"]).rpartition("/")[0]
    kind = item["kind"]
    guess = Served(group, "", guessed_plural(kind), kind, is_namespaced=bool(it.namespace(item)))
    served = _BY_KIND.get((group, kind), guess)
    namespace = (it.namespace(item) or "default") if served.is_namespaced else ""
    if namespace != it.namespace(item):
        item = it.with_value(item, namespace, "metadata", "namespace")
    return Collected(Reference(group, served.plural, namespace, it.name(item)), item)


def _rank(one: Collected) -> tuple[int, str, int, str, str, str]:
    reference = one.reference
    groups, group = _BUILT_IN_GROUPS, reference.group
    is_first = not group and reference.resource in _FIRST
    return (
        groups.index(group) if group in groups else len(groups),
        group,
        _FIRST.index(reference.resource) if is_first else len(_FIRST),
        reference.resource,
        reference.namespace,
        reference.name,
    )
