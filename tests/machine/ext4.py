"""What lies on a guest's disk, read without the guest: each of its disks is one ext4 filesystem."""

import subprocess
from pathlib import Path

_NEEDS_RECOVERY = "needs_recovery"


def needs_recovery(disk: Path) -> bool:
    """True if whoever mounts it replays its journal: it was in use, and not frozen.

    A freeze writes the journal back and says so in the superblock, as an unmount does
    (ext4_freeze in fs/ext4/super.c of Linux).
    """
    told = _run("dumpe2fs", "-h", disk)
    (features,) = (line for line in told.splitlines() if line.startswith("Filesystem features:"))
    return _NEEDS_RECOVERY in features.split()


def replay(disk: Path) -> None:
    """Does what a mount would do first."""
    _run("e2fsck", "-p", "-E", "journal_only", disk)


def content(disk: Path, path: str) -> bytes:
    """A file's bytes; none if it is not there."""
    return subprocess.run(
        ["/sbin/debugfs", "-R", f"cat {path}", disk],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # says its version, and that there is no such file
        check=True,
    ).stdout


def _run(program: str, *arguments: str | Path) -> str:
    command = [f"/sbin/{program}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout
