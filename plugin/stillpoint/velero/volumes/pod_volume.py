"""PodVolumeBackup and PodVolumeRestore (velero.io/v1): files copied through a pod that mounts them.

Source: pkg/podvolume/backupper.go, restorer.go and util.go of Velero v1.15 to v1.18.
"""

from collections.abc import Iterable, Mapping, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.model.reference import Resource
from stillpoint.velero import marks

BACKUP = Resource("velero.io", "v1", "podvolumebackups", "PodVolumeBackup")
RESTORE = Resource("velero.io", "v1", "podvolumerestores", "PodVolumeRestore")

_CLAIM = "velero.io/pvc-name"
_CLAIM_UID = "velero.io/pvc-uid"
_RESTORE_UID = "velero.io/restore-uid"


def of_restored(cluster: Index, restore: Item) -> Mapping[str, Sequence[Item]]:
    """The PodVolumeBackups of the backup that a Restore restores, by their `claims`.

    Raises:
        ReadFailed: they could not be listed.
    """
    name = it.text(restore, "spec", "backupName")
    selector = f"{marks.OF_BACKUP}={marks.label_value(name)}"
    return cluster.list_grouped(BACKUP, it.namespace(restore), claims, selector)


def new(backup: str, claim: tuple[str, str], pod: str, phase: str, snapshot: str) -> Item:
    """A PodVolumeBackup as Velero has made one, as far as a restore reads it.

    Args:
        backup: the name of the Backup.
        snapshot: its name in the repository; empty where there are no files.
    """
    namespace, name = claim
    return {
        "apiVersion": f"{BACKUP.group}/{BACKUP.version}",
        "kind": BACKUP.kind,
        "metadata": {
            "name": f"{backup}-{namespace}-{pod}-{name}",
            "labels": {marks.OF_BACKUP: marks.label_value(backup)},
            "annotations": {_CLAIM: name},
        },
        "spec": {"pod": {"namespace": namespace, "name": pod}},
        "status": {"phase": phase, "snapshotID": snapshot},
    }


def pod(copy: Item) -> str:
    """The name of the pod through which files are copied."""
    return it.text(copy, "spec", "pod", "name")


def claims(copy: Item) -> Iterable[str]:
    """`NAMESPACE/NAME` of the claim of a PodVolumeBackup; none if the volume is no claim."""
    namespace = it.text(copy, "spec", "pod", "namespace")
    name = it.text(copy, "metadata", "annotations", _CLAIM)
    return (f"{namespace}/{name}",) if name else ()


def is_of_empty_volume(copy: Item) -> bool:
    """True if there were no files to copy: nothing is lost, and nothing comes back."""
    return is_done(copy) and not has_files(copy)


def has_files(copy: Item) -> bool:
    """True if a PodVolumeBackup has files: Velero makes a PodVolumeRestore of no other."""
    return bool(it.text(copy, "status", "snapshotID"))


def filled_claims(copy: Item) -> Iterable[str]:
    """The uid of the claim that a PodVolumeRestore fills."""
    uid = it.labels(copy).get(_CLAIM_UID)
    return (str(uid),) if uid else ()


def is_of_restore(copy: Item, uid: str) -> bool:
    """True if the Restore of this uid has made the PodVolumeRestore."""
    return it.labels(copy).get(_RESTORE_UID) == uid


def is_done(copy: Item) -> bool:
    """True if all files have been copied."""
    return it.text(copy, "status", "phase") == "Completed"


def has_failed(copy: Item) -> bool:
    """True if copying has ended before its time."""
    return it.text(copy, "status", "phase") in ("Failed", "Canceled")


def state(copy: Item) -> str:
    """Name and phase of a PodVolumeRestore, with Velero's words: `back-x7 Failed: no space`."""
    phase, message = (it.text(copy, "status", field) for field in ("phase", "message"))
    return f"{it.name(copy)} {phase or 'New'}" + (f": {message}" if message else "")
