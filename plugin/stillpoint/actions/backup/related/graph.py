"""The objects that make up a machine or an instance, in the order of rules 5.1 and 5.2."""

from collections.abc import Iterable, Iterator

from stillpoint.actions import reach, surroundings
from stillpoint.actions.backup.related import unselected
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
    """The objects that a machine's backup needs and would not have otherwise.

    The instance comes in any case, by the machine's item block, and brings its launcher pod.
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
    return unselected.of(needed, machine, context)


def of_instance(instance: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The objects that an instance's backup needs and would not have otherwise.

    An instance that came for the freeze of a disk alone needs no more than its launcher pod.
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
    return tuple(dict.fromkeys((*found, *unselected.of(needed, instance, context))))


def _new_disks(instance: Item, context: BackupContext) -> Iterator[Reference]:
    """Disks that were hot-plugged since Velero read the instance, for the freeze that goes on.

    Their block may have been made before. Disks that Velero has already are among them: Velero has
    no snapshot of them yet, or does nothing.
    """
    namespace, _name = it.identify(instance)
    latest = surroundings.latest_instance(context.cluster, instance) or instance
    before = set(volume.disks(virtual_machine_instance.volumes(instance), namespace))
    for disk in volume.disks(virtual_machine_instance.volumes(latest), namespace):
        if disk not in before and not unselected.is_removed(disk, context):
            yield disk


def _filling(machine: Item, context: BackupContext) -> Iterator[Reference]:
    """The sources of disks that are not populated yet; later nobody needs them."""
    namespace = it.namespace(machine)

    def is_filled(name: str) -> bool:
        filler = context.cluster.get(data_volume.RESOURCE, namespace, name)
        if filler is not None:
            return data_volume.is_populated(filler)
        return context.cluster.get(persistent_volume_claim.RESOURCE, namespace, name) is not None

    yield from virtual_machine.pending_sources(machine, is_filled)


def of_filling(filling: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The source of a DataVolume that CDI populates, unless the backup has the source anyway."""
    return unselected.of(references.of_source(filling, it.namespace(filling)), filling, context)


def of_data_volume(filled: Item, context: BackupContext) -> tuple[Reference, ...]:
    """The claim of a DataVolume, unless the backup has the claim anyway."""
    claim = persistent_volume_claim.RESOURCE.named(*it.identify(filled))
    return unselected.of([claim], filled, context)


def of_template(
    owner: Item, needed: Iterable[Reference], context: BackupContext
) -> tuple[Reference, ...]:
    """The objects that a template needs and the backup would not have otherwise.

    A disk that is made for each machine does not exist by the template's name.
    """
    existing = (one for one in needed if unselected.may_exist(one, context))
    return unselected.of(existing, owner, context)


def _launcher(instance: Item, context: BackupContext) -> tuple[Reference, ...]:
    launcher = surroundings.launcher_pod(context.cluster, instance)
    if launcher is None:
        return ()
    reference = pod.RESOURCE.named(*it.identify(launcher))
    return () if unselected.is_selected(reference, launcher, context) else (reference,)
