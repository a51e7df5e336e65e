"""DataDownload (velero.io/v2alpha1), by which a data mover brings the bytes of a claim.

Velero's own action makes a DataDownload for a claim of the backup, by the claim's old name, and
polls by a label. If the claim is renamed or left out, that label is taken off, and put on another
DataDownload.

Source: pkg/restore/actions/csi/pvc_action.go and pkg/restore/actions/dataupload_retrieve_action.go
of Velero v1.18.
"""

import hashlib

import orjson

from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.velero import marks
from stillpoint.velero.volumes import data_movement

RESOURCE = Resource("velero.io", "v2alpha1", "datadownloads", "DataDownload")

_COPIED = (
    "backupStorageLocation", "datamover", "snapshotID", "snapshotSize", "sourceNamespace", "nodeOS",
)  # fmt: skip
_RESTORE_UID = "velero.io/restore-uid"
_CLAIM, _USAGE = "velero.io/pvc-namespace-name", "velero.io/resource-usage"
_VOLUME_TO_COME = "velero.io/dynamic-pv-restore"


def operation(restore_uid: str, stored_claim: Item) -> str:
    """Id of the operation that brings the bytes of a stored claim."""
    return marks.label_value(f"dd-{restore_uid}.{it.uid(stored_claim)}")


def result_selector(restore_uid: str, stored_claim: Item) -> str:
    """Label selector of the ConfigMap in which Velero keeps where the bytes of a claim are."""
    claim = marks.label_value(f"{it.namespace(stored_claim)}.{it.name(stored_claim)}")
    return f"{_CLAIM}={claim},{_RESTORE_UID}={marks.label_value(restore_uid)},{_USAGE}=DataUpload"


def result(config_map: Item, restore_uid: str) -> Item:
    """The place of the bytes, from the ConfigMap that `result_selector` selects.

    Raises:
        MalformedItem: the ConfigMap has none.
    """
    text = it.text(config_map, "data", restore_uid)
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise MalformedItem(it.describe(config_map), f"data.{restore_uid}", "JSON", text)
    return found


def new(restore: Item, backup: Item, found: Item, target: tuple[str, str]) -> Item:
    """A new DataDownload for a claim.

    Args:
        found: from `result`.
        target: namespace and name of the claim.
    """
    spec = {key: found[key] for key in _COPIED if found.get(key)}
    timeout = it.text(backup, "spec", "csiSnapshotTimeout") or "10m0s"
    labels = {marks.OF_RESTORE: marks.label_value(it.name(restore)), _RESTORE_UID: it.uid(restore)}
    owner = {"apiVersion": "velero.io/v1", "kind": "Restore", "controller": True}
    owner |= {"name": it.name(restore), "uid": it.uid(restore)}
    return {
        "apiVersion": f"{RESOURCE.group}/{RESOURCE.version}",
        "kind": RESOURCE.kind,
        "metadata": {
            "namespace": it.namespace(restore),
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": spec | {"targetVolume": _volume(*target), "operationTimeout": timeout},
    }


def for_operation(download: Item, operation_id: str, purpose: str) -> Item:
    """A copy under the label of an operation, with a name that is the same in each attempt."""
    digest = hashlib.sha256(f"{operation_id}/{purpose}".encode()).hexdigest()[:10]
    restore = restore_name(download)
    kept = ("namespace", "labels", "ownerReferences")
    metadata = {key: download["metadata"][key] for key in kept if key in download["metadata"]}
    named_after = {**download, "metadata": {**metadata, "name": f"{restore}-{digest}"}}
    return it.with_label(it.without(named_after, "status"), data_movement.OPERATION, operation_id)


def with_target(download: Item, namespace: str, name: str) -> Item:
    """A copy that brings the same bytes into another claim."""
    return it.with_value(download, _volume(namespace, name), "spec", "targetVolume")


def without_work(download: Item, message: str) -> Item:
    """A copy that has ended, for an operation without bytes to bring."""
    return {**download, "status": {"phase": data_movement.COMPLETED, "message": message}}


def cancellation() -> Item:
    """The merge patch that removes a DataDownload from its operation, and cancels the download."""
    return {"metadata": {"labels": {data_movement.OPERATION: None}}, **data_movement.cancellation()}


def with_volume_to_come(claim: Item, namespace: str, name: str, mark: str) -> Item:
    """A claim that no storage provisions: the data mover binds it to a volume with the bytes.

    Args:
        namespace: the claim's when it is created.
        name: the claim's when it is created.
        mark: differs from that of a claim of the same name in another restore.
    """
    value = marks.label_value(f"{namespace}.{name}.{mark}")
    selector = {"matchLabels": {_VOLUME_TO_COME: value}}
    return it.with_value(it.without(claim, "spec", "volumeName"), selector, "spec", "selector")


def is_awaited_by(claim: Item) -> bool:
    """True if a data mover is to bring the bytes of a restored claim; see `with_volume_to_come`."""
    return bool(_mark(claim))


def has_brought(volume: Item, claim: Item) -> bool:
    """True if a data mover made the volume for the claim of this name in this namespace.

    The data mover names the volume after a claim of its own, and labels it as the claim selects.
    Labels of volumes are those of the whole cluster: who has a namespace alone cannot write them.
    Source: RebindVolume in pkg/exposer/generic_restore.go of Velero v1.18.
    """
    mark = _mark(claim)
    is_of_namespace = mark.startswith(f"{it.namespace(claim)}.")
    return is_of_namespace and it.labels(volume).get(_VOLUME_TO_COME) == mark


def selector(restore: str) -> str:
    """Label selector of the DataDownloads of a restore."""
    return f"{marks.OF_RESTORE}={marks.label_value(restore)}"


def restore_name(download: Item) -> str:
    """Name of the restore; empty for none."""
    return it.text(download, "metadata", "labels", marks.OF_RESTORE)


def target(download: Item) -> tuple[str, str]:
    """Namespace and name of the claim that gets the bytes."""
    volume = it.mapping(download, "spec", "targetVolume")
    return it.text(volume, "namespace"), it.text(volume, "pvc")


def mover(download: Item) -> str:
    """Name of the data mover; empty for Velero's own."""
    name = it.text(download, "spec", "datamover")
    return "" if name == "velero" else name


def _mark(claim: Item) -> str:
    return it.text(claim, "spec", "selector", "matchLabels", _VOLUME_TO_COME)


def _volume(namespace: str, name: str) -> Item:
    return {"pvc": name, "pv": "", "namespace": namespace}
