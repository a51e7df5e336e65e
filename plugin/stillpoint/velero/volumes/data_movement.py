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
_MOVES = ("InProgress", "Canceling")


def is_new(moved: Item) -> bool:
    """True if no data mover has accepted the work."""
    return phase(moved) == _NEW


def has_ended(moved: Item) -> bool:
    """True if the data mover does nothing more for the object."""
    return phase(moved) in (COMPLETED, _CANCELED, _FAILED)


def has_moved(moved: Item) -> bool:
    """True if all bytes are where they were to go."""
    return phase(moved) == COMPLETED


def has_begun(moved: Item) -> bool:
    """True if bytes have begun to move; of cancelled work always, which says nothing.

    An object that failed before was never read: the cluster had no place for its data mover, say.
    """
    return it.time(moved, "status", "startTimestamp") is not None


def is_canceled(moved: Item) -> bool:
    """True if a person, or Velero itself, has cancelled the work."""
    return phase(moved) == _CANCELED


def is_moving(moved: Item) -> bool:
    """True if bytes are on their way just now."""
    return phase(moved) in _MOVES


def node(moved: Item) -> str:
    """Name of the node whose data mover has the work; empty if none has accepted it."""
    status = it.mapping(moved, "status")
    return it.text(status, "node") or it.text(status, "acceptedByNode")


def message(moved: Item) -> str:
    """The data mover's words about its phase; may be empty."""
    return it.text(moved, "status", "message")


def amounts(moved: Item) -> tuple[int, int]:
    """The bytes that were moved so far, and all of them; 0 as long as a number is not known."""
    found = it.mapping(moved, "status", "progress")
    return int(found.get("bytesDone") or 0), int(found.get("totalBytes") or 0)


def progress(moved: Item, now: datetime) -> Progress:
    """The progress of the data mover, as Velero reports that of its own operations."""
    reached = phase(moved)
    done, total = amounts(moved)
    said, kind = message(moved), it.text(moved, "kind")
    failures = {
        _CANCELED: said or f"{kind} is canceled",
        _FAILED: said or f"{kind} has failed",
    }
    return Progress(
        started=it.time(moved, "status", "startTimestamp") or it.creation_time(moved) or now,
        updated=now,
        completed=reached in (COMPLETED, *failures),
        error=failures.get(reached, ""),
        done=done,
        total=total,
        units="Bytes",
        description=reached,
    )


def cancellation() -> Item:
    """The merge patch that cancels the data mover's work."""
    return {"spec": {"cancel": True}}


def phase(moved: Item) -> str:
    """For instance `InProgress`; `New` before a data mover has seen the object."""
    return it.text(moved, "status", "phase") or _NEW
