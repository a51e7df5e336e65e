"""Schedule (velero.io/v1): a Backup by the clock.

Source: pkg/apis/velero/v1/schedule_types.go and backup_types.go, and FromSchedule in
pkg/builder/backup_builder.go of Velero v1.18.
"""

from collections.abc import Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import LONGEST_LABEL_VALUE

_OF_SCHEDULE = "velero.io/schedule-name"
_TEMPLATE = ("spec", "template")


def is_paused(schedule: Item) -> bool:
    """True if it takes no backups until somebody lets it."""
    return it.flag(schedule, "spec", "paused")


def faults(schedule: Item) -> Sequence[str]:
    """Why Velero refuses it, or the API server each Backup of it."""
    found, longest = it.texts(schedule, "status", "validationErrors"), LONGEST_LABEL_VALUE
    length = len(it.name(schedule))
    if length <= longest:
        return found
    label = f"its Backups have its name as a label, which is no longer than {longest} characters"
    return [*found, f"its name has {length} characters: {label}"]


def is_active(schedule: Item) -> bool:
    """True if it takes backups."""
    return not is_paused(schedule) and not faults(schedule)


def location(schedule: Item) -> str:
    """Name of the location; empty for the default one."""
    return it.text(schedule, *_TEMPLATE, "storageLocation")


def ttl(schedule: Item) -> str:
    """How long its backups are kept, as written; empty for the server's default."""
    return it.text(schedule, *_TEMPLATE, "ttl")


def copies_files(schedule: Item) -> bool:
    """True if files of volumes are copied unless a pod says otherwise."""
    return it.flag(schedule, *_TEMPLATE, "defaultVolumesToFsBackup")


def moves_data(schedule: Item) -> bool | None:
    """True if data of snapshots is moved; None for the server's default."""
    value = it.mapping(schedule, *_TEMPLATE).get("snapshotMoveData")
    return value if isinstance(value, bool) else None


def of_backup(backup: Item) -> str:
    """Name of the Schedule that made a Backup; empty if none did."""
    return it.text(it.labels(backup), _OF_SCHEDULE)
