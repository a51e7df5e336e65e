"""Levels of consistency, as a rehearsal expects them."""

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
