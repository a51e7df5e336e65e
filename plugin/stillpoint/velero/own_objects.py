"""Velero's own objects (velero.io/v1)."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

BACKUP = Resource("velero.io", "v1", "backups", "Backup")
RESTORE = Resource("velero.io", "v1", "restores", "Restore")
SCHEDULE = Resource("velero.io", "v1", "schedules", "Schedule")
STORAGE_LOCATION = Resource("velero.io", "v1", "backupstoragelocations", "BackupStorageLocation")
DOWNLOAD_REQUEST = Resource("velero.io", "v1", "downloadrequests", "DownloadRequest")

OF_SCHEDULE = "velero.io/schedule-name"
"""Label of a Backup with the name of its Schedule."""

_RUNNING = ("InProgress", "WaitingForPluginOperations", "Finalizing")
"""Phases in which items are read or snapshots taken; a queued backup has yet to begin."""


_ENDED = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")


def has_ended(backup: Item) -> bool:
    """True if Velero does nothing more for the backup."""
    return it.text(backup, "status", "phase") in _ENDED


def has_failed(backup: Item) -> bool:
    """True if the backup failed as a whole, as one whose server was restarted."""
    return it.text(backup, "status", "phase") == "Failed"


def is_restorable(backup: Item) -> bool:
    """True if Velero restores from the backup: its files are complete."""
    return it.text(backup, "status", "phase") in ("Completed", "PartiallyFailed")


def is_running(backup: Item) -> bool:
    """True if the backup may freeze guests now."""
    return it.text(backup, "status", "phase") in _RUNNING


def phase(backup: Item) -> str:
    """The phase of a Backup; empty before Velero has seen it."""
    return it.text(backup, "status", "phase")


def failure(backup: Item) -> str:
    """Velero's reason why a Backup failed; may be empty."""
    faults = it.texts(backup, "status", "validationErrors")
    return it.text(backup, "status", "failureReason") or "; ".join(faults)


def may_hold_guests(backup: Item) -> bool:
    """True if the backup may have frozen a guest that it has yet to thaw."""
    return it.text(backup, "status", "phase") == "InProgress"


_NOT_BEGUN = ("", "New")
_RESTORES_OBJECTS = (*_NOT_BEGUN, "InProgress")
_RESTORE_ENDED = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")


def has_restored_objects(restore: Item) -> bool:
    """True if a Restore creates no more objects; operations may still bring the bytes of disks."""
    return it.text(restore, "status", "phase") not in _RESTORES_OBJECTS


def has_restore_ended(restore: Item) -> bool:
    """True if Velero does nothing more for a Restore."""
    return it.text(restore, "status", "phase") in _RESTORE_ENDED


def is_restore_refused(restore: Item) -> bool:
    """True if Velero has not begun a Restore, and never will."""
    return it.text(restore, "status", "phase") == "FailedValidation"


def restore_errors(restore: Item) -> int:
    """The number of errors of a Restore so far."""
    count = it.mapping(restore, "status").get("errors")
    return count if isinstance(count, int) else 0
