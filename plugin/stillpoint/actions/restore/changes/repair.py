"""Repairs of references that do not hold in the target: namespaces, storage classes, revisions."""

from collections.abc import Mapping

from stillpoint.model import conditions, kinds
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources import finalizers
from stillpoint.resources.disks import data_volume, storage_class_mapping
from stillpoint.resources.machines import virtual_machine
from stillpoint.velero.context import RestoreContext


def of_machine(machine: Item, context: RestoreContext) -> Item:
    """The machine with its revisions pinned, and its references as Velero maps them."""
    machine = finalizers.without_orphaned(machine)
    return _where_mapped(virtual_machine.with_pinned_revisions(machine, context.stored), context)


def of_template(machine: Item, context: RestoreContext) -> Item:
    """The template of a pool, changed as a machine that comes back is.

    Conditions for single machines do not apply: the pool gives its machines names.

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
    """The DataVolume, marked if its claim is populated, and its references as Velero maps them."""
    if is_filled:
        item = it.with_annotation(item, data_volume.PREPOPULATED, it.name(context.stored))
    else:
        item = it.without(item, "metadata", "annotations", data_volume.PREPOPULATED)
    item = data_volume.with_namespaces(item, context.restore.namespace)
    item = finalizers.without_orphaned(item)
    return data_volume.with_storage_class(item, storage_classes(context))


def storage_classes(context: RestoreContext) -> Mapping[str, str]:
    """New storage classes by old ones, from Velero's ConfigMap for claims."""
    velero = it.namespace(context.restore.asked)
    if not velero:
        return {}
    found = context.cluster.list_grouped(
        kinds.CONFIG_MAP, velero, storage_class_mapping.names, storage_class_mapping.SELECTOR
    )
    mappings = found.get(storage_class_mapping.SELECTOR, ())
    return storage_class_mapping.read(mappings[0]) if mappings else {}
