"""The owner of state claims and revisions, which KubeVirt makes for a machine and deletes with it.

Velero takes owners off, and both come back before their machine. Without an owner a state claim
outlives its machine, and the next machine of that name starts with its vTPM. KubeVirt takes
DataVolumes back by itself, and CDI their claims, but neither takes these.

Source: KubeVirt v1.9, pkg/storage/backend-storage (PVCForVMI) and pkg/instancetype/revision.
"""

from collections.abc import Iterator

from stillpoint.actions import surroundings
from stillpoint.actions.restore.selection import machines
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import ArchiveUnreadable, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import virtual_machine
from stillpoint.velero import marks
from stillpoint.velero.context import RestoreContext


def is_lost(item: Item, context: RestoreContext) -> bool:
    """True if the machine comes back with objects that need their owner again."""
    if any(virtual_machine.revisions(item)):
        return True
    try:
        return any(machines.state_claims(context.stored, context.archive))
    except ArchiveUnreadable:
        return any(virtual_machine.state_claims(context.stored))


def give_back(
    machine: Item, context: RestoreContext, resource: Resource = virtual_machine.RESOURCE
) -> tuple[StillpointError, ...]:
    """Makes the machine, or lone instance, the owner of objects that this restore has created.

    Objects with an owner, or from before the restore, stay as they are. An object whose owner is
    gone is deleted: so the machine is read once more.

    Returns:
        The errors, of objects that were not given back.
    """
    ownerless = list(_ownerless(machine, context))
    if not ownerless or not _is_there(machine, resource, context):
        return ()
    failed = []
    for kind, found in ownerless:
        try:
            give(kind, found, machine, context)
        except StillpointError as error:
            failed.append(error)
    return tuple(failed)


def _is_there(machine: Item, resource: Resource, context: RestoreContext) -> bool:
    now = context.cluster.current(resource, *it.identify(machine))
    is_same = now is not None and it.uid(now) == it.uid(machine)
    return is_same and not it.is_being_deleted(now or {})


def give(resource: Resource, found: Item, owner: Item, context: RestoreContext) -> None:
    """Makes `owner` the controller of an object that has not changed since it was read.

    Raises:
        ReadFailed: the change failed, or may have failed.
    """
    version = it.text(found, "metadata", "resourceVersion")
    owners = [it.reference_to(owner)]
    change = {"metadata": {"resourceVersion": version, "ownerReferences": owners}}
    context.log.info("owner of %s %s again", resource.kind, it.name(found))
    context.writer.patch(resource, *it.identify(found), change)


def is_ownerless(item: Item, context: RestoreContext) -> bool:
    """True if this restore has created an object that belongs to nobody."""
    return not it.owners(item) and marks.is_of_restore(item, context.restore.name)


def _ownerless(machine: Item, context: RestoreContext) -> Iterator[tuple[Resource, Item]]:
    for claim in surroundings.state_claims(context.cluster, machine):
        if is_ownerless(claim, context):
            yield persistent_volume_claim.RESOURCE, claim
    if not any(virtual_machine.revisions(machine)):
        return
    namespace = it.namespace(machine)
    restored = f"{marks.OF_RESTORE}={marks.label_value(context.restore.name)}"
    found = context.cluster.list_grouped(kinds.CONTROLLER_REVISION, namespace, it.names, restored)
    for name in dict.fromkeys(virtual_machine.revisions(machine)):
        for revision in found.get(name, ()):
            if is_ownerless(revision, context) and not _is_shared(revision, context):
                yield kinds.CONTROLLER_REVISION, revision


def _is_shared(revision: Item, context: RestoreContext) -> bool:
    """True if several machines name the revision: then no machine may own it."""
    namespace, name = it.identify(revision)
    by_revision = context.cluster.list_grouped(
        virtual_machine.RESOURCE, namespace, virtual_machine.revisions
    )
    return len(by_revision.get(name, ())) > 1
