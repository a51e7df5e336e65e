"""The identity of a guest: MAC addresses, firmware UUID and serial number.

A copy beside the original guest must not have the same; a guest that takes its place should (rules
4.1 and 4.2, and the conditions of a restore). A machine that comes back to its place keeps its
identity, whoever else claims the same; and other machines count only if the user of the restore may
see them, for anybody can write an address into a machine of his own.
"""

from collections.abc import Callable, Iterator

from stillpoint.actions.restore.selection import machines
from stillpoint.model import conditions
from stillpoint.model import item as it
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item
from stillpoint.resources.machines import guest, virtual_machine, virtual_machine_instance
from stillpoint.velero.context import RestoreContext


def in_effect(machine: Item, context: RestoreContext) -> Item:
    """The machine with the UUID that its guest had, if its specification leaves that to KubeVirt.

    A newer KubeVirt gives a machine that is created a random UUID.
    """
    stored = context.stored
    is_said = bool(guest.firmware_uuid(virtual_machine.template(machine)))
    if is_said or not virtual_machine.has_status(
        stored
    ):  # KubeVirt has never seen it: no guest had one
        return machine
    try:
        machine = virtual_machine.with_identity_in_effect(
            machine, machines.instance(stored, context.archive)
        )
    except ArchiveUnreadable as error:
        context.log.debug("not looked for its instance: %s", error)
    return virtual_machine.with_legacy_uuid(machine, it.name(stored))


def apply(specification: Item, machine: Item, context: RestoreContext) -> Item:
    """The specification of a guest, with the identity that the restore demands.

    Args:
        machine: the machine, or the instance that stands alone, ready for creation, apart from its
            namespace, which Velero maps later.
    """
    asked = context.restore.conditions
    namespace, name = it.identify(context.stored)
    others = _Others(machine, context)
    word = asked.mac_addresses.of(namespace, name)
    if word == conditions.CLEAR:
        specification = guest.without_mac_addresses(specification)
    if word == conditions.AUTO:
        specification = guest.without_mac_addresses(specification, others.have)
    word = asked.firmware_uuid.of(namespace, name)
    if word == conditions.NEW:
        specification = _with_uuid(specification, context)
        if not asked.is_serial_kept:
            specification = guest.with_serial(specification, context.new_uuid())
    if word == conditions.AUTO:
        specification = _with_unused_firmware(specification, others.have, context)
    return specification


def _with_unused_firmware(
    specification: Item, is_used: Callable[[str], bool], context: RestoreContext
) -> Item:
    if is_used(guest.firmware_uuid(specification)):
        specification = _with_uuid(specification, context)
    if is_used(guest.serial(specification)):
        specification = guest.with_serial(specification, context.new_uuid())
    return specification


def _with_uuid(specification: Item, context: RestoreContext) -> Item:
    """A copy with a new firmware UUID, unless its vTPM would be empty under another."""
    if not _is_bound(context):
        return guest.with_firmware_uuid(specification, context.new_uuid())
    context.log.warning(
        "firmware UUID kept: the state of its vTPM is found by it, and the guest would meet an "
        "empty one (BitLocker asks for its recovery key then)"
    )
    return specification


def _is_bound(context: RestoreContext) -> bool:
    try:
        return machines.is_bound_to_uuid(context.stored, context.archive)
    except ArchiveUnreadable as error:
        context.log.debug("not looked for state of a vTPM in the archive: %s", error)
        return machines.says_bound_to_uuid(context.stored)


class _Others:
    """The machines that a copy could clash with.

    A machine that comes back as itself clashes with none. A copy does with machines of its own
    namespace, running or not, and with running machines of the original's.
    """

    def __init__(self, machine: Item, context: RestoreContext) -> None:
        self._cluster = context.cluster
        self._origin = it.identify(context.stored)
        self._self = (context.restore.namespace(it.namespace(machine)), it.name(machine))

    def have(self, mark: str) -> bool:
        """True if another machine has this address, UUID or serial number."""
        if not mark or self._self == self._origin:
            return False
        return any(
            (it.namespace(holder), it.name(holder)) != self._self and self._counts(holder)
            for holder in self._holders(mark.lower())
        )

    def _counts(self, holder: Item) -> bool:
        is_machine = holder.get("kind") == virtual_machine.RESOURCE.kind
        runs = virtual_machine.has_instance if is_machine else virtual_machine_instance.is_under_way
        return it.namespace(holder) == self._self[0] or runs(holder)

    def _holders(self, mark: str) -> Iterator[Item]:
        for namespace in dict.fromkeys((self._self[0], self._origin[0])):
            for kind in (virtual_machine, virtual_machine_instance):
                found = self._cluster.list_grouped(kind.RESOURCE, namespace, kind.marks)
                yield from found.get(mark, ())  # each is decoded when its turn comes
