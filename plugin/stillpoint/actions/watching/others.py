"""Others who may need the freeze of a guest: all share one freeze, and one thaw ends it for all."""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero import own_objects
from stillpoint.velero.context import BackupContext
from stillpoint.velero.selection.filters import Filters


def backups(namespace: str, context: BackupContext) -> Iterator[str]:
    """Other backups that may have frozen guests of a namespace.

    A list of five minutes ago is good enough: Velero takes backups of one namespace one after the
    other (v1.18: pkg/controller/backup_queue_controller.go; before, all backups).
    """
    velero = context.backup.namespace
    listed = context.cluster.list_grouped(own_objects.BACKUP, velero, it.names)
    for name, [backup] in listed.items():
        is_other = name != context.backup.name and own_objects.may_hold_guests(backup)
        if is_other and Filters.parse(backup).selects_namespace(namespace):
            yield f"backup {name} may need its freeze"


def at_work(now: Item, context: BackupContext) -> Iterator[str]:
    """KubeVirt's own snapshot or backup of the guest of an instance.

    Args:
        now: the instance as it is.
    """
    if backup := virtual_machine_instance.backup_in_progress(now):
        yield f"VirtualMachineBackup {backup} is at work"
    if machine := virtual_machine_instance.machine(now):
        found = context.cluster.current(virtual_machine.RESOURCE, it.namespace(now), machine)
        if snapshot := virtual_machine.snapshot_in_progress(found or {}):
            yield f"VirtualMachineSnapshot {snapshot} is at work"
