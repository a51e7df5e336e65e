"""The conditions of a restore, applied to the specification of a guest (rules 4.1 and 4.2)."""

from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.resources import guest


def applied(specification: Item, context: RestoreContext) -> Item:
    """The specification under the conditions that the user put on the restore."""
    conditions = context.restore.conditions
    if conditions.is_mac_cleared:
        specification = guest.without_mac_addresses(specification)
    if conditions.is_firmware_uuid_new:
        specification = guest.with_firmware_uuid(specification, context.new_uuid())
    return specification
