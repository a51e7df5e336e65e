"""The fields that DataUpload and DataDownload (velero.io/v2alpha1) share: operation and progress.

Source: pkg/apis/velero/v2alpha1 of Velero v1.18.
"""

from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import Progress

OPERATION = "velero.io/async-operation-id"
"""Label by which an operation finds its object."""

COMPLETED = "Completed"
"""The phase in which all bytes are where they were to go."""

_NEW, _CANCELED, _FAILED = "New", "Canceled", "Failed"


def is_new(moved: Item) -> bool:
    """True if no data mover has accepted the work."""
    return _phase(moved) == _NEW


def progress(moved: Item, now: datetime) -> Progress:
    """The progress of the data mover, as Velero reports that of its own operations."""
    reached, found = _phase(moved), it.mapping(moved, "status", "progress")
    message, kind = it.text(moved, "status", "message"), it.text(moved, "kind")
    failures = {
        _CANCELED: message or f"{kind} is canceled",
        _FAILED: message or f"{kind} has failed",
    }
    return Progress(
        started=it.time(moved, "status", "startTimestamp") or it.creation_time(moved) or now,
        updated=now,
        completed=reached in (COMPLETED, *failures),
        error=failures.get(reached, ""),
        done=int(found.get("bytesDone") or 0),
        total=int(found.get("totalBytes") or 0),
        units="Bytes",
        description=reached,
    )


def cancellation() -> Item:
    """The merge patch that cancels the data mover's work."""
    return {"spec": {"cancel": True}}


def _phase(moved: Item) -> str:
    return it.text(moved, "status", "phase") or _NEW
