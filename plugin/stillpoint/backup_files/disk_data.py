"""The data of a disk in a finished backup: what its archive and Velero's books say of a claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.backup_files import uploads
from stillpoint.backup_files.books import Books
from stillpoint.backup_files.uploads import Objects
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import volume_snapshot, volume_snapshot_content
from stillpoint.velero.volumes import claim_data, data_upload, volume_info
from stillpoint.velero.volumes.volume_info import VolumeInfo


class Method(StrEnum):
    """The way in which a backup keeps the bytes of a disk."""

    SNAPSHOT = "snapshot"
    """A snapshot in the storage, by CSI."""
    NATIVE = "native snapshot"
    """A snapshot in the storage, by a plugin of Velero for that storage."""
    MOVED = "moved"
    """The bytes of a snapshot, which a data mover has put into the object store."""
    FILES = "files"
    """Files, copied one after the other while the guest runs (fs-backup)."""
    SKIPPED = "skipped"
    """Nothing, on purpose: a policy or label leaves the disk out."""
    NONE = "none"
    """Nothing."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DiskData:
    """The data of a disk.

    Attributes:
        claim: its namespace and name.
        item: the stored claim; None if the backup has none.
        info: Velero's entry of the volume; None if there is none.
        snapshot: the stored VolumeSnapshot; None if there is none.
        content: the stored VolumeSnapshotContent; None if there is none.
        upload: the stored DataUpload that the claim names; None if there is none.
        uploads: names of all DataUploads of the claim in the backup.
    """

    claim: Reference
    item: Item | None
    info: VolumeInfo | None
    snapshot: Item | None
    content: Item | None
    upload: Item | None
    uploads: Sequence[str]
    method: Method

    @property
    def is_taken(self) -> bool:
        """True if the backup has bytes of the disk, or may have."""
        return self.method not in (Method.SKIPPED, Method.NONE)

    @property
    def handle(self) -> str:
        """The storage's name for the snapshot, or the repository's; may be empty."""
        if self.method is Method.MOVED:
            return data_upload.moved_snapshot(self.upload) if self.upload else ""
        if self.method is Method.SNAPSHOT:
            return volume_snapshot_content.handle(self.content) if self.content else ""
        return self.info.handle if self.info else ""


def of(claim: Reference, objects: Objects, books: Books) -> DiskData:
    """The data of a claim.

    Raises:
        MalformedItem: an object of it is not what the Kubernetes API makes.
    """
    item = objects.get(claim)
    info = (books.volumes or {}).get((claim.namespace, claim.name))
    snapshot = _snapshot(item, claim, objects)
    return DiskData(
        claim=claim,
        item=item,
        info=info,
        snapshot=snapshot,
        content=_content(snapshot, objects),
        upload=uploads.of_claim(item, objects) if item else None,
        uploads=uploads.names(claim, objects),
        method=_method(item, info, has_book=books.volumes is not None),
    )


def _snapshot(item: Item | None, claim: Reference, objects: Objects) -> Item | None:
    name = claim_data.snapshot(item) if item else ""
    return objects.get(kinds.VOLUME_SNAPSHOT.named(claim.namespace, name)) if name else None


def _content(snapshot: Item | None, objects: Objects) -> Item | None:
    name = volume_snapshot.content(snapshot) if snapshot else ""
    return objects.get(kinds.VOLUME_SNAPSHOT_CONTENT.named("", name)) if name else None


def _method(item: Item | None, info: VolumeInfo | None, *, has_book: bool) -> Method:
    if item is None:
        return Method.NONE
    if claim_data.is_uploaded(item) or (info and info.is_moved):
        return Method.MOVED
    if claim_data.snapshot(item):
        return Method.SNAPSHOT
    if info is not None:
        return _method_of_book(info)
    return Method.NONE if has_book else Method.UNKNOWN


def _method_of_book(info: VolumeInfo) -> Method:
    if info.is_skipped:
        return Method.SKIPPED
    ways = {
        volume_info.Method.CSI: Method.SNAPSHOT,
        volume_info.Method.FILES: Method.FILES,
        volume_info.Method.NATIVE: Method.NATIVE,
    }
    return ways[info.method] if info.method else Method.UNKNOWN
