"""Labels and annotations that Velero reads or writes on objects of every kind.

Labels of a subject are in its module: pod_hooks, volumes/fates, volumes/claim_data and others.

Source: pkg/apis/velero/v1/labels_annotations.go of Velero v1.18.
"""

import hashlib

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import LONGEST_LABEL_VALUE

EXCLUDED = "velero.io/exclude-from-backup"
"""Label: Velero leaves out an object that has it with the value `true`."""

SKIPPED = "velero.io/skip-from-backup"
"""Annotation of an action's item: Velero v1.18 leaves the item out; an older one stores it."""

MUST_INCLUDE = "backup.velero.io/must-include-additional-items"
"""Annotation of an action's item: `true` brings its additional items past the filters."""

OF_BACKUP = "velero.io/backup-name"
"""Label of what a backup has made, and of claims whose snapshot it has."""

OF_BACKUP_UID = "velero.io/backup-uid"
"""Label with the uid of the Backup: names return, uids do not."""

OF_RESTORE = "velero.io/restore-name"
"""Label of every object that a restore has created or changed."""


def label_value(name: str) -> str:
    """Velero's label value for a name; a name that is too long ends in its checksum.

    Source: GetValidName in pkg/label/label.go of Velero v1.18.
    """
    if len(name) <= LONGEST_LABEL_VALUE:
        return name
    return name[: LONGEST_LABEL_VALUE - 6] + hashlib.sha256(name.encode()).hexdigest()[:6]


def is_excluded(item: Item) -> bool:
    """True if the object's own label excludes it from every backup."""
    return it.labels(item).get(EXCLUDED) == "true"


def is_of_restore(item: Item, restore: str) -> bool:
    """True if the restore of this name has created or changed the object."""
    return it.labels(item).get(OF_RESTORE) == label_value(restore)
