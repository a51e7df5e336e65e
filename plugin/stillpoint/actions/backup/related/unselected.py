"""Needed objects that a backup would not have by itself.

Velero fetches each additional item that is not in the backup. So objects that the Backup itself
selects, and objects that the cluster no longer has, are left out.

So are objects of another item block. With several item-block workers that may go on at the same
time, and a disk that is called for from outside is taken before its guest is frozen.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from stillpoint.actions import policies
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.resources.machines import instancetype, virtual_machine, virtual_machine_instance
from stillpoint.velero.context import BackupContext

_CLOCKS_DIFFER = timedelta(seconds=30)
"""The API server dates creation, Velero the start of a backup."""

_LISTED = {
    str(resource): resource
    for resource in (
        data_volume.RESOURCE,
        persistent_volume_claim.RESOURCE,
        instancetype.INSTANCETYPE,
        instancetype.PREFERENCE,
    )
}

_WITH_BLOCK = {
    resource.kind: resource
    for resource in (
        data_volume.RESOURCE,
        virtual_machine.RESOURCE,
        virtual_machine_instance.RESOURCE,
    )
}
"""By the kind of an owner."""


def of(needed: Iterable[Reference], owner: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The needed objects, each once, that Velero would not have by itself.

    Args:
        owner: the item that needs them.
    """
    return tuple(dict.fromkeys(_unselected(needed, owner, context)))


def _unselected(
    needed: Iterable[Reference], owner: Item, context: BackupContext
) -> Iterator[Reference]:
    for reference in needed:
        if _is_of_another_block(reference, owner, context) or is_removed(reference, context):
            continue
        witness = owner  # what is not listed is as old as what refers to it
        if resource := _LISTED.get(reference.group_resource):
            found = context.cluster.get(resource, reference.namespace, reference.name)
            if found is None:
                yield reference  # Velero will say that it is missing
                continue
            witness = found
            if _is_being_filled(found, context):
                continue
        if not is_selected(reference, witness, context):
            yield reference


def _is_of_another_block(reference: Reference, owner: Item, context: BackupContext) -> bool:
    """True if Velero has the object in an item block that is not known to be the owner's."""
    block = context.blocks.of(reference)
    if block is None:
        return False
    resource = _WITH_BLOCK.get(it.text(owner, "kind"))
    return not resource or block != context.blocks.of(resource.named(*it.identify(owner)))


def _is_being_filled(found: Item, context: BackupContext) -> bool:
    """True for a claim without a volume, which CDI makes and populates again after a restore.

    Velero fails on such a claim, and then on the item that named it.
    """
    if it.text(found, "status", "phase") != "Pending":
        return False
    filler = context.cluster.get(data_volume.RESOURCE, *it.identify(found))
    return filler is not None and not data_volume.is_populated(filler)


def is_removed(reference: Reference, context: BackupContext) -> bool:
    """True if the object was garbage-collected as expected.

    CDI deletes DataVolumes whose claim is populated; of an instancetype a machine has its revision.
    """
    namespace, name = reference.namespace, reference.name
    for resource in (instancetype.INSTANCETYPE, instancetype.PREFERENCE):
        if reference.is_of(resource):
            return context.cluster.get(resource, namespace, name) is None
    if not reference.is_of(data_volume.RESOURCE):
        return False
    if context.cluster.get_listed(data_volume.RESOURCE, namespace, name):
        return False
    claim = context.cluster.get(persistent_volume_claim.RESOURCE, namespace, name)
    return claim is not None and not persistent_volume_claim.data_volume(claim)


def is_selected(reference: Reference, witness: Item, context: BackupContext) -> bool:
    """True if the Backup itself selects the object.

    Args:
        witness: the object itself, or a younger object.
    """
    started = context.backup.started
    created = it.creation_time(witness)
    if started is None or created is None or created + _CLOCKS_DIFFER > started:
        return False
    return policies.filters(context).surely_selects(reference)


def may_exist(reference: Reference, context: BackupContext) -> bool:
    """False if the object is of a resource that is listed anyway, and not in the list."""
    resource = _LISTED.get(reference.group_resource)
    if resource is None:
        return True
    return context.cluster.get(resource, reference.namespace, reference.name) is not None
