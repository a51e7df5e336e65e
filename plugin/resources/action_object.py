"""Objects that are orders: KubeVirt carries them out when they are created.

Restored with the rest they would snapshot, migrate, clone or overwrite virtual machines anew.
"""

from plugin.model.reference import Resource

CARRIED_OUT = "stillpoint.dev/carried-out"
"""Annotation of a stored order: it is not to be given again."""

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
