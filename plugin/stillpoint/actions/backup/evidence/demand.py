"""The level that somebody demands of the disks of a machine in its backups."""

from dataclasses import dataclass, replace

from stillpoint.actions import surroundings
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.velero.context import BackupContext

REQUIRE = "stillpoint.dev/require"
"""Annotation of a machine, of its namespace or of the Backup; the nearest of them counts."""

LEVELS = (Level.APPLICATION, Level.FILESYSTEM, Level.CRASH)

_LONGEST = 40  # letters of a value that is none
_LONGEST_LACK = 200  # letters

_RANKS = {
    Level.APPLICATION: 3,
    Level.STOPPED: 3,  # its applications had ended, as at each shutdown
    Level.FILESYSTEM: 2,
    Level.CRASH: 1,
    Level.PAUSED: 1,
}


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand, or why there may be one.

    Attributes:
        level: None if none is demanded, or the demand cannot be obeyed.
        fault: why the demand cannot be obeyed.
        lack: why there may be a nearer demand, which nobody could read: that fails no backup.
    """

    level: Level | None = None
    fault: str = ""
    lack: str = ""


def of_machine(machine: Item, context: BackupContext) -> Demand:
    """The demand on a machine, or on an instance that no machine owns."""
    if REQUIRE in it.annotations(machine):
        return _parse(machine, it.describe(machine))
    name, lack = it.namespace(machine), ""
    try:
        namespace = surroundings.namespace(context.cluster, name) or {}
    except StillpointError as error:
        namespace, lack = {}, f"whether namespace {name} demands a level is not known: {error}"
    if REQUIRE in it.annotations(namespace):
        return _parse(namespace, f"Namespace {name}")
    of_backup = _parse(context.backup.asked, f"Backup {context.backup.name}")
    return replace(of_backup, lack=lack[:_LONGEST_LACK])


def _parse(item: Item, whose: str) -> Demand:
    value = it.annotations(item).get(REQUIRE)
    if value is None:
        return Demand()
    if value in LEVELS:
        return Demand(Level(value))
    levels = ", ".join(LEVELS)
    return Demand(fault=f"{whose}: {REQUIRE} is {str(value)[:_LONGEST]!r}, not one of {levels}")


def is_met(wanted: Level, got: Level) -> bool:
    """True if a level is as good as the one that was demanded."""
    return _RANKS.get(got, 0) >= _RANKS[wanted]
