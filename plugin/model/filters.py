"""What a Backup selects, as far as this version can be sure of it.

Velero fetches each additional item that it does not hold already. `Filters.surely_selects` says
where it holds one anyway: only for selections that this module understands wholly, so that a
wrong guess can cost a request and never an object.

Source: pkg/util/collections and pkg/backup/item_collector.go of Velero v1.18.
"""

from dataclasses import dataclass

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Reference

_NOT_UNDERSTOOD = (
    "labelSelector",
    "orLabelSelectors",
    "resourcePolicy",
    "includedNamespaceScopedResources",
    "excludedNamespaceScopedResources",
    "includedClusterScopedResources",
    "excludedClusterScopedResources",
)


@dataclass(frozen=True, slots=True)
class Filters:
    """The selection of a Backup.

    Attributes:
        understood: no other field than those below narrows the selection.
        namespaces: included ones; empty means all.
        narrowed_resources: `includedResources` or `excludedResources` are in use.
    """

    understood: bool
    namespaces: frozenset[str]
    excluded_namespaces: frozenset[str]
    narrowed_resources: bool

    @classmethod
    def parse(cls, backup: Item) -> "Filters":
        """Read the selection from a Backup object.

        Raises:
            MalformedItem: a field has the wrong type.
        """
        spec = it.mapping(backup, "spec")
        included = frozenset(it.texts(backup, "spec", "includedNamespaces"))
        resources = set(it.texts(backup, "spec", "includedResources"))
        return cls(
            understood=not any(spec.get(field) for field in _NOT_UNDERSTOOD),
            namespaces=included - {"*"} if "*" not in included else frozenset(),
            excluded_namespaces=frozenset(it.texts(backup, "spec", "excludedNamespaces")),
            narrowed_resources=bool(
                resources - {"*"} or it.texts(backup, "spec", "excludedResources")
            ),
        )

    def surely_selects(self, reference: Reference) -> bool:
        """Whether Velero has this namespaced object by the backup's own selection."""
        if not self.understood or self.narrowed_resources or not reference.namespace:
            return False
        patterns = self.namespaces | self.excluded_namespaces
        if any(set(pattern) & set("*?[{") for pattern in patterns):
            return False
        if reference.namespace in self.excluded_namespaces:
            return False
        return not self.namespaces or reference.namespace in self.namespaces
