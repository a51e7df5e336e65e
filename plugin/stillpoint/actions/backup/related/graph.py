"""The objects that a virtual machine or an instance is made of, in the order of rules 5.1 and 5.2.

Velero fetches each additional item that it does not hold. So what it has by the backup's own
selection, and what the cluster no longer has, is left out of the answer.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from stillpoint.actions import policies, reach, surroundings
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources import references
from stillpoint.resources.disks import data_volume, persistent_volume_claim, volume
from stillpoint.resources.machines import (
    instancetype,
    pod,
    virtual_machine,
    virtual_machine_instance,
)
from stillpoint.velero.context import BackupContext

_CLOCKS_DIFFER = timedelta(seconds=30)
"""Creation is dated by the API server, the start of a backup by Velero."""

_LISTED = {
    str(resource): resource
    for resource in (
        data_volume.RESOURCE,
        persistent_volume_claim.RESOURCE,
        instancetype.INSTANCETYPE,
        instancetype.PREFERENCE,
    )
}


def of_machine(machine: Item, context: BackupContext) -> tuple[Reference, ...]:
    """What a backup of the machine needs and would not hold otherwise.

    The instance is there in any case, by the machine's item block, and brings its launcher pod.
    """
    namespace, name = it.identify(machine)
    instance = surroundings.instance(context.cluster, machine)
    state = surroundings.state_claims(context.cluster, machine, instance)
    instances = [name] if virtual_machine.has_instance(machine) else []
    needed = [
        *virtual_machine.references(machine),
        *_filling(machine, context),
        *(persistent_volume_claim.RESOURCE.named(namespace, it.name(claim)) for claim in state),
        *(virtual_machine_instance.RESOURCE.named(namespace, each) for each in instances),
    ]
    return _to_fetch(needed, machine, context)


def of_instance(instance: Item, context: BackupContext) -> tuple[Reference, ...]:
    """What a backup of the instance needs and would not hold otherwise.

    One that has come for the freeze of a disk alone needs its launcher pod and nothing more.
    """
    if not reach.is_guest_meant(instance, context):
        return _launcher(instance, context)
    namespace, _name = it.identify(instance)
    state = surroundings.state_claims(context.cluster, instance, instance)
    needed = [
        *virtual_machine_instance.references(instance),
        *(persistent_volume_claim.RESOURCE.named(namespace, it.name(claim)) for claim in state),
    ]
    found = (*_launcher(instance, context), *_new_disks(instance, context))
    return tuple(dict.fromkeys((*found, *_to_fetch(needed, instance, context))))


def _new_disks(instance: Item, context: BackupContext) -> Iterator[Reference]:
    """Disks that the instance has been given since Velero read it, for the freeze that goes on.

    Their block may have been made before. Also those that Velero holds: it has not cut them yet, or
    does nothing.
    """
    namespace, _name = it.identify(instance)
    latest = surroundings.latest_instance(context.cluster, instance) or instance
    before = set(volume.disks(virtual_machine_instance.volumes(instance), namespace))
    for disk in volume.disks(virtual_machine_instance.volumes(latest), namespace):
        if disk not in before and not _is_removed(disk, context):
            yield disk


def _filling(machine: Item, context: BackupContext) -> Iterator[Reference]:
    """What disks are filled by that are not filled yet; nobody misses it later."""
    namespace = it.namespace(machine)

    def is_filled(name: str) -> bool:
        filler = context.cluster.get(data_volume.RESOURCE, namespace, name)
        if filler is not None:
            return data_volume.is_populated(filler)
        return context.cluster.get(persistent_volume_claim.RESOURCE, namespace, name) is not None

    yield from virtual_machine.pending_sources(machine, is_filled)


def of_filling(filling: Item, context: BackupContext) -> tuple[Reference, ...]:
    """What a DataVolume is being filled by, unless the backup would hold it otherwise."""
    return _to_fetch(references.of_source(filling, it.namespace(filling)), filling, context)


def of_data_volume(filled: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The claim of a DataVolume, unless the backup would hold it otherwise."""
    claim = persistent_volume_claim.RESOURCE.named(*it.identify(filled))
    return _to_fetch([claim], filled, context)


def of_template(
    owner: Item, needed: Iterable[Reference], context: BackupContext
) -> tuple[Reference, ...]:
    """What a template needs and the backup would not hold otherwise.

    A disk that is made anew for each machine does not exist by the template's name.
    """
    existing = (
        reference
        for reference in needed
        if (resource := _LISTED.get(reference.group_resource)) is None
        or context.cluster.get(resource, reference.namespace, reference.name)
    )
    return _to_fetch(existing, owner, context)


def _launcher(instance: Item, context: BackupContext) -> tuple[Reference, ...]:
    launcher = surroundings.launcher_pod(context.cluster, instance)
    if launcher is None:
        return ()
    reference = pod.RESOURCE.named(*it.identify(launcher))
    return () if _is_held(reference, launcher, context) else (reference,)


def _to_fetch(
    needed: Iterable[Reference], owner: Item, context: BackupContext
) -> tuple[Reference, ...]:
    """Those of `needed`, each once, that Velero would not have by itself."""
    return tuple(dict.fromkeys(_unheld(needed, owner, context)))


def _unheld(
    needed: Iterable[Reference], owner: Item, context: BackupContext
) -> Iterator[Reference]:
    for reference in needed:
        if _is_removed(reference, context):
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
        if not _is_held(reference, witness, context):
            yield reference


def _is_being_filled(found: Item, context: BackupContext) -> bool:
    """Whether this is a claim without a volume, which CDI makes and fills again after a restore.

    Velero fails on it, and then on whoever has asked for it.
    """
    if it.text(found, "status", "phase") != "Pending":
        return False
    filler = context.cluster.get(data_volume.RESOURCE, *it.identify(found))
    return filler is not None and not data_volume.is_populated(filler)


def _is_removed(reference: Reference, context: BackupContext) -> bool:
    """Whether it has gone after it had served its purpose.

    CDI removes DataVolumes whose claim is filled; of an instancetype a machine has its revision.
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


def _is_held(reference: Reference, witness: Item, context: BackupContext) -> bool:
    """Whether Velero has the object by the backup's own selection.

    Args:
        witness: the object itself, or one that did not exist before it.
    """
    started = context.backup.started
    created = it.creation_time(witness)
    if started is None or created is None or created + _CLOCKS_DIFFER > started:
        return False
    return policies.filters(context).surely_selects(reference)
