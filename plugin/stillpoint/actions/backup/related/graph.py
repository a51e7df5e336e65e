"""The objects that make up a machine or an instance, in the order of rules 5.1 and 5.2."""

from collections.abc import Iterable, Iterator

from stillpoint.actions import reach, surroundings
from stillpoint.actions.backup.related import unheld
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources import references
from stillpoint.resources.disks import data_volume, persistent_volume_claim, volume
from stillpoint.resources.machines import (
    pod,
    virtual_machine,
    virtual_machine_instance,
)
from stillpoint.velero.context import BackupContext


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
    return unheld.of(needed, machine, context)


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
    return tuple(dict.fromkeys((*found, *unheld.of(needed, instance, context))))


def _new_disks(instance: Item, context: BackupContext) -> Iterator[Reference]:
    """Disks that the instance has been given since Velero read it, for the freeze that goes on.

    Their block may have been made before. Also those that Velero holds: it has not cut them yet, or
    does nothing.
    """
    namespace, _name = it.identify(instance)
    latest = surroundings.latest_instance(context.cluster, instance) or instance
    before = set(volume.disks(virtual_machine_instance.volumes(instance), namespace))
    for disk in volume.disks(virtual_machine_instance.volumes(latest), namespace):
        if disk not in before and not unheld.is_removed(disk, context):
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
    return unheld.of(references.of_source(filling, it.namespace(filling)), filling, context)


def of_data_volume(filled: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The claim of a DataVolume, unless the backup would hold it otherwise."""
    claim = persistent_volume_claim.RESOURCE.named(*it.identify(filled))
    return unheld.of([claim], filled, context)


def of_template(
    owner: Item, needed: Iterable[Reference], context: BackupContext
) -> tuple[Reference, ...]:
    """What a template needs and the backup would not hold otherwise.

    A disk that is made anew for each machine does not exist by the template's name.
    """
    existing = (one for one in needed if unheld.may_exist(one, context))
    return unheld.of(existing, owner, context)


def _launcher(instance: Item, context: BackupContext) -> tuple[Reference, ...]:
    launcher = surroundings.launcher_pod(context.cluster, instance)
    if launcher is None:
        return ()
    reference = pod.RESOURCE.named(*it.identify(launcher))
    return () if unheld.is_held(reference, launcher, context) else (reference,)
