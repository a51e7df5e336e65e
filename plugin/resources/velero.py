"""Velero's own objects, as far as one backup has to know of the others (velero.io/v1)."""

import hashlib

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Resource

BACKUP = Resource("velero.io", "v1", "backups", "Backup")
RESTORE = Resource("velero.io", "v1", "restores", "Restore")

OF_RESTORE = "velero.io/restore-name"
"""Label of every object that a restore has created, and of those that it has changed."""

_LONGEST_LABEL = 63
_OPTED_IN = "backup.velero.io/backup-volumes"
_OPTED_OUT = "backup.velero.io/backup-volumes-excludes"
_RUNNING = ("InProgress", "WaitingForPluginOperations", "Finalizing")
"""Phases in which items are read or disks are cut; a queued backup has yet to begin."""


def label_value(name: str) -> str:
    """A name as Velero writes it into a label; one that is too long ends in its checksum.

    Source: GetValidName in pkg/label/label.go of Velero v1.18.
    """
    if len(name) <= _LONGEST_LABEL:
        return name
    return name[: _LONGEST_LABEL - 6] + hashlib.sha256(name.encode()).hexdigest()[:6]


def is_of_restore(item: Item, restore: str) -> bool:
    """Whether the restore of this name has created the object, or changed it."""
    return it.labels(item).get(OF_RESTORE) == label_value(restore)


def is_running(backup: Item) -> bool:
    """Whether the backup may freeze guests now."""
    return it.text(backup, "status", "phase") in _RUNNING


def cuts_disks(backup: Item) -> bool:
    """Whether the backup takes the data of volumes at all."""
    return it.mapping(backup, "spec").get("snapshotVolumes") is not False


def copies_files(backup: Item) -> bool:
    """Whether volumes of pods are copied file by file unless told otherwise."""
    fields = ("defaultVolumesToFsBackup", "defaultVolumesToRestic")
    return any(it.mapping(backup, "spec").get(field) is True for field in fields)


def copies_volume(backup: Item, pod: Item, claim: str) -> bool:
    """Whether Velero copies a claim file by file because a pod that runs mounts it.

    Source: pkg/util/podvolume of Velero v1.18; volume policies come before all this.
    """
    names = [
        it.text(volume, "name")
        for volume in it.sequence(pod, "spec", "volumes")
        if it.text(volume, "persistentVolumeClaim", "claimName") == claim
    ]
    chosen = _OPTED_OUT if copies_files(backup) else _OPTED_IN
    listed = str(it.annotations(pod).get(chosen, "")).split(",")
    return any((name in listed) is not copies_files(backup) for name in names)


def group_snapshot_label(backup: Item) -> str:
    """Label whose value joins claims into one group snapshot.

    Velero's own default is the same for every server, unless a flag of it says otherwise.
    """
    key = it.text(backup, "spec", "volumeGroupSnapshotLabelKey")
    return key or "velero.io/volume-group"
