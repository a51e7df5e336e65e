"""The status of a Backup (velero.io/v1): what Velero says of one that is over, or goes on.

Source: pkg/apis/velero/v1/backup_types.go of Velero v1.18. Numbers that are zero are left out
there, once the Backup has a phase.
"""

from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.item import Item


def started(backup: Item) -> datetime | None:
    """The moment at which Velero began; None if it has not."""
    return it.time(backup, "status", "startTimestamp")


def completed(backup: Item) -> datetime | None:
    """The moment at which the backup ended; None if it has not."""
    return it.time(backup, "status", "completionTimestamp")


def expires(backup: Item) -> datetime | None:
    """The moment from which on Velero deletes the backup; None if it never does."""
    return it.time(backup, "status", "expiration")


def errors(backup: Item) -> int | None:
    """The number of errors; None before the backup has begun."""
    return _count(backup, "errors")


def warnings(backup: Item) -> int | None:
    """The number of warnings; None before the backup has begun."""
    return _count(backup, "warnings")


def hooks_attempted(backup: Item) -> int | None:
    """The number of hooks that Velero called, freezes and thaws; None if not known."""
    return _count(backup, "hookStatus", "hooksAttempted")


def hooks_failed(backup: Item) -> int | None:
    """The number of hooks that failed; None if not known."""
    return _count(backup, "hookStatus", "hooksFailed")


def _count(backup: Item, *path: str) -> int | None:
    *way, field = ("status", *path)
    found = it.mapping(backup, *way)
    if not found:
        return None
    value = found.get(field, 0)
    return value if isinstance(value, int) else None
