"""Others who may need the freeze of a guest: all share one freeze, and one thaw ends it for all."""

from collections.abc import Iterator, Mapping, Sequence
from weakref import WeakSet

from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero import own_objects
from stillpoint.velero.context import BackupContext
from stillpoint.velero.selection.filters import Filters

_of_own_only: WeakSet[Index] = WeakSet()
"""A backup's view of the cluster, where the account was refused the Backups of other namespaces."""


def backups(namespace: str, context: BackupContext, *, are_new: bool = False) -> Iterator[str]:
    """Other backups that may have frozen guests of a namespace.

    A list of five minutes ago is good enough while this backup goes on: Velero takes backups of one
    namespace one after the other (v1.18: pkg/controller/backup_queue_controller.go; before, all
    backups). Of other Veleros of the cluster it only says where they are: one request asks them
    all, for with OADP whoever has namespaces may have Backups there that nobody takes.

    Args:
        are_new: what is listed has to be of now.
    """
    listed, own = of_each_velero(context), context.backup.namespace
    asked = [velero for velero in listed if are_new or velero != own]
    found = [] if are_new else list(listed.get(own, ()))
    if asked:
        where = asked[0] if len(asked) == 1 else ""
        found += context.cluster.list_now(own_objects.BACKUP, where)
    for backup in found:
        is_other = not is_this(backup, context) and own_objects.may_hold_guests(backup)
        if is_other and Filters.parse(backup).selects_namespace(namespace):
            yield f"backup {title(backup, context)} may need its freeze"


def of_each_velero(context: BackupContext) -> Mapping[str, Sequence[Item]]:
    """The Backups by the namespace of their Velero, all of which freeze the same guests.

    Who may not list those of other namespaces knows of its own alone.
    """
    if context.cluster not in _of_own_only:
        try:
            return context.cluster.list_grouped(own_objects.BACKUP, "", it.namespaces)
        except Forbidden as error:
            context.log.debug("%s", error)
            _of_own_only.add(context.cluster)
    own = context.backup.namespace
    return context.cluster.list_grouped(own_objects.BACKUP, own, it.namespaces)


def is_this(backup: Item, context: BackupContext) -> bool:
    """True if it is the backup of the context."""
    return it.identify(backup) == (context.backup.namespace, context.backup.name)


def title(backup: Item, context: BackupContext) -> str:
    """Its name, with the namespace if that is of another Velero."""
    namespace, name = it.identify(backup)
    return name if namespace == context.backup.namespace else f"{namespace}/{name}"


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
