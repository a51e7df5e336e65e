"""The Restore of one machine into its scratch namespace.

Source: pkg/controller/restore_controller.go and pkg/restore/restore.go of Velero v1.15 to v1.18. A
namespace that exists is taken as it is; no object but those of the named resources is created, also
where the plugin of that Velero does not know what `stillpoint.dev/only` means.
"""

from collections.abc import Callable, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.velero import own_objects
from stillpoint.verification.ending import Ended
from stillpoint.verification.scratch import OBJECT, OF_RESTORE, Scratch
from stillpoint.verification.waiting import TimedOut, Waiting

RESOURCES = (
    "configmaps",
    "controllerrevisions.apps",
    "datauploads.velero.io",
    "datavolumes.cdi.kubevirt.io",
    "persistentvolumeclaims",
    "persistentvolumes",
    "secrets",
    "serviceaccounts",
    "virtualmachineinstancetypes.instancetype.kubevirt.io",
    "virtualmachinepreferences.instancetype.kubevirt.io",
    "virtualmachines.kubevirt.io",
    "volumesnapshotcontents.snapshot.storage.k8s.io",
    "volumesnapshots.snapshot.storage.k8s.io",
)
"""Resources that a machine may need of its namespace, or that bring its bytes: none of them runs,
or gives rights to anybody."""

MANAGED_BY = "app.kubernetes.io/managed-by"

Results = Callable[[str], Sequence[str]]
"""Gives the errors of a Restore by its name, from Velero's own book."""


def restore(scratch: Scratch, backup: str, machine: tuple[str, str], longest_s: float) -> Item:
    """The Restore.

    Args:
        machine: namespace and name in the backup.
        longest_s: of operations that bring bytes.
    """
    namespace, name = machine
    prefix = "stillpoint.dev/"
    resource = own_objects.RESTORE
    return {
        "apiVersion": f"{resource.group}/{resource.version}",
        "kind": resource.kind,
        "metadata": {
            "namespace": scratch.velero,
            "name": scratch.name,
            "labels": {MANAGED_BY: OBJECT, OF_RESTORE: scratch.run},
            "annotations": {
                f"{prefix}only": f"{namespace}/{name}",
                f"{prefix}run-strategy": "Halted",
                f"{prefix}mac-addresses": "clear",
                f"{prefix}firmware-uuid": "new",
            },
        },
        "spec": {
            "backupName": backup,
            "includedNamespaces": [namespace],
            "includedResources": list(RESOURCES),
            "namespaceMapping": {namespace: scratch.name},
            "itemOperationTimeout": f"{max(1, int(longest_s))}s",
        },
    }


def wait(waiting: Waiting, scratch: Scratch) -> Item:
    """The Restore when all its objects are created; bytes of disks may still be on their way.

    Raises:
        Ended: it came to no objects.
        Interrupted: the run is to end.
        ReadFailed: the account may not watch.
    """
    object_ = own_objects.RESTORE, scratch.velero, scratch.name
    try:
        found = waiting.awaited(object_, own_objects.has_restored_objects)
    except TimedOut as error:
        phase = own_objects.phase(error.last) if error.last else "gone"
        why = f"Velero did not restore it in time: Restore {scratch.name} is {phase or 'New'}"
        raise Ended(why, is_tried=False) from error
    if own_objects.is_restore_refused(found):
        why = f"Velero refused the Restore: {own_objects.failure(found)}"
        raise Ended(why, is_tried=False)
    if own_objects.has_failed(found):
        raise Ended(f"the Restore failed: {own_objects.failure(found)}", is_tried=False)
    return found


def errors(found: Item, results: Results) -> Sequence[str]:
    """The errors of a Restore, in words where its book can be read."""
    count = own_objects.restore_errors(found)
    if not count:
        return ()
    return results(it.name(found)) or (f"the Restore has {count} errors",)
