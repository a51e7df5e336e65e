"""A restore as Velero makes it, into a cluster that has none of the items yet.

Source: pkg/restore/restore.go and pkg/cmd/server/config of Velero v1.18. Nothing is created: what
would be is the result.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Reference
from plugin.rehearsal import velero_actions
from plugin.rehearsal.errors import ActionFailed, LogLine
from plugin.rehearsal.plugin_client import Action, PluginClient

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

_NEVER = {
    "nodes",
    "events",
    "events.events.k8s.io",
    "backups.velero.io",
    "restores.velero.io",
    "csinodes.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
}
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


class RestoreResult(StrEnum):
    """What would become of an item."""

    CREATED = "created"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RestoredItem:
    """One item of a restore.

    Attributes:
        item: what would be created; None if nothing would.
        why: of a skipped or failed item.
        skipped_by: name of the action that left the item out; empty where Velero itself did.
        changed: paths of the fields in which the plugin made the item differ from the stored one.
        missing: additional items that an action asked for and the backup does not hold.
    """

    reference: Reference
    result: RestoreResult
    item: Item | None = None
    why: str = ""
    skipped_by: str = ""
    changed: tuple[str, ...] = ()
    missing: tuple[Reference, ...] = ()


def restore(stored: Mapping[Reference, Item], plugin: PluginClient) -> Sequence[RestoredItem]:
    """Take every stored item through the restore actions, in the order of creation.

    Raises:
        PluginFailed: the plugin process did not answer.
    """
    restorer = _Restorer(stored, plugin)
    for reference in sorted(stored, key=_rank):
        restorer.restore(reference)
    return restorer.done


def with_reasons(
    items: Sequence[RestoredItem], stored: Mapping[Reference, Item], log: Sequence[LogLine]
) -> Sequence[RestoredItem]:
    """The items with what their actions logged about leaving them out.

    Velero's protocol has no field for a reason, so an action says it in its log.
    """
    said = {(line.fields.get("action"), line.fields.get("item")): line.message for line in log}
    return [
        replace(one, why=said.get((one.skipped_by, it.describe(stored[one.reference])), one.why))
        if one.skipped_by
        else one
        for one in items
    ]


class _Restorer:
    def __init__(self, stored: Mapping[Reference, Item], plugin: PluginClient) -> None:
        self._stored = stored
        self._plugin = plugin
        self._seen: set[Reference] = set()
        self.done: list[RestoredItem] = []

    def restore(self, reference: Reference) -> None:
        if reference in self._seen:
            return
        self._seen.add(reference)
        stored = self._stored[reference]
        if why := _why_velero_skips(reference, stored):
            self.done.append(RestoredItem(reference, RestoreResult.SKIPPED, why=why))
        else:
            self.done.append(self._through_actions(reference, stored))

    def _through_actions(self, reference: Reference, stored: Item) -> RestoredItem:
        item = plain = _without_origin(stored)
        missing: list[Reference] = []
        for action in self._applicable(reference, plain):
            try:
                outcome = self._plugin.restore(action, item, stored)
            except ActionFailed as error:
                return RestoredItem(reference, RestoreResult.FAILED, why=error.cause)
            if outcome.skip:
                return RestoredItem(
                    reference,
                    RestoreResult.SKIPPED,
                    why="left out by the plugin",
                    skipped_by=action.name,
                )
            item = outcome.item
            missing += [needed for needed in outcome.additional if needed not in self._stored]
            for needed in outcome.additional:
                if needed in self._stored:
                    self.restore(needed)
        changed = tuple(_differences(plain, item))
        return RestoredItem(
            reference, RestoreResult.CREATED, item, changed=changed, missing=tuple(missing)
        )

    def _applicable(self, reference: Reference, item: Item) -> Iterator[Action]:
        for action in self._plugin.restore_actions:
            if action.applies_to(reference, it.labels(item)):
                yield action


def _rank(reference: Reference) -> tuple[int, str, str, str]:
    resource = reference.group_resource
    first = _FIRST.index(resource) if resource in _FIRST else len(_FIRST)
    return first, resource, reference.namespace, reference.name


def _why_velero_skips(reference: Reference, item: Item) -> str:
    if reference.group_resource in _NEVER:
        return "Velero never restores this resource"
    if velero_actions.kind(reference) == velero_actions.PODS:
        if it.text(item, "status", "phase") in ("Succeeded", "Failed"):
            return "the pod has ended"
        if "kubernetes.io/config.mirror" in it.annotations(item):
            return "a mirror pod is the kubelet's"
    if velero_actions.kind(reference) == velero_actions.VOLUMES:
        is_deleted = it.text(item, "spec", "persistentVolumeReclaimPolicy") == "Delete"
        if is_deleted or it.mapping(item, "spec", "csi"):
            return "made anew with its claim, from the snapshot"
    return ""


def _without_origin(item: Item) -> Item:
    """What Velero takes off before any action sees the item."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _OF_ONE_CLUSTER}
    return it.without({**item, "metadata": metadata}, "status")


def _differences(before: Item, after: Item, path: tuple[str, ...] = ()) -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, (*path, key))
        else:
            yield ".".join((*path, key))
