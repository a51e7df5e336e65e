"""What tells one guest from another: MAC addresses, firmware UUID and serial number.

A copy beside the living guest must not have the same; one that takes its place should (rules 4.1
and 4.2, and the conditions of a restore).
"""

from collections.abc import Callable, Iterator

from plugin.model import conditions
from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.resources import guest, virtual_machine, virtual_machine_instance


def applied(specification: Item, machine: Item, context: RestoreContext) -> Item:
    """The specification of a guest, with an identity as the restore asks for it.

    Args:
        machine: the machine, or the instance that stands alone, as it would be created, apart from
            its namespace, which Velero maps later.
    """
    asked = context.restore.conditions
    namespace, name = it.identify(context.stored)
    others = _Others(machine, context)
    word = asked.mac_addresses.of(namespace, name)
    if word == conditions.CLEAR:
        specification = guest.without_mac_addresses(specification)
    if word == conditions.AUTO:
        specification = guest.without_mac_addresses(specification, others.has)
    word = asked.firmware_uuid.of(namespace, name)
    if word == conditions.NEW:
        specification = guest.with_firmware_uuid(specification, context.new_uuid())
        if not asked.is_serial_kept:
            specification = guest.with_serial(specification, context.new_uuid())
    if word == conditions.AUTO:
        specification = _with_unused_firmware(specification, others.has, context)
    return specification


def _with_unused_firmware(
    specification: Item, is_used: Callable[[str], bool], context: RestoreContext
) -> Item:
    if is_used(guest.firmware_uuid(specification)):
        specification = guest.with_firmware_uuid(specification, context.new_uuid())
    if is_used(guest.serial(specification)):
        specification = guest.with_serial(specification, context.new_uuid())
    return specification


class _Others:
    """The machines of the cluster, but for the one that a restore would not touch anyway."""

    def __init__(self, machine: Item, context: RestoreContext) -> None:
        self._context = context
        self._self = (context.restore.namespace(it.namespace(machine)), it.name(machine))

    def has(self, mark: str) -> bool:
        """Whether a machine or an instance has this address, UUID or serial number."""
        return bool(mark) and any(
            (it.namespace(holder), it.name(holder)) != self._self for holder in self._holders(mark)
        )

    def _holders(self, mark: str) -> Iterator[Item]:
        cluster = self._context.cluster
        machines = cluster.grouped(virtual_machine.RESOURCE, "", virtual_machine.marks)
        instances = cluster.grouped(
            virtual_machine_instance.RESOURCE, "", virtual_machine_instance.marks
        )
        yield from machines.get(mark.lower(), ())  # each is decoded as it is looked at
        yield from instances.get(mark.lower(), ())
