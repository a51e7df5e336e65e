"""Disks that are files: orders in which a freeze of nested filesystems locks itself up.

If the filesystem with the file is frozen before the inner filesystem, the inner one's last writes
wait for ever, in the kernel, and the guest agent does not respond any more. Reproduced with a bind
mount of the outer filesystem that is newer than the inner mount.

Followed: Linux, drivers/block/loop.c; fs/btrfs/sysfs.c: a btrfs has no folder in /sys/dev/block,
but one with its devices.
"""

import fcntl
import glob
import os
from typing import Iterator, List, NamedTuple, Optional, Sequence, Set

from stillpoint_guest.filesystems.mounts import Mount, Table

_LOOP_GET_STATUS64 = 0x4C05  # linux/loop.h
_LOOP_INFO64_BYTES = 232
_OTHER_DISKS = ("logdev", "rtdev")  # options of xfs that name a device beside its own


class Beneath(NamedTuple):
    """A file in which a disk is, and the filesystem in which that file is."""

    file: str
    device: str  # major:minor; empty if it is in none that this process sees


def deadlocks(table: Table, order: Sequence[Mount], system: str = "/sys") -> Iterator[str]:
    """Reasons why a freeze in this order would hang.

    Read-only filesystems and those that cannot be frozen are not in the order: nothing of theirs is
    written by a freeze, and nothing of their disks is looked at.
    """
    place = {mount.device: number for number, mount in enumerate(order)}
    for inner in order:
        for found in beneath(inner, table, system):
            if place.get(found.device, len(order)) < place[inner.device]:
                outer = order[place[found.device]]
                yield (
                    f"{inner.path} is in the file {found.file}, whose filesystem would be frozen "
                    f"first, at {outer.path}"
                )


def beneath(mount: Mount, table: Table, system: str = "/sys") -> Iterator[Beneath]:
    """The files on which a filesystem's disks are, and the files beneath those, and so on."""
    todo = list(_disks(mount, system))
    seen: Set[str] = set()
    while todo:
        folder = todo.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for loop in (folder, os.path.dirname(folder)):  # a partition's loop is its parent
            file = _line(os.path.join(loop, "loop/backing_file"))
            if file:
                found = Beneath(file, _device_of(file, os.path.basename(loop), table))
                yield found
                todo += _disks_of(found.device, table, system)
        todo += _real(glob.glob(os.path.join(folder, "slaves/*")))  # of device mapper and RAID


def _disks(mount: Mount, system: str) -> Sequence[str]:
    """Folders in /sys of the block devices that a filesystem is made from."""
    if not mount.device.startswith("0:"):
        named = [_number(mount.option(key)) for key in _OTHER_DISKS]
        return [_folder(system, number) for number in (mount.device, *named) if number]
    own = _folder(system, _number(mount.source) or mount.device)
    for devices in glob.glob(os.path.join(system, "fs/btrfs/*/devices")):
        disks = _real(glob.glob(os.path.join(devices, "*")))
        if own in disks:
            return disks
    return [own]


def _disks_of(device: str, table: Table, system: str) -> Sequence[str]:
    """The disks of a filesystem that may be mounted where this process does not see it."""
    for mount in table.mounts:
        if mount.device == device:
            return _disks(mount, system)
    return [_folder(system, device)] if device else []


def _device_of(file: str, loop: str, table: Table) -> str:
    """By what the loop device knows where that is a block device, else by the file's path: a path
    may be that of another mount namespace, or be covered by a newer mount.

    A device is not asked about a file on a share: it would ask the share, which may be gone.
    """  # noqa: D205
    named = table.holding(file)
    device = _backing_device(loop) if named is None or named.is_in_kernel else ""
    if device and not device.startswith("0:"):
        return device
    holding = table.upper(named) if named else None
    return holding.device if holding else ""


def _backing_device(loop: str) -> str:
    answer = bytearray(_LOOP_INFO64_BYTES)
    try:
        descriptor = os.open(os.path.join("/dev", loop), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.ioctl(descriptor, _LOOP_GET_STATUS64, answer)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return _text(int.from_bytes(answer[:8], "little"))


def _number(path: str) -> Optional[str]:
    """The number of a block device."""
    if not path.startswith("/dev/"):
        return None
    try:
        return _text(os.stat(path).st_rdev)
    except OSError:
        return None


def _text(number: int) -> str:
    return f"{os.major(number)}:{os.minor(number)}"


def _folder(system: str, number: str) -> str:
    return os.path.realpath(os.path.join(system, "dev/block", number))


def _real(paths: Sequence[str]) -> List[str]:
    return [os.path.realpath(path) for path in paths]


def _line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.readline().rstrip(b"\n"))
    except OSError:
        return ""
