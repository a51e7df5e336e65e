"""Velero's own objects, as far as one backup has to know of the others (velero.io/v1)."""

import hashlib
from collections.abc import Iterable

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.machines import pod as pods
from stillpoint.velero.request import Backup
from stillpoint.velero.volumes.policy import Fate, Policy

BACKUP = Resource("velero.io", "v1", "backups", "Backup")
DATA_UPLOAD = Resource("velero.io", "v2alpha1", "datauploads", "DataUpload")
RESTORE = Resource("velero.io", "v1", "restores", "Restore")

SERVER = Resource("apps", "v1", "deployments", "Deployment")
SERVER_NAME = "velero"
"""The name that `velero install` and OADP give to the server's Deployment."""

OF_RESTORE = "velero.io/restore-name"
"""Label of every object that a restore has created, and of those that it has changed."""

_POLICIES_OF_ALL_FLAG = "global-backup-volume-policies-configmap"
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


def policies_of_all(deployment: Item) -> str:
    """Name of the ConfigMap with policies of all backups, by a server's flags; empty without one.

    Source: pkg/cmd/server/config of Velero, on its way to 1.19; older servers refuse the flag.
    """
    for container in it.sequence(deployment, "spec", "template", "spec", "containers"):
        words = [*it.texts(container, "command"), *it.texts(container, "args")]
        for number, word in enumerate(words):
            flag, equals, value = word.partition("=")
            if flag.lstrip("-") == _POLICIES_OF_ALL_FLAG:
                return value if equals else "".join(words[number + 1 : number + 2])
    return ""


def moves_data(backup: Item) -> bool:
    """Whether a data mover takes the data of snapshots into the object store."""
    return it.mapping(backup, "spec").get("snapshotMoveData") is True


def has_policies(backup: Item) -> bool:
    """Whether a ConfigMap may decide what becomes of the data of a volume."""
    return bool(Backup.parse(backup).policies)


def has_native_snapshots(backup: Item) -> bool:
    """Whether a backup that has ended has snapshots of Velero's volume snapshotters, not of CSI."""
    return bool(it.mapping(backup, "status").get("volumeSnapshotsAttempted"))


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


def fate(
    backup: Item, policy: Policy | None, claim: Item, volume: Item, pods: Iterable[Item]
) -> Fate:
    """What becomes of the data of a claim: policies first, then pods' annotations, then the Backup.

    Source: internal/volumehelper of Velero v1.18.

    Args:
        volume: the PersistentVolume of the claim; empty if it is not bound to one.
        pods: those that mount the claim, also those in which nothing runs any more.
    """
    if policy and policy.volumes and (decided := policy.fate(claim, volume)):
        return decided
    if any(copies_volume(backup, each, it.name(claim)) for each in pods):
        return Fate.FILE_SYSTEM
    return Fate.SNAPSHOT if cuts_disks(backup) else Fate.SKIP


def brings_back(backup: Item, claim: str, pod: Item, *, is_by_policy: bool) -> bool:
    """Whether files of a claim that this pod mounts are copied, and put back with the pod.

    Velero puts them back through the pod that they were copied through: through none that a restore
    leaves out, as it does those of virtual machines.

    Args:
        is_by_policy: a policy has decided that they are copied, through whatever pod.
    """
    if pods.is_of_machine(pod) or it.text(pod, "status", "phase") != "Running":
        return False
    return is_by_policy or copies_volume(backup, pod, claim)


def group_snapshot_label(backup: Item) -> str:
    """Label whose value joins claims into one group snapshot.

    Velero's own default is the same for every server, unless a flag of it says otherwise.
    """
    key = it.text(backup, "spec", "volumeGroupSnapshotLabelKey")
    return key or "velero.io/volume-group"
