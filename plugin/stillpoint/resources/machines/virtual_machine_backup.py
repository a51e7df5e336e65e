"""VirtualMachineBackup (backup.kubevirt.io/v1alpha1), KubeVirt's own backup of a machine.

It freezes the guest and thaws it, whoever else has frozen it. Source: pkg/storage/cbt/backup.go of
KubeVirt v1.9.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource(
    "backup.kubevirt.io", "v1alpha1", "virtualmachinebackups", "VirtualMachineBackup"
)


def machine(backup: Item) -> str:
    """Name of the machine that is backed up; of a tracker, if the backup names one instead."""
    return it.text(backup, "spec", "source", "name")
