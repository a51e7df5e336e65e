"""Which of the machines that wait to be started come next."""

from datetime import timedelta

from plugin.actions.restore import disks
from plugin.model import item as it
from plugin.model.context import RestoreContext
from plugin.model.item import Item
from plugin.resources import held_machine, virtual_machine

LONGEST_START = timedelta(minutes=5)
"""A machine that does not run by then makes room for the next."""


def is_next(machine: Item, context: RestoreContext) -> bool:
    """Whether the machine is among the first that wait, as many as there is room for.

    All that are asked about in one process see the same machines, and so come to one result.
    """
    size = context.restore.conditions.start_wave_size
    if not size:
        return True
    uid, now = context.restore.uid, context.clock.now()
    label = f"{held_machine.RESTORE}={uid}"
    ours = context.cluster.grouped(virtual_machine.RESOURCE, "", held_machine.restores, label)
    room = size - sum(
        held_machine.is_starting(each, now, LONGEST_START) for each in ours.get(uid, ())
    )
    waiting = (each for each in ours.get(uid, ()) if held_machine.is_waiting(each))
    for each in sorted(waiting, key=it.identify):
        if room <= 0:
            return False
        if it.identify(each) == it.identify(machine):
            return True
        room -= disks.may_start(disks.of_machine(each, context.cluster))
    return False
