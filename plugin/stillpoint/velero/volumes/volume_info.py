"""Velero's book of the volumes of a backup: what was done with the data of each.

Source: internal/volume/volumes_information.go of Velero v1.18. Skipped volumes come first: where a
plugin has taken a snapshot of one all the same, a later entry says so, and counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillpoint.model import item as it
from stillpoint.model.item import Item


class Method(StrEnum):
    """Velero's words for the way of the data."""

    CSI = "CSISnapshot"
    FILES = "PodVolumeBackup"
    NATIVE = "NativeSnapshot"


_DETAILS = {
    Method.CSI: "csiSnapshotInfo",
    Method.FILES: "pvbInfo",
    Method.NATIVE: "nativeSnapshotInfo",
}
_MOVED = "snapshotDataMovementInfo"


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """An entry.

    Attributes:
        method: None if nothing was taken, or in a way that is newer than this.
        why_skipped: Velero's reason; may be empty.
        has_failed: true if Velero says that the data was not saved.
        handle: of the snapshot in the storage or the repository; may be empty.
        driver: of CSI; may be empty.
        size_bytes: None if not known.
        phase: of the DataUpload or the PodVolumeBackup; empty for other ways.
        pod: through which files were copied; empty for other ways.
        is_ready: what the storage says of a snapshot; None if it says nothing.
    """

    method: Method | None
    is_moved: bool
    is_skipped: bool
    why_skipped: str
    has_failed: bool
    handle: str
    driver: str
    size_bytes: int | None
    phase: str
    pod: str
    is_ready: bool | None


def read(entries: Sequence[Item]) -> Mapping[tuple[str, str], VolumeInfo]:
    """The last entry of each claim, by namespace and name.

    Raises:
        MalformedItem: an entry has a field of the wrong type.
    """
    return {_claim(entry): _entry(entry) for entry in entries}


def _claim(entry: Item) -> tuple[str, str]:
    return it.text(entry, "pvcNamespace"), it.text(entry, "pvcName")


def _entry(entry: Item) -> VolumeInfo:
    word, is_moved = it.text(entry, "backupMethod"), it.flag(entry, "snapshotDataMoved")
    method = Method(word) if word in set(Method) else None
    details = it.mapping(entry, _MOVED if is_moved else _DETAILS[method or Method.CSI])
    ready: Any = details.get("ReadyToUse")
    size = details.get("size")
    return VolumeInfo(
        method=method,
        is_moved=is_moved,
        is_skipped=it.flag(entry, "skipped"),
        why_skipped=it.text(entry, "skippedReason"),
        has_failed=it.text(entry, "result") == "failed",
        handle=it.text(details, "snapshotHandle"),
        driver=it.text(details, "driver"),
        size_bytes=size if isinstance(size, int) else None,
        phase=it.text(details, "Phase") if is_moved or method is Method.FILES else "",
        pod=it.text(details, "podName"),
        is_ready=ready if isinstance(ready, bool) else None,
    )
