"""Start waves: the order in which a restore starts its pending machines.

A restore starts machines of several tenants, and its mark on each lies where that tenant writes. So
others wait only for this process's own starts, and for marks that bear the seal of this restore.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from stillpoint.actions.restore.waiting import disks
from stillpoint.model import item as it
from stillpoint.model.errors import ArchiveUnreadable, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.seal import Seal
from stillpoint.resources.machines import pending_start, virtual_machine
from stillpoint.resources.machines.pending_start import STARTS, WAITS, Wave
from stillpoint.velero.context import RestoreContext

ALONE = Wave("", Seal(""), frozenset())
"""The wave of a machine that waits for no other."""

LONGEST_START = timedelta(minutes=5)
"""The time after which a machine that does not run makes room for the next."""

LONGEST_TURN = timedelta(minutes=5)
"""The time for which a machine that could be started keeps others waiting: without an end, one
whose start is refused each time would stop them all."""


def of(secret: str, context: RestoreContext) -> Wave:
    """The wave of the restore whose operations have this secret."""
    return Wave(context.restore.uid, Seal(secret), context.started)


def secret(context: RestoreContext) -> str:
    """The secret of this restore's seal; empty without waves."""
    if not context.restore.conditions.start_wave_size:
        return ""
    try:
        return context.archive.once(("secret of its waves",), context.new_uuid)
    except ArchiveUnreadable as error:
        context.log.warning("started without waiting for its wave: %s", error)
        return context.new_uuid()


def is_next(machine: Item, context: RestoreContext, wave: Wave = ALONE) -> bool:
    """True if the machine is among the first waiting ones of its wave, as many as have room."""
    size = context.restore.conditions.start_wave_size
    if not size:
        return True
    uid, now = context.restore.uid, context.clock.now()
    label = f"{pending_start.RESTORE}={uid}"
    ours = context.cluster.list_grouped(virtual_machine.RESOURCE, "", pending_start.restores, label)
    others = [each for each in ours.get(uid, ()) if _is_marked(each, wave, now)]
    starting = {it.identify(each) for each in others if not pending_start.is_pending(each)}
    waiting = {it.identify(each): each for each in others if pending_start.is_waiting(each)}
    room = size - len(starting | wave.started)
    for identity in sorted(waiting.keys() - wave.started):
        if room <= 0 or identity >= it.identify(machine):
            break
        room -= _may_start(waiting[identity], context)
    return room > 0


def _is_marked(machine: Item, wave: Wave, now: datetime) -> bool:
    """True if this restore's own mark says that the machine waits, or is being started."""
    with suppress(StillpointError):
        if pending_start.is_pending(machine):
            return wave.is_recent(machine, WAITS, now, LONGEST_TURN)
        is_recent = wave.is_recent(machine, STARTS, now, LONGEST_START)
        return is_recent and not virtual_machine.is_running(machine)
    return False


def _may_start(machine: Item, context: RestoreContext) -> bool:
    with suppress(StillpointError):
        return disks.may_start(disks.of_machine(machine, context.cluster))
    return False
