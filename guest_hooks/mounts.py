"""The mounted filesystems that a freeze concerns, and orders in which it would lock itself up.

Followed: QEMU's guest agent, qga/commands-linux.c (7.2 to 10.0): it freezes every mount of its
mount namespace whose device has a block major, and btrfs, in the reverse order of mountinfo.
"""

import os
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Set

_BTRFS = "btrfs"  # has a device number of its own, without a block major


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo."""

    device: str  # major:minor
    path: str
    kind: str  # "ext4"
    source: str  # "/dev/vda1"
    is_read_only: bool

    @property
    def is_freezable(self) -> bool:
        """Whether the guest agent would freeze it."""
        return not self.device.startswith("0:") or self.kind == _BTRFS

    @property
    def holds_writers(self) -> bool:
        """Whether who writes there waits from freeze to thaw."""
        return self.is_freezable and not self.is_read_only


def mounts(mountinfo: str = "/proc/self/mountinfo") -> Sequence[Mount]:
    """All mounts of this mount namespace, in the order in which they were made."""
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        return [_parsed(line) for line in file]


def holding(path: str, found: Sequence[Mount]) -> Mount:
    """The mount in which a path is, or would be."""
    whole = os.path.realpath(path)
    around = [each for each in found if f"{whole}/".startswith(f"{each.path.rstrip('/')}/")]
    return max(reversed(around), key=lambda mount: len(mount.path))  # of two on one path, the newer


def filesystems(found: Sequence[Mount]) -> Sequence[Mount]:
    """One mount of each filesystem that would be frozen, in the order of a freeze."""
    frozen: Dict[str, Mount] = {}
    for mount in reversed(found):
        if mount.is_freezable and mount.device not in frozen:
            frozen[mount.device] = mount
    return list(frozen.values())


def deadlocks(found: Sequence[Mount], system: str = "/sys") -> Iterator[str]:
    """Why the guest agent would hang in the freeze: a disk that is a file is frozen after the
    filesystem in which the file is, and its last writes wait for ever.

    Reproduced with a bind mount of the outer filesystem that is newer than the inner mount.
    """  # noqa: D205
    order = filesystems(found)
    place = {mount.device: number for number, mount in enumerate(order)}
    for inner in order:
        for backing in _backing_files(inner.device, system):
            outer = _device_of(backing)
            if outer in place and place[outer] < place[inner.device]:
                yield (
                    f"{inner.path} is in the file {backing}, whose filesystem would be frozen "
                    f"first, at {order[place[outer]].path}"
                )


def _parsed(line: str) -> Mount:
    fields = line.split()
    kind, source, options = fields[fields.index("-") + 1 :][:3]
    return Mount(
        device=fields[2],
        path=_unescaped(fields[4]),
        kind=kind,
        source=_unescaped(source),
        is_read_only="ro" in options.split(","),
    )


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), text)


def _backing_files(device: str, system: str) -> Sequence[str]:
    """The files behind a device: of loop devices, also below device mapper and RAID."""
    files: List[str] = []
    todo: List[str] = [os.path.realpath(os.path.join(system, "dev/block", device))]
    seen: Set[str] = set()
    while todo:
        folder = todo.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for parent in (folder, os.path.dirname(folder)):  # a partition's loop is its parent
            backing = _line(os.path.join(parent, "loop/backing_file"))
            if backing:
                files.append(backing)
        slaves = os.path.join(folder, "slaves")
        if os.path.isdir(slaves):
            todo += [os.path.realpath(os.path.join(slaves, one)) for one in os.listdir(slaves)]
    return files


def _device_of(path: str) -> Optional[str]:
    try:
        device = os.stat(path).st_dev
    except OSError:
        return None
    return f"{os.major(device)}:{os.minor(device)}"


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline().rstrip("\n")
    except OSError:
        return ""
