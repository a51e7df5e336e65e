"""The disk of a worker: full, or frozen."""

import contextlib
import fcntl
import os

from stillpoint_guest.filesystems.own_freeze import _FITHAW


def fill(disk: str) -> None:
    """Take its last block."""
    piece = 1 << 30
    with open(ballast(disk), "wb") as file:
        while piece >= 4096:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, piece)
            except OSError:
                piece //= 2
    with contextlib.suppress(OSError), open(disk + "/more", "wb") as file:
        file.write(bytes(8192))
        file.flush()
        raise AssertionError("the disk is not full")


def empty(disk: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(ballast(disk))


def ballast(disk: str) -> str:
    return os.path.join(disk, "ballast")


def thawed(path: str) -> bool:
    """Whether it had been frozen; it is not any more."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _FITHAW, 0)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
