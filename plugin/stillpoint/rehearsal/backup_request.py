"""The Backup object that a rehearsal is about: from flags, as it is, and as Velero starts it.

Source: prepareBackupRequest in pkg/controller/backup_controller.go of Velero v1.18.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.names import listed
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.known import Known
from stillpoint.velero import own_objects
from stillpoint.velero.request import POLICIES_OF_ALL
from stillpoint.velero.selection.filters import EXCLUDED
from stillpoint.velero.selection.label_selector import LabelSelector

_OF_SCHEDULE = "velero.io/schedule-name"
_OLD = ("includedResources", "excludedResources", "includeClusterResources")
_NEW = tuple(
    f"{verb}{scope}ScopedResources"
    for verb in ("included", "excluded")
    for scope in ("Cluster", "Namespace")
)
_SNAPSHOTS = "volumesnapshots.snapshot.storage.k8s.io"
_CONTENTS = "volumesnapshotcontents.snapshot.storage.k8s.io"
_LEFT_OUT_ANYWAY: dict[bool, dict[str, Sequence[str]]] = {
    True: {"excludedResources": (_SNAPSHOTS, _CONTENTS)},
    False: {
        "excludedNamespaceScopedResources": (_SNAPSHOTS,),
        "excludedClusterScopedResources": (_CONTENTS,),
    },
}
"""By whether the filters are of the old style: Velero stores the snapshots of this backup alone."""


def of_flags(namespaces: Sequence[str], selector: LabelSelector | None) -> Item:
    """The Backup that selects these namespaces, all without any, by a label selector."""
    spec: Item = {"includedNamespaces": sorted(namespaces) or ["*"], "snapshotVolumes": True}
    if selector and selector.requirements:
        spec["labelSelector"] = selector.as_object()
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "rehearsal", "namespace": "velero"},
        "spec": spec,
    }


def of_schedule(schedule: Item) -> Item:
    """The Backup that Velero makes of a Schedule, under the name of that.

    Source: FromSchedule in pkg/builder/backup_builder.go of Velero v1.18.
    """
    spec = it.mapping(schedule, "spec", "template")
    labels = it.mapping(spec, "metadata", "labels") or it.labels(schedule)
    metadata = {
        **it.mapping(schedule, "metadata"),
        "labels": {**labels, _OF_SCHEDULE: it.name(schedule)},
    }
    return {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata, "spec": spec}


def placed(backup: Item) -> Item:
    """The Backup in Velero's namespace, if it does not say which that is."""
    if it.namespace(backup):
        return backup
    return it.with_value(backup, "velero", "metadata", "namespace")


def under_server(backup: Item, deployments: Iterable[Item]) -> Item:
    """The Backup with the note of policies that the server, if it is one of these, has for all.

    One that says already which they are is left as it is.
    """
    if POLICIES_OF_ALL in it.annotations(backup):
        return backup
    own = (it.namespace(backup), own_objects.SERVER_NAME)
    servers = (one for one in deployments if (it.namespace(one), it.name(one)) == own)
    name = next(filter(None, map(own_objects.policies_of_all, servers)), "")
    return it.with_annotation(backup, POLICIES_OF_ALL, name) if name else backup


def started(backup: Item, known: Known, now: datetime) -> Item:
    """The Backup as actions see it: with what Velero adds, and begun now.

    Raises:
        NothingToRehearse: Velero would refuse the specification.
        MalformedItem: a field has the wrong type.
    """
    servers = (one for one in known.objects if one["kind"] == own_objects.SERVER.kind)
    backup = under_server(placed(backup), servers)
    spec = it.mapping(backup, "spec")
    is_old = any(spec.get(field) not in (None, []) for field in _OLD)
    if faults := _faults(spec, is_old=is_old):
        subject, cause = it.describe(backup), listed(faults, "; ")
        raise NothingToRehearse(subject, "Velero would refuse it", cause)
    spec = {**spec, "includedNamespaces": it.texts(backup, "spec", "includedNamespaces") or ["*"]}
    hidden = [
        it.name(item)
        for item in known.objects
        if item["kind"] == "Namespace" and it.labels(item).get(EXCLUDED) == "true"
    ]
    added: dict[str, Sequence[str]] = {**_LEFT_OUT_ANYWAY[is_old], "excludedNamespaces": hidden}
    for field, names in added.items():
        before = it.texts(backup, "spec", field)
        if names:
            spec[field] = [*before, *(name for name in names if name not in before)]
    metadata = {"uid": str(uuid.uuid4())} | it.mapping(backup, "metadata")
    begun = {"phase": "InProgress", "startTimestamp": now.isoformat(timespec="seconds")}
    return {**backup, "metadata": metadata, "spec": spec, "status": begun}


def _faults(spec: Item, *, is_old: bool) -> list[str]:
    faults = []
    new = [field for field in _NEW if spec.get(field)]
    if is_old and new:
        old = [field for field in _OLD if spec.get(field) not in (None, [])]
        faults.append(f"{', '.join(old)} cannot stand beside {', '.join(new)}")
    if spec.get("labelSelector") is not None and spec.get("orLabelSelectors") is not None:
        faults.append("labelSelector cannot stand beside orLabelSelectors")
    selectors = [spec.get("labelSelector"), *(spec.get("orLabelSelectors") or ())]
    for selector in filter(None, selectors):
        try:
            LabelSelector.of_object(selector)
        except (ValueError, MalformedItem) as error:
            faults.append(f"no label selector: {error}")
    return faults
