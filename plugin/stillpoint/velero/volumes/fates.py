"""The fate of a volume's data: snapshot, data mover, copy of its files, or nothing.

Sources: internal/volumehelper and pkg/util/podvolume of Velero v1.18.
"""

from collections.abc import Iterable

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.velero.volumes.policy import Fate, Policy

_OPTED_IN = "backup.velero.io/backup-volumes"
_OPTED_OUT = "backup.velero.io/backup-volumes-excludes"


def cuts_disks(backup: Item) -> bool:
    """Whether the backup takes the data of volumes at all."""
    return it.mapping(backup, "spec").get("snapshotVolumes") is not False


def moves_data(backup: Item) -> bool:
    """Whether a data mover takes the data of snapshots into the object store."""
    return it.mapping(backup, "spec").get("snapshotMoveData") is True


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


def of_claim(
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

    Velero puts them back through the pod that they were copied through, if that is restored.

    Args:
        is_by_policy: a policy has decided that they are copied, through whatever pod.
    """
    is_running = it.text(pod, "status", "phase") == "Running"
    return is_running and (is_by_policy or copies_volume(backup, pod, claim))


def group_snapshot_label(backup: Item) -> str:
    """Label whose value joins claims into one group snapshot.

    Velero's own default is the same for every server, unless a flag of it says otherwise.
    """
    key = it.text(backup, "spec", "volumeGroupSnapshotLabelKey")
    return key or "velero.io/volume-group"
