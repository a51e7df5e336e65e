"""The mounted filesystems that a freeze concerns, by the kernel's table.

Followed: QEMU's guest agent, qga/commands-linux.c (7.2 to 10.0). In the reverse order of mountinfo
    the agent opens every mount whose device has a block major, and btrfs that names a block device,
    and freezes the filesystem found there. Filesystems that cannot be frozen (EOPNOTSUPP) or are
    frozen already (EBUSY) are passed over; a mount that cannot be opened ends its freeze.

A filesystem is known by its number in mountinfo: `stat` has others for btrfs and overlay (Linux,
fs/btrfs/inode.c:btrfs_getattr). Which mount holds a path is found by the text of
mountinfo: nothing that may not answer is touched.
"""

import os
import re
import stat
from typing import Dict, Iterator, NamedTuple, Optional, Sequence, Set, Tuple

from stillpoint_guest.errors import ConfigurationError

_BTRFS = "btrfs"  # has a device number of its own, without a block major
_OVERLAY = "overlay"
# Those with a freeze_fs or freeze_super of their own, in fs/*/super.c of Linux 3.10 to 6.18.
_CAN_FREEZE = frozenset(
    (
        "bcachefs",
        "btrfs",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "gfs2",
        "jfs",
        "nilfs2",
        "reiserfs",
        "xfs",
    )
)
# Without a block device, and answered by the kernel alone, whatever a network does.
_IN_KERNEL = ("bcachefs", "btrfs", "devtmpfs", "overlay", "ramfs", "rootfs", "tmpfs", "zfs")
_IN_USER_SPACE = "fuseblk"  # has a block device, and a process that answers for it
_MOST_BYTES = 1 << 24
_LINE = re.compile(
    rb"([0-9]+) ([0-9]+) ([0-9]+:[0-9]+) [^ ]* (/[^ ]*) [^ ]*(?: [^ ]+)*?"
    rb" - ([^ ]*) ([^ ]*) ([^ ]*)\Z",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")
_SHOWN = 60


class Mount(NamedTuple):
    """A line of /proc/self/mountinfo; bytes that are no text are surrogates."""

    device: str  # major:minor
    path: str
    kind: str  # "ext4"
    source: str  # "/dev/vda1"; may be empty
    is_read_only: bool  # the filesystem, for everybody
    number: int = 0
    parent: int = 0  # the number of the mount on which it is
    options: Tuple[str, ...] = ()  # of the filesystem: "upperdir=/upper"

    @property
    def is_opened(self) -> bool:
        """True if the guest agent opens the mount, to freeze its filesystem."""
        return not self.device.startswith("0:") or (
            self.kind == _BTRFS and _is_block_device(self.source)
        )

    @property
    def holds_writers(self) -> bool:
        """True if who writes there waits from freeze to thaw."""
        return self.is_opened and self.kind in _CAN_FREEZE and not self.is_read_only

    @property
    def is_in_kernel(self) -> bool:
        """True if the kernel serves the filesystem without help, so that it can be touched."""
        has_block_device = not self.device.startswith("0:") and self.kind != _IN_USER_SPACE
        return has_block_device or self.kind in _IN_KERNEL

    def option(self, key: str) -> str:
        """The value of a filesystem option; may be empty."""
        start = key + "="
        return next((one[len(start) :] for one in self.options if one.startswith(start)), "")


class Table:
    """All mounts that a process sees, in the order in which they were made."""

    def __init__(self, mounts: Sequence[Mount], unread: Sequence[str] = ()) -> None:
        """Indexes the mounts.

        Args:
            mounts: in the order of mountinfo.
            unread: a warning for each invalid line.
        """
        self.mounts = mounts
        self.unread = unread
        numbers = {mount.number for mount in mounts}
        self._on: Dict[Tuple[int, str], Mount] = {}
        for mount in mounts:
            is_root = mount.parent == mount.number or mount.parent not in numbers
            self._on[0 if is_root else mount.parent, mount.path] = mount

    def holding(self, path: str) -> Optional[Mount]:
        """The mount in which an absolute path without links is, or would be.

        None if its root is none of the mounts, as in a chroot.
        """
        found = self.entered("/", None)
        reached = ""
        for name in filter(None, path.split("/")):
            reached += "/" + name
            found = self.entered(reached, found)
        return found

    def entered(self, path: str, folder: Optional[Mount]) -> Optional[Mount]:
        """The topmost of the mounts at a path, from the mount that has its parent folder."""
        found = folder
        above = self._on.get((found.number if found else 0, path))
        while above and above is not found:
            found, above = above, self._on.get((above.number, path))
        return found

    def upper(self, mount: Mount) -> Optional[Mount]:
        """The mount in which is what is written to this one: of an overlay, that of its upper
        layer; None if it has none.
        """  # noqa: D205
        seen: Set[int] = set()
        found: Optional[Mount] = mount
        while found and found.kind == _OVERLAY:
            folder = found.option("upperdir")
            if found.number in seen or not folder.startswith("/"):
                return None
            seen.add(found.number)
            found = self.holding(folder)
        return found

    def freeze_order(self) -> Sequence[Mount]:
        """A mount of each filesystem that the guest agent tries to freeze, in its order.

        Where a newer mount covers the intended mount, the agent gets the newer.
        """
        order: Dict[str, Mount] = {}
        for mount in reversed(self.mounts):
            reached = self.holding(mount.path) if mount.is_opened else None
            if reached and reached.is_opened:
                order.setdefault(reached.device, reached)
        return list(order.values())

    def with_writers(self) -> Sequence[Mount]:
        """The mounts of `freeze_order` whose writers wait from freeze to thaw."""
        return [mount for mount in self.freeze_order() if mount.holds_writers]

    def below(self, folder: str) -> Iterator[Mount]:
        """The mounts that are seen in a folder, which is an absolute path without links."""
        start = folder.rstrip("/") + "/"
        inside = (mount for mount in self.mounts if mount.path.startswith(start))
        return (mount for mount in inside if self.holding(mount.path) is mount)


def table(process: int = 0) -> Table:
    """The mounts that a process sees; 0 for this process.

    Raises:
        OSError: the process has ended.
    """
    with open(f"/proc/{process or 'self'}/mountinfo", "rb") as file:
        return parse(file.read(_MOST_BYTES))


def parse(mountinfo: bytes) -> Table:
    """A mountinfo; a line that makes no sense is a warning and not the end."""
    lines = [line for line in mountinfo.split(b"\n") if line]
    read = [_mount(line) for line in lines]
    unread = [
        f"a mount that makes no sense is passed over: {line[:_SHOWN]!r}"
        for line, mount in zip(lines, read)
        if mount is None
    ]
    return Table([mount for mount in read if mount is not None], unread)


def require_memory(path: str, attempt: str, hint: str) -> None:
    """Goes on only if a path is, or would be, where a freeze does not reach.

    Raises:
        ConfigurationError: the path is on a disk.
    """
    mount = table().holding(os.path.realpath(path))
    if mount and mount.holds_writers:
        cause = f"it is on a disk, {mount.path} ({mount.kind}), and would be frozen with it"
        raise ConfigurationError(path, attempt, cause, hint)


def _mount(line: bytes) -> Optional[Mount]:
    """See Linux, Documentation/filesystems/proc.rst: fields by one space, of which one may be
    empty; a space in a field is escaped. None if it makes no sense.
    """  # noqa: D205
    found = _LINE.match(line)
    if not found:
        return None
    number, parent, device, path, kind, source, options = found.groups()
    words = options.split(b",")
    return Mount(
        device=os.fsdecode(device),
        path=_unescape(path),
        kind=os.fsdecode(kind),
        source=_unescape(source),
        is_read_only=b"ro" in words,
        number=int(number),
        parent=int(parent),
        options=tuple(map(_unescape, words)),
    )


def _unescape(text: bytes) -> str:
    return os.fsdecode(_ESCAPED.sub(lambda octal: bytes([int(octal.group(1), 8)]), text))


def _is_block_device(path: str) -> bool:
    """True for a block device by the agent's own test; /dev alone is read, which always answers."""
    try:
        return path.startswith("/dev/") and stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False
