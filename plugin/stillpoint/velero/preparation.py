"""The Backup that Velero makes of a Schedule, checks, and completes at its start.

Sources: FromSchedule in pkg/builder/backup_builder.go and prepareBackupRequest in
pkg/controller/backup_controller.go of Velero v1.18.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from stillpoint.model import duration, kinds
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.velero import marks, server
from stillpoint.velero.request import POLICIES_OF_ALL
from stillpoint.velero.selection.label_selector import LabelSelector

_OF_SCHEDULE = "velero.io/schedule-name"
_OLD = ("includedResources", "excludedResources", "includeClusterResources")
_NEW = tuple(
    f"{verb}{scope}ScopedResources"
    for verb in ("included", "excluded")
    for scope in ("Cluster", "Namespace")
)
_DURATIONS = ("ttl", "csiSnapshotTimeout", "itemOperationTimeout")
_SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"
_CONTENTS = "volumesnapshotcontents.snapshot.storage.k8s.io"
_LEFT_OUT_ANYWAY: dict[bool, dict[str, Sequence[str]]] = {
    True: {"excludedResources": (_SNAPSHOTS, _CONTENTS)},
    False: {
        "excludedNamespaceScopedResources": (_SNAPSHOTS,),
        "excludedClusterScopedResources": (_CONTENTS,),
    },
}
"""By the style of filters, True for the old one: of snapshots, Velero stores its own alone."""


def of_schedule(schedule: Item) -> Item:
    """The Backup that Velero makes of a Schedule, under the name of that."""
    spec = it.mapping(schedule, "spec", "template")
    labels = it.mapping(spec, "metadata", "labels") or it.labels(schedule)
    metadata = {
        **it.mapping(schedule, "metadata"),
        "labels": {**labels, _OF_SCHEDULE: it.name(schedule)},
    }
    return {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata, "spec": spec}


def with_namespace(backup: Item) -> Item:
    """The Backup, in the namespace `velero` if none is set."""
    if it.namespace(backup):
        return backup
    return it.with_value(backup, "velero", "metadata", "namespace")


def under_server(backup: Item, objects: Iterable[Item]) -> Item:
    """The Backup, annotated with the policies that its server has for all backups.

    A Backup that has the annotation stays as it is.

    Args:
        objects: the server's Deployment may be among them.
    """
    if POLICIES_OF_ALL in it.annotations(backup):
        return backup
    deployment = server.find(it.namespace(backup), objects)
    name = server.policies_of_all(deployment) if deployment else ""
    return it.with_annotation(backup, POLICIES_OF_ALL, name) if name else backup


def faults(backup: Item) -> list[str]:
    """The faults for which Velero would refuse the specification of a Backup."""
    spec = it.mapping(backup, "spec")
    found = []
    old = [field for field in _OLD if spec.get(field) not in (None, [])]
    new = [field for field in _NEW if spec.get(field)]
    if old and new:
        found.append(f"{', '.join(old)} cannot stand beside {', '.join(new)}")
    if spec.get("labelSelector") is not None and spec.get("orLabelSelectors") is not None:
        found.append("labelSelector cannot stand beside orLabelSelectors")
    times = ((field, it.text(spec, field)) for field in _DURATIONS)
    found += [
        f"{field} {text!r} is no duration such as 720h"
        for field, text in times
        if text and duration.parse(text.lstrip("+-")) is None
    ]
    selectors = [spec.get("labelSelector"), *(spec.get("orLabelSelectors") or ())]
    for selector in filter(None, selectors):
        try:
            LabelSelector.of_object(selector)
        except (ValueError, MalformedItem) as error:
            found.append(f"no label selector: {error}")
    return found


def begin(backup: Item, cluster: Iterable[Item], now: datetime) -> Item:
    """The Backup as actions see it: completed by Velero, and begun now.

    Args:
        backup: without faults.
        cluster: all objects; namespaces among them may be labelled as excluded.

    Raises:
        MalformedItem: a field has the wrong type.
    """
    spec = it.mapping(backup, "spec")
    is_old = any(spec.get(field) not in (None, []) for field in _OLD)
    spec = {**spec, "includedNamespaces": it.texts(backup, "spec", "includedNamespaces") or ["*"]}
    hidden = [
        it.name(item)
        for item in cluster
        if item["kind"] == kinds.NAMESPACE.kind and marks.is_excluded(item)
    ]
    added: dict[str, Sequence[str]] = {**_LEFT_OUT_ANYWAY[is_old], "excludedNamespaces": hidden}
    for field, names in added.items():
        before = it.texts(backup, "spec", field)
        if names:
            spec[field] = [*before, *(name for name in names if name not in before)]
    metadata = {"uid": str(uuid.uuid4())} | it.mapping(backup, "metadata")
    begun = {"phase": "InProgress", "startTimestamp": now.isoformat(timespec="seconds")}
    return {**backup, "metadata": metadata, "spec": spec, "status": begun}
