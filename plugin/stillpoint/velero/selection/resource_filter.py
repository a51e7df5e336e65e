"""The two styles in which a Backup includes and excludes resources.

Source: pkg/util/collections/includes_excludes.go of Velero v1.18.
"""

from dataclasses import dataclass
from typing import Protocol

from stillpoint.velero.selection import glob

ALL = "*"
NAMESPACES = "namespaces"


@dataclass(frozen=True, slots=True)
class Names:
    """Names and patterns of an included and an excluded list.

    Attributes:
        included: empty means all.
    """

    included: frozenset[str]
    excluded: frozenset[str]

    def select(self, name: str) -> bool:
        """True if the name is included and not excluded."""
        if self.exclude(name):
            return False
        return not self.included or ALL in self.included or self.include(name)

    def include(self, name: str) -> bool:
        """True if an entry of the included ones matches."""
        return glob.any_matches(self.included, name)

    def exclude(self, name: str) -> bool:
        """True if an entry of the excluded ones matches."""
        return glob.any_matches(self.excluded, name)

    @property
    def are_all(self) -> bool:
        """True if the lists, as written, leave nothing out."""
        return not self.excluded and self.included <= {ALL}


class ResourceFilter(Protocol):
    """The filter of resources, in either style."""

    def collects(self, resource: str, *, is_namespaced: bool) -> bool:
        """True if Velero lists the resource."""

    def expels(self, resource: str) -> bool:
        """True if Velero refuses objects of a cluster-scoped resource that an action names."""


@dataclass(frozen=True, slots=True)
class OneList:
    """The old style: `includedResources`, `excludedResources` and `includeClusterResources`.

    Attributes:
        cluster_scoped: whether to take such resources; None means with all namespaces only.
    """

    names: Names
    cluster_scoped: bool | None
    with_all_namespaces: bool

    def collects(self, resource: str, *, is_namespaced: bool) -> bool:
        if not is_namespaced and not self._collects_cluster_scoped(resource):
            return False
        return self.names.select(resource)

    def expels(self, resource: str) -> bool:
        if self.cluster_scoped is None:
            return not self.names.select(resource)
        return not self.cluster_scoped or self.names.exclude(resource)

    def _collects_cluster_scoped(self, resource: str) -> bool:
        if self.cluster_scoped is None:
            return resource == NAMESPACES or self.with_all_namespaces
        return self.cluster_scoped


@dataclass(frozen=True, slots=True)
class ListsByScope:
    """The lists of namespaced and of cluster-scoped resources: the new style, and the default."""

    namespaced: Names
    cluster_scoped: Names
    with_all_namespaces: bool

    def collects(self, resource: str, *, is_namespaced: bool) -> bool:
        if is_namespaced:
            return self.namespaced.select(resource)
        if self.cluster_scoped.exclude(resource):
            return False
        if not self.cluster_scoped.included and not self.cluster_scoped.excluded:
            with_everything = self.with_all_namespaces and self.namespaced.are_all
            return with_everything or resource == NAMESPACES
        return self.cluster_scoped.include(resource) or resource == NAMESPACES

    def expels(self, resource: str) -> bool:
        return self.cluster_scoped.exclude(resource)
