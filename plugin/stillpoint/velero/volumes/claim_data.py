"""The way of a claim's data through Velero: by a snapshot in the storage, or a data mover.

Source: pkg/restore/actions/csi/pvc_action.go and pkg/apis/velero/v1/labels_annotations.go of
Velero v1.18, whose action runs before those of plugins and goes by the claim's old name.
"""

import hashlib

from stillpoint.model import item as it
from stillpoint.model import kinds, quantity
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.velero import marks

_SNAPSHOT = "velero.io/volume-snapshot-name"
_REQUEST = ("spec", "resources", "requests", "storage")
_UPLOAD = "velero.io/data-upload-name"
_HANDLE = "velero.io/csi-volumesnapshot-handle"
_DRIVER = "velero.io/csi-driver-name"
_MUST_INCLUDE = "restore.velero.io/must-include-additional-items"
_OF_POPULATORS = (
    "cdi.kubevirt.io/storage.usePopulator",
    "cdi.kubevirt.io/storage.populator.pvcPrime",
)
"""CDI's annotations of a claim that it fills by way of another (pkg/controller/common/util.go)."""


def snapshot(stored: Item) -> str:
    """Name of the VolumeSnapshot with the data of a stored claim; empty if there is none."""
    return it.text(stored, "metadata", "annotations", _SNAPSHOT)


def is_uploaded(stored: Item) -> bool:
    """True if a data mover has put the data of a stored claim into the object store."""
    return _UPLOAD in it.annotations(stored)


def upload(stored: Item) -> str:
    """Name of the DataUpload that has the data of a stored claim; empty if there is none."""
    return upload_place(stored)[1]


def upload_place(stored: Item) -> tuple[str, str]:
    """Namespace and name of the DataUpload that has the data of a stored claim; may be empty."""
    namespace, _, name = it.text(stored, "metadata", "annotations", _UPLOAD).rpartition("/")
    return namespace, name


def handle(snapshot: Item) -> str:
    """The storage's name for a VolumeSnapshot that Velero's action has passed; empty before."""
    return it.text(snapshot, "metadata", "annotations", _HANDLE)


def driver(snapshot: Item) -> str:
    """The CSI driver of a VolumeSnapshot that Velero's action has passed; empty before."""
    return it.text(snapshot, "metadata", "annotations", _DRIVER)


def is_there(stored: Item) -> bool:
    """True if the backup has data of a stored claim for a new claim."""
    return bool(snapshot(stored)) or is_uploaded(stored)


def with_snapshot_annotations(stored: Item, *, is_moved: bool) -> Item:
    """A stored claim with the annotations that Velero's own action sets for its snapshot.

    Source: pkg/backup/actions/csi/pvc_action.go of Velero v1.18.
    """
    stored = it.with_annotation(stored, _SNAPSHOT, f"velero-{it.name(stored)}-rehearsed")
    return it.with_annotation(stored, _UPLOAD, "rehearsed") if is_moved else stored


def with_snapshot(claim: Item, snapshot: str, backup: str, restore_bytes: int) -> Item:
    """A claim as Velero's own action stores it with its snapshot.

    Its request is at least the size of the snapshot, which a smaller volume could not take.

    Args:
        snapshot: name of the VolumeSnapshot; Velero takes that past its filters.
        backup: name of the Backup.
        restore_bytes: 0 if the driver does not say.
    """
    claim = it.with_annotation(claim, _SNAPSHOT, snapshot)
    claim = it.with_annotation(claim, marks.MUST_INCLUDE, "true")
    claim = it.with_label(claim, _SNAPSHOT, marks.label_value(snapshot))
    claim = it.with_label(claim, marks.OF_BACKUP, marks.label_value(backup))
    request = it.text(claim, *_REQUEST)
    if restore_bytes and (not request or quantity.parse(request) < restore_bytes):
        return it.with_value(claim, quantity.of_bytes(restore_bytes), *_REQUEST)
    return claim


def with_upload(claim: Item, upload: str) -> Item:
    """A claim as Velero stores it whose data a data mover has.

    Args:
        upload: the DataUpload, `velero/nightly-1f3a`.
    """
    return it.with_annotation(claim, _UPLOAD, upload)


def claim_of_volume(volume: Item) -> Reference:
    """The claim that a PersistentVolume is bound to; without a name if there is none."""
    claim = it.mapping(volume, "spec", "claimRef")
    return kinds.CLAIM.named(it.text(claim, "namespace"), it.text(claim, "name"))


def snapshot_of_content(content: Item) -> Reference:
    """The VolumeSnapshot that a VolumeSnapshotContent is bound to."""
    snapshot = it.mapping(content, "spec", "volumeSnapshotRef")
    return kinds.VOLUME_SNAPSHOT.named(it.text(snapshot, "namespace"), it.text(snapshot, "name"))


def restored_snapshot(restore_uid: str, stored: Item) -> str:
    """The name under which Velero restores the VolumeSnapshot of a stored claim.

    Source: GenerateSha256FromRestoreUIDAndVsName in pkg/util/util.go of Velero v1.18.
    """
    return hashlib.sha256(f"{restore_uid}/{snapshot(stored)}".encode()).hexdigest()


def from_snapshot(claim: Item, name: str) -> Item:
    """The claim, to be filled from a VolumeSnapshot of its namespace."""
    source = {"apiGroup": kinds.VOLUME_SNAPSHOT.group, "kind": "VolumeSnapshot", "name": name}
    claim = it.with_value(without_source(claim), source, "spec", "dataSource")
    return it.with_annotation(it.without(claim, "spec", "volumeName"), _MUST_INCLUDE, "true")


def waits_for_left_out(claim: Item, restore_uid: str, stored: Item) -> bool:
    """True if Velero fills the claim from a snapshot that filters may leave out.

    Since v1.18.3 Velero restores the snapshot in any case, and marks the claim so.
    """
    is_from_snapshot = source(claim)[3] == restored_snapshot(restore_uid, stored)
    return is_from_snapshot and it.annotations(claim).get(_MUST_INCLUDE) != "true"


def without_source(claim: Item) -> Item:
    """The claim without a source, and without CDI's annotations about sources."""
    for field in ("dataSource", "dataSourceRef"):
        claim = it.without(claim, "spec", field)
    for annotation in _OF_POPULATORS:
        claim = it.without(claim, "metadata", "annotations", annotation)
    return claim


def source(claim: Item) -> tuple[str, str, str, str]:
    """Group, kind, namespace and name of the claim's source."""
    asked = it.mapping(claim, "spec", "dataSourceRef") or it.mapping(claim, "spec", "dataSource")
    group, kind, namespace, name = (
        it.text(asked, field) for field in ("apiGroup", "kind", "namespace", "name")
    )
    return group, kind, namespace or it.namespace(claim), name
