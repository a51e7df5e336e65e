"""Objects that are orders: KubeVirt carries them out when they are created.

Restored with the rest they would snapshot, migrate, clone or overwrite virtual machines anew.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

CARRIED_OUT = "stillpoint.dev/carried-out"
"""Annotation of a stored order: it is not to be given again."""

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
    """Why an order is not given again even where a restore asks for that; empty for any other.

    The content of a snapshot is no order: it names snapshots in a storage, and KubeVirt takes one
    that comes back for a snapshot that goes on (v1.9, pkg/storage/snapshot).
    """
    kind = it.text(stored, "kind")
    if kind == _CONTENT:
        return "not restored: it names snapshots of the cluster that was backed up"
    has_ended = it.flag(stored, "status", "complete") or it.text(stored, "status", "phase") in _ENDS
    if kind in _OVERWRITING and has_ended:
        return "not restored: it was carried out, and would overwrite what has just been restored"
    return ""
