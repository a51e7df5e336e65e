"""The objects that a Restore takes from a backup, in which order and where to.

Source: pkg/restore/restore.go of Velero v1.18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.velero.selection.discovery import Discovery
from stillpoint.velero.selection.label_selector import LabelSelector
from stillpoint.velero.selection.resource_filter import Names

ALWAYS_LEFT_OUT = frozenset(
    (
        "nodes",
        "events",
        "events.events.k8s.io",
        "backups.velero.io",
        "restores.velero.io",
        "resticrepositories.velero.io",
        "csinodes.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "backuprepositories.velero.io",
    )
)

_FIRST = (
    "customresourcedefinitions.apiextensions.k8s.io",
    "namespaces",
    "storageclasses.storage.k8s.io",
    "volumesnapshotclasses.snapshot.storage.k8s.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshots.snapshot.storage.k8s.io",
    "datauploads.velero.io",
    "persistentvolumes",
    "persistentvolumeclaims",
    "clusterroles.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "serviceaccounts",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "secrets",
    "configmaps",
    "limitranges",
    "priorityclasses.scheduling.k8s.io",
    "pods",
    "replicasets.apps",
    "endpoints",
    "services",
)
"""Velero's default order; all other resources follow by name."""

KEPT = ("namespaces", "serviceaccounts", "customresourcedefinitions.apiextensions.k8s.io")
"""Resources of which every target has objects; the restore goes on with those that exist."""

_OF_ONE_CLUSTER = (
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
)


def rank(reference: Reference) -> tuple[int, str, str, str]:
    """The key by which items are sorted into the order of a restore.

    Source: pkg/cmd/server/config of Velero v1.18.
    """
    resource = reference.group_resource
    first = _FIRST.index(resource) if resource in _FIRST else len(_FIRST)
    return first, resource, reference.namespace, reference.name


def without_origin(item: Item) -> Item:
    """A stored item without the fields that Velero removes before any action sees the item."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _OF_ONE_CLUSTER}
    return it.without({**item, "metadata": metadata}, "status")


@dataclass(frozen=True, slots=True)
class RestoreRules:
    """Rules by which a Restore selects objects, and their targets.

    Attributes:
        selectors: any of these has to match; empty if labels do not matter.
        cluster_scoped: None means with all namespaces only.
        mapping: other names of namespaces.
        updates: true if an existing object is patched rather than left unchanged.
    """

    namespaces: Names
    resources: Names
    selectors: Sequence[LabelSelector]
    cluster_scoped: bool | None
    mapping: Mapping[str, str]
    updates: bool

    @classmethod
    def parse(cls, restore: Item, discovery: Discovery) -> "RestoreRules":
        """Parses the rules of a Restore object.

        Raises:
            MalformedItem: a field has the wrong type.
            ValueError: a label selector is none.
        """

        def lists(what: str) -> tuple[frozenset[str], frozenset[str]]:
            included = it.texts(restore, "spec", f"included{what}")
            return frozenset(included), frozenset(it.texts(restore, "spec", f"excluded{what}"))

        included, excluded = lists("Resources")
        spec = it.mapping(restore, "spec")
        field = "includeClusterResources"
        is_set = spec.get(field) is not None
        return cls(
            Names(*lists("Namespaces")),
            Names(
                frozenset(discovery.name(text).text for text in included),
                frozenset(discovery.name(text).text for text in excluded) | ALWAYS_LEFT_OUT,
            ),
            _selectors(restore),
            it.flag(restore, "spec", field) if is_set else None,
            it.mapping(restore, "spec", "namespaceMapping"),
            it.text(restore, "spec", "existingResourcePolicy") == "update",
        )

    def why_not(self, reference: Reference, item: Item) -> str:
        """The reason why the Restore does not select an item by itself; empty if selected."""
        if why := self.why_refused(reference):
            return why
        if not reference.namespace and not self.cluster_scoped and not self.namespaces.are_all:
            return "cluster-scoped, and the Restore names namespaces"
        labels = it.labels(item)
        if self.selectors and not any(each.matches(labels) for each in self.selectors):
            return "its labels do not match the selector of the Restore"
        return ""

    def why_refused(self, reference: Reference) -> str:
        """The reason why Velero refuses an item even from an action; empty if admitted."""
        if reference.group_resource in ALWAYS_LEFT_OUT:
            return "Velero never restores this resource"
        if not self.resources.select(reference.group_resource):
            return "the Restore leaves its resource out"
        if reference.namespace and not self.namespaces.select(reference.namespace):
            return "the Restore leaves its namespace out"
        if not reference.namespace and self.cluster_scoped is False:
            return "the Restore leaves cluster-scoped objects out"
        return ""

    def target(self, reference: Reference) -> tuple[str, str]:
        """Namespace and name of a created item, unless an action renames the item."""
        if reference.group_resource == "namespaces":
            return "", str(self.mapping.get(reference.name, reference.name))
        namespace = self.mapping.get(reference.namespace, reference.namespace)
        return str(namespace), reference.name


def _selectors(restore: Item) -> Sequence[LabelSelector]:
    written = [
        *it.sequence(restore, "spec", "orLabelSelectors"),
        *filter(None, [it.mapping(restore, "spec", "labelSelector")]),
    ]
    try:
        return [LabelSelector.of_object(each) for each in written]
    except MalformedItem as error:
        raise ValueError(str(error)) from error
