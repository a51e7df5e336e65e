"""The filters of a Backup, evaluated as Velero does.

Velero filters twice. To collect, Velero lists the selected resources in the selected namespaces by
the label selectors: `Filters.selects`. An object that an action names is taken unless filtered out,
whatever its labels are: `Filters.admits`. Velero fetches each object that an action names;
`Filters.surely_selects` is for objects that Velero has anyway.

The filters are a running backup's: at its start, Velero adds the namespaces that are labelled as
excluded to the excluded namespaces, and snapshots and their contents to the excluded resources.

A Restore has the same fields; only `Filters.surely_selects` is used of it, with the archive in the
place of the cluster.

Sources: pkg/util/collections, pkg/util/wildcard, pkg/backup/item_collector.go and
item_backupper.go of Velero v1.18.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.velero import marks
from stillpoint.velero.selection import glob
from stillpoint.velero.selection.discovery import STATIC, Discovery, Name
from stillpoint.velero.selection.label_selector import LabelSelector
from stillpoint.velero.selection.resource_filter import (
    ALL,
    NAMESPACES,
    ListsByScope,
    Names,
    OneList,
    ResourceFilter,
)
from stillpoint.velero.volumes.policy import Policy

_DELETED = ("metadata", "deletionTimestamp")
_VERBS = ("included", "excluded")


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a Backup.

    Attributes:
        resources: with the names that `discovery` knows written in full.
        named: the included and excluded lists that hold for namespaced resources.
        selectors: any of these has to match; None if labels do not matter. Empty if nothing can
            match: Velero cannot list by an invalid selector, nor without requirements.
        has_policy: a ConfigMap may filter as well, see `under`.
        has_names: that filters by names and labels of objects, which is not followed: Velero may
            leave out what is admitted here.
    """

    namespaces: Names
    resources: ResourceFilter
    named: tuple[Sequence[Name], Sequence[Name]]
    selectors: Sequence[LabelSelector] | None
    has_policy: bool
    discovery: Discovery
    has_names: bool = False

    @classmethod
    def parse(cls, backup: Item, discovery: Discovery = STATIC) -> "Filters":
        """Reads the filters from a Backup object; an empty object selects everything.

        Raises:
            MalformedItem: a field has the wrong type.
        """
        namespaces = Names(*map(frozenset, _lists(backup, "Namespaces")))
        is_old = _cluster_scoped(backup) is not None or any(_lists(backup, "Resources"))
        lists = _lists(backup, "Resources" if is_old else "NamespaceScopedResources")
        included, excluded = ([discovery.name(text) for text in entries] for entries in lists)
        resources: ResourceFilter
        if is_old:
            names = Names(_texts(included), _texts(excluded) - {ALL})
            resources = OneList(names, _cluster_scoped(backup), namespaces.are_all)
        else:
            lists = _lists(backup, "ClusterScopedResources")
            others = ([discovery.name(text) for text in entries] for entries in lists)
            resources = ListsByScope(
                Names(*(_texts(each, is_namespaced=True) for each in (included, excluded))),
                Names(*(_texts(each, is_namespaced=False) for each in others)),
                namespaces.are_all,
            )
        has_policy = bool(it.mapping(backup, "spec", "resourcePolicy"))
        named = (included, excluded)
        return cls(namespaces, resources, named, _selectors(backup), has_policy, discovery)

    def under(self, policy: Policy) -> "Filters":
        """The filters together with the filters of `spec.resourcePolicy`.

        The Backup's own lists come before those of a policy.
        """
        resources = self.resources
        if policy.lists and isinstance(resources, ListsByScope):
            resources = ListsByScope(
                self._join(resources.namespaced, policy, "Namespace", is_namespaced=True),
                self._join(resources.cluster_scoped, policy, "Cluster", is_namespaced=False),
                resources.with_all_namespaces,
            )
        has_policy = bool(policy.lists or policy.has_other_filters)
        has_names = policy.has_other_filters
        return replace(self, resources=resources, has_policy=has_policy, has_names=has_names)

    def _join(self, names: Names, policy: Policy, scope: str, *, is_namespaced: bool) -> Names:
        for verb in ("excluded", "included"):  # in the order of Velero
            written = policy.lists.get(f"{verb}{scope}ScopedResources", ())
            for one in map(self.discovery.name, written):
                is_known = names.include(one.text) or names.exclude(one.text)
                if one.text and one.is_namespaced in (None, is_namespaced) and not is_known:
                    names = replace(names, **{verb: getattr(names, verb) | {one.text}})
        return names

    def selects_namespace(self, namespace: str) -> bool:
        """True if Velero takes objects of this namespace."""
        return self.namespaces.select(namespace)

    def selects_resource(self, resource: Resource) -> bool:
        """True if Velero collects this resource; an unknown resource counts as namespaced.

        Not followed: lists that happen to name every namespace of the cluster, or none, are to
        Velero like no lists, and bring cluster-scoped resources along.
        """
        served = self.discovery.resolve(str(resource))
        is_namespaced = served is None or served.is_namespaced
        return self.resources.collects(str(resource), is_namespaced=is_namespaced)

    def selects_labels(self, labels: Mapping[str, str]) -> bool:
        """True if the label selectors allow an object with these labels."""
        return self.selectors is None or any(each.matches(labels) for each in self.selectors)

    def selects(self, resource: Resource, item: Item) -> bool:
        """True if the Backup itself selects this object.

        Velero also takes the Namespace of every collected object, which is not known here.
        """
        if str(resource) == NAMESPACES:
            return self._selects_namespace_object(item)
        namespace = it.namespace(item)
        return (
            self.admits(resource, item)
            and self.resources.collects(str(resource), is_namespaced=bool(namespace))
            and (not namespace or self._is_listed(namespace))
            and self.selects_labels(it.labels(item))
        )

    def admits(self, resource: Resource, item: Item) -> bool:
        """True if Velero takes this object when an action names it."""
        return not self.bars(resource, item)

    def bars(self, resource: Resource, item: Item) -> str:
        """The reason why Velero refuses this object from an action; empty if admitted.

        Example: `it is left out ` + `by its label velero.io/exclude-from-backup`.
        """
        name, namespace = str(resource), it.namespace(item)
        if marks.is_excluded(item):
            return f"by its label {marks.EXCLUDED}"
        if it.text(item, *_DELETED):
            return "because it is being deleted"
        if namespace and not self.selects_namespace(namespace):
            return "with its namespace"
        is_taken = (
            self.resources.collects(name, is_namespaced=True)
            if namespace
            else name == NAMESPACES or not self.resources.expels(name)
        )
        return "" if is_taken else "by the filters of the backup"

    def surely_selects(self, reference: Reference) -> bool:
        """True if the Backup itself selects this namespaced object, in whatever cluster.

        A wrong no costs a request, a wrong yes an object. An excluded object, or an object in
        deletion, counts too: Velero would not take it for an action, either.
        """
        included, excluded = self.named
        sure = frozenset(each.text for each in included if each.is_sure)
        resource = reference.group_resource
        return (
            bool(reference.namespace)
            and not any(map(glob.is_pattern, self.namespaces.included - {ALL}))  # before v1.18
            and self._is_listed(reference.namespace)
            and self.selectors is None
            and not self.has_policy
            and self.resources.collects(resource, is_namespaced=True)
            and (not included or glob.any_matches(sure, resource))
            and all(each.is_sure for each in excluded)
        )

    def _is_listed(self, namespace: str) -> bool:
        """True if Velero lists the namespace.

        None is listed if `*` itself is excluded, by `?` for instance.
        """
        is_every = not self.namespaces.included or ALL in self.namespaces.included
        return self.selects_namespace(namespace) and not (is_every and self.namespaces.exclude(ALL))

    def _selects_namespace_object(self, namespace: Item) -> bool:
        is_active = it.text(namespace, "status", "phase") == "Active"
        if not is_active or not self.resources.collects(NAMESPACES, is_namespaced=False):
            return False
        if self.selectors is None:
            is_wanted = self.selects_namespace(it.name(namespace))
        else:
            is_named = not self.namespaces.are_all and self.selects_namespace(it.name(namespace))
            is_wanted = is_named or self.selects_labels(it.labels(namespace))
        return is_wanted and self.admits(kinds.NAMESPACE, namespace)


def _lists(backup: Item, what: str) -> tuple[Sequence[str], Sequence[str]]:
    included, excluded = (it.texts(backup, "spec", f"{verb}{what}") for verb in _VERBS)
    return included, excluded


def _cluster_scoped(backup: Item) -> bool | None:
    field = "includeClusterResources"
    is_set = it.mapping(backup, "spec").get(field) is not None
    return it.flag(backup, "spec", field) if is_set else None


def _texts(names: Iterable[Name], *, is_namespaced: bool | None = None) -> frozenset[str]:
    """The texts of names, except names of the other scope, which Velero drops."""
    scopes = (None, is_namespaced) if is_namespaced is not None else (None, True, False)
    return frozenset(each.text for each in names if each.text and each.is_namespaced in scopes)


def _selectors(backup: Item) -> Sequence[LabelSelector] | None:
    written = it.sequence(backup, "spec", "orLabelSelectors")
    if not written:
        if it.mapping(backup, "spec").get("labelSelector") is None:
            return None
        written = [it.mapping(backup, "spec", "labelSelector")]
    try:
        selectors = [LabelSelector.of_object(each) for each in written]
    except ValueError:
        return ()
    return selectors if all(each.requirements for each in selectors) else ()
