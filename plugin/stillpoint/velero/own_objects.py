"""Velero's own objects (velero.io/v1)."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

BACKUP = Resource("velero.io", "v1", "backups", "Backup")
DATA_UPLOAD = Resource("velero.io", "v2alpha1", "datauploads", "DataUpload")
RESTORE = Resource("velero.io", "v1", "restores", "Restore")

_RUNNING = ("InProgress", "WaitingForPluginOperations", "Finalizing")
"""Phases in which items are read or snapshots taken; a queued backup has yet to begin."""


def is_running(backup: Item) -> bool:
    """True if the backup may freeze guests now."""
    return it.text(backup, "status", "phase") in _RUNNING
