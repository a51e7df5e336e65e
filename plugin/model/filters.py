"""What a Backup selects, as far as this version can be sure of it.

Velero fetches each additional item that it does not hold already. `Filters.surely_selects` says
where it holds one anyway: only for selections that this module understands wholly, so that a
wrong guess can cost a request and never an object.

Source: pkg/controller/backup_controller.go and pkg/util/collections of Velero v1.18.
"""

from dataclasses import dataclass

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Reference

_NOT_UNDERSTOOD = ("labelSelector", "orLabelSelectors", "resourcePolicy")
_LONGEST_SHORT_NAME = 5  # letters; those of the resources that we refer to: vmis, pvc, cm, ...


@dataclass(frozen=True, slots=True)
class Filters:
    """The selection of a Backup, of namespaced objects.

    Velero itself adds excluded resources (snapshots and their contents) when a backup starts.

    Attributes:
        is_understood: no other field than those below narrows the selection.
        namespaces: included ones; empty means all.
        resources: included ones as the user wrote them; empty means all.
    """

    is_understood: bool
    namespaces: frozenset[str]
    excluded_namespaces: frozenset[str]
    resources: frozenset[str]
    excluded_resources: frozenset[str]

    @classmethod
    def parse(cls, backup: Item) -> "Filters":
        """Read the selection from a Backup object.

        Raises:
            MalformedItem: a field has the wrong type.
        """
        spec = it.mapping(backup, "spec")

        def union(*fields: str) -> frozenset[str]:
            return frozenset(entry for field in fields for entry in it.texts(backup, "spec", field))

        return cls(
            is_understood=not any(spec.get(field) for field in _NOT_UNDERSTOOD),
            namespaces=_narrowing(union("includedNamespaces")),
            excluded_namespaces=union("excludedNamespaces"),
            resources=_narrowing(union("includedResources", "includedNamespaceScopedResources")),
            excluded_resources=union("excludedResources", "excludedNamespaceScopedResources"),
        )

    def surely_selects(self, reference: Reference) -> bool:
        """Whether Velero has this namespaced object by the backup's own selection."""
        return (
            self.is_understood
            and self._surely_selects_namespace(reference.namespace)
            and self._surely_selects_resource(reference)
        )

    def _surely_selects_namespace(self, namespace: str) -> bool:
        if any(set(entry) & set("*?[{") for entry in self.namespaces | self.excluded_namespaces):
            return False
        is_included = not self.namespaces or namespace in self.namespaces
        return is_included and namespace not in self.excluded_namespaces

    def _surely_selects_resource(self, reference: Reference) -> bool:
        if any(_may_mean(entry, reference) for entry in self.excluded_resources):
            return False
        plural, group = reference.resource, reference.group
        return not self.resources or (f"{plural}.{group}" if group else plural) in self.resources


def _narrowing(entries: frozenset[str]) -> frozenset[str]:
    return frozenset() if "*" in entries else entries


def _may_mean(entry: str, reference: Reference) -> bool:
    """Whether an entry could be a plural, singular or short name of the reference's resource."""
    name = entry.partition(".")[0].lower()
    return len(name) <= _LONGEST_SHORT_NAME or name in (
        reference.resource,
        reference.resource.removesuffix("s"),
    )
