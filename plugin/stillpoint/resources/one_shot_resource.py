"""Resources that KubeVirt carries out once, when they are created.

Restored with the rest they would snapshot, migrate, clone or overwrite virtual machines again.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

CARRIED_OUT = "stillpoint.dev/carried-out"
"""Annotation of a stored one-shot resource: it is not replayed."""

_ENDS = ("Succeeded", "Failed")
_OVERWRITING = ("VirtualMachineRestore", "VirtualMachineClone")
_CONTENT = "VirtualMachineSnapshotContent"

RESOURCES = (
    Resource("kubevirt.io", "v1", "virtualmachineinstancemigrations",
             "VirtualMachineInstanceMigration"),
    Resource("snapshot.kubevirt.io", "v1beta1", "virtualmachinesnapshots",
             "VirtualMachineSnapshot"),
    Resource("snapshot.kubevirt.io", "v1beta1", "virtualmachinesnapshotcontents",
             "VirtualMachineSnapshotContent"),
    Resource("snapshot.kubevirt.io", "v1beta1", "virtualmachinerestores", "VirtualMachineRestore"),
    Resource("clone.kubevirt.io", "v1beta1", "virtualmachineclones", "VirtualMachineClone"),
    Resource("export.kubevirt.io", "v1", "virtualmachineexports", "VirtualMachineExport"),
    Resource("backup.kubevirt.io", "v1alpha1", "virtualmachinebackups", "VirtualMachineBackup"),
    Resource("backup.kubevirt.io", "v1alpha1", "virtualmachinebackuptrackers",
             "VirtualMachineBackupTracker"),
)  # fmt: skip


def why_never_again(stored: Item) -> str:
    """The reason why a resource is not replayed even if a restore asks for that; else empty.

    The content of a snapshot cannot be replayed: its snapshots are in a storage, and KubeVirt takes
    a restored content for a snapshot in progress (v1.9, pkg/storage/snapshot).
    """
    kind = it.text(stored, "kind")
    if kind == _CONTENT:
        return "not restored: it names snapshots of the cluster that was backed up"
    has_ended = it.flag(stored, "status", "complete") or it.text(stored, "status", "phase") in _ENDS
    if kind in _OVERWRITING and has_ended:
        return "not restored: it was carried out, and would overwrite what has just been restored"
    return ""
