"""The level of a machine by the evidence of its disks, and the level that is good enough."""

from collections.abc import Iterable

from stillpoint.actions.backup.evidence import demand
from stillpoint.evidence.document import Evidence
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.resources.machines import virtual_machine_instance

_WEAKEST_FIRST = (Level.CRASH, Level.FILESYSTEM, Level.APPLICATION)


def of_machine(name: str, taken: Iterable[Evidence | None]) -> Level:
    """The level that all disks of a machine reached together.

    The evidence of a shared disk may be that of the other guest, and says nothing of the further
    disks of this one: then its own level counts.

    Args:
        name: of the machine.
        taken: the evidence of each disk of which the backup has bytes, or may have.
    """
    evidences = list(taken)
    if not evidences:
        return Level.NONE
    said = {
        (one.machine_level if one.machine.name == name else one.level) if one else Level.UNKNOWN
        for one in evidences
    }
    if len(said) == 1:
        return said.pop()
    if Level.UNKNOWN in said:
        return Level.UNKNOWN
    return Level.FILESYSTEM if said == {Level.APPLICATION, Level.FILESYSTEM} else Level.MIXED


def demanded(machine: Item, evidences: Iterable[Evidence | None]) -> Level | None:
    """The level that was demanded; of several the strongest.

    Evidence has the demand of the namespace and of the Backup too; a machine's own counts without.
    """
    said = [
        it.annotations(machine).get(demand.REQUIRE),
        *(one.required for one in evidences if one),
    ]
    found = [level for level in _WEAKEST_FIRST if level in said]
    return found[-1] if found else None


def expected(instance: Item | None) -> Level:
    """The level that a backup of the machine can be expected to reach without a demand.

    An agent that is connected freezes filesystems; whether anything in the guest quiesces its
    applications, no object shows.
    """
    if instance is None or not virtual_machine_instance.is_agent_connected(instance):
        return Level.CRASH
    has_hooks = not virtual_machine_instance.skips_hooks(instance)
    return Level.FILESYSTEM if has_hooks else Level.CRASH
