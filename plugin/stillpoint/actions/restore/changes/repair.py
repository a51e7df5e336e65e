"""What would not hold where an object comes back: namespaces, storage classes, revisions."""

from collections.abc import Mapping

from stillpoint.model import conditions, kinds
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources import finalizers
from stillpoint.resources.disks import data_volume, storage_class_mapping
from stillpoint.resources.machines import virtual_machine
from stillpoint.velero.context import RestoreContext


def of_machine(machine: Item, context: RestoreContext) -> Item:
    """The machine with its revisions pinned, and what it names where Velero maps it to."""
    machine = finalizers.without_orphaned(machine)
    return _where_mapped(virtual_machine.with_pinned_revisions(machine, context.stored), context)


def of_template(machine: Item, context: RestoreContext) -> Item:
    """The machine that a pool makes, as it would come back, and to run as the restore asks.

    A condition for single machines is not meant: those of the pool have names of their own.

    Raises:
        Refusal: the restore asks for what cannot be.
    """
    strategy = context.restore.conditions.run_strategy.default
    if strategy != conditions.KEEP:
        machine = virtual_machine.with_run_strategy(machine, strategy)
    return _where_mapped(machine, context)


def _where_mapped(machine: Item, context: RestoreContext) -> Item:
    machine = virtual_machine.with_namespaces(machine, context.restore.namespace)
    if not virtual_machine.names_storage_classes(machine):
        return machine
    return virtual_machine.with_storage_classes(machine, storage_classes(context))


def of_data_volume(item: Item, context: RestoreContext, *, is_filled: bool) -> Item:
    """The DataVolume, marked if its claim is filled, and what it names as it is mapped."""
    if is_filled:
        item = it.with_annotation(item, data_volume.PREPOPULATED, it.name(context.stored))
    else:
        item = it.without(item, "metadata", "annotations", data_volume.PREPOPULATED)
    item = data_volume.with_namespaces(item, context.restore.namespace)
    item = finalizers.without_orphaned(item)
    return data_volume.with_storage_class(item, storage_classes(context))


def storage_classes(context: RestoreContext) -> Mapping[str, str]:
    """New storage classes by old ones, as Velero is told to map those of claims."""
    velero = it.namespace(context.restore.asked)
    if not velero:
        return {}
    found = context.cluster.list_grouped(
        kinds.CONFIG_MAP, velero, storage_class_mapping.names, storage_class_mapping.SELECTOR
    )
    mappings = found.get(storage_class_mapping.SELECTOR, ())
    return storage_class_mapping.read(mappings[0]) if mappings else {}
