"""Levels of consistency."""

from enum import StrEnum


class Level(StrEnum):
    """The consistency of disks, best first; then values that are no level."""

    APPLICATION = "application"
    """Applications were at rest: only evidence from inside the guest could show it."""
    FILESYSTEM = "filesystem"
    """Filesystems are frozen while all snapshots are taken."""
    CRASH = "crash"
    """As a power failure would leave them."""
    STOPPED = "stopped"
    PAUSED = "paused"
    MIXED = "mixed"
    """Not all snapshots are taken within the frozen window."""
    NONE = "none"
    """No snapshot is taken."""
    UNKNOWN = "unknown"


def satisfies(level: Level, required: Level) -> bool:
    """True if disks of `level` are at least as consistent as `required` asks.

    A guest that is off has nothing in its memory, which is as good as any level; one that is
    paused is as after a power failure.
    """
    order = (Level.CRASH, Level.FILESYSTEM, Level.APPLICATION)
    if level is Level.STOPPED:
        return True
    reached = Level.CRASH if level is Level.PAUSED else level
    return reached in order and order.index(reached) >= order.index(required)
