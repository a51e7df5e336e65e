"""Levels of consistency, as a rehearsal expects them."""

from enum import StrEnum


class Level(StrEnum):
    """How consistent the disks would be, best first; then what is no level."""

    APPLICATION = "application"
    """Applications were at rest: only evidence from inside the guest could show it."""
    FILESYSTEM = "filesystem"
    """File systems are frozen while all disks are cut."""
    CRASH = "crash"
    """As a power failure would leave them."""
    STOPPED = "stopped"
    PAUSED = "paused"
    MIXED = "mixed"
    """Not all disks are cut within the freeze."""
    NONE = "none"
    """No disk is cut."""
    UNKNOWN = "unknown"
