"""Freezes filesystems without an agent, and syncs them.

FIFREEZE and FITHAW cannot be interrupted: a thread that calls either for a dead disk does not come
back. So each filesystem has threads of its own, the undoing of the others needs none of them, and a
freeze that comes too late undoes itself. The same filesystems are skipped as by QEMU's agent.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import threading
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Mapping, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Report
from stillpoint_guest.errors import ApplicationError, DeadlinePassed, Refused
from stillpoint_guest.filesystems import mounts
from stillpoint_guest.filesystems.mounts import Mount, Table
from stillpoint_guest.filesystems.reach import Reach
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.undo_journal import UndoJournal
from stillpoint_guest.worker import Pending, start

_FIFREEZE = 0xC0045877  # linux/fs.h
_FITHAW = 0xC0045878
_LIBC = ctypes.CDLL(None, use_errno=True)  # os has no syncfs
_LOOK_S = 0.02
_ENDING_S = 0.5  # of the release, to say what hangs
_MOST_THAWS = 64  # each answers "thawed" once for a freeze; then EINVAL
_SKIPPED = {
    errno.EOPNOTSUPP: "cannot be frozen",
    errno.EBUSY: "was frozen by somebody else, who may thaw it",
}
_THAWING: Dict[str, "Pending[None]"] = {}  # one that hangs is not begun a second time beside itself


def sync(mount: Mount) -> None:
    """Writes out a filesystem; `sync` would hang on another that is dead.

    Raises:
        OSError: not written.
    """
    with _open(mount.path) as descriptor:
        if _LIBC.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), mount.path)


def thaw(path: str) -> None:
    """Let a filesystem go on, however often it was frozen; one that is not frozen, or not there, is
    left as it is.

    Raises:
        OSError: the filesystem stays frozen.
    """  # noqa: D205
    try:
        with _open(path) as descriptor:
            for _ in range(_MOST_THAWS):
                fcntl.ioctl(descriptor, _FITHAW, 0)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


class _Disk:
    """A filesystem on its way to be frozen, and back, in a thread that is there already."""

    def __init__(self, mount: Mount, settled: Callable[[str], None]) -> None:
        """Begins the freeze; `settled` is given the path when writes go on, or never ceased."""
        self.mount = mount
        self.is_frozen = False
        self.freezing = Pending(self._freeze)
        self.thawing = Pending(self._thaw)
        self._settle = settled
        self._is_unwanted = threading.Event()
        threading.Thread(target=self._run, name=mount.path, daemon=True).start()

    def begin_thaw(self) -> None:
        """Thaws at once, or as soon as the freeze is through."""
        self._is_unwanted.set()

    def _run(self) -> None:
        self.freezing.run()
        if self.is_frozen:
            self._is_unwanted.wait()
            self.thawing.run()
        if not self.is_frozen:
            self._settle(self.mount.path)

    def _freeze(self) -> None:
        self._descriptor = _freeze_path(self.mount.path)
        self.is_frozen = True

    def _thaw(self) -> None:
        try:
            fcntl.ioctl(self._descriptor, _FITHAW, 0)
        except OSError as error:
            self.is_frozen = error.errno != errno.EINVAL
            raise
        finally:
            os.close(self._descriptor)
        self.is_frozen = False


class Filesystems(Driver):
    """The filesystems as the last application to be quiesced: locked last, released first."""

    KIND = "filesystems"

    def __init__(self, section: Section, journal: UndoJournal, paths: Sequence[str] = ()) -> None:
        """Takes the paths whose filesystems are to be frozen; none for all."""
        super().__init__(section, journal)
        self._paths = paths
        self._disks: List[_Disk] = []
        self._noted: List[str] = []
        self._noting = threading.Lock()
        self._is_unwanted = threading.Event()

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        """See `Driver`."""
        thaws = {path: _thawing(path) for path in undo["paths"].split("\0")}
        errors = [one for path, each in thaws.items() for one in self._late(path, each, deadline)]
        if errors:
            raise errors[0]

    def reach(self) -> Reach:
        """The filesystems that this freeze will hold.

        Raises:
            Refused: a path is on no filesystem that can be frozen, or there is none at all.
        """
        table = mounts.table()
        order = [mount for mount in self._choose(table) if mount.holds_writers]
        if not order:
            cause = "no filesystem of this guest can be frozen"
            raise Refused(self.section.name, "freeze them", cause)
        return Reach(table, order)

    @contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """See `Driver`."""
        chosen = self._choose(mounts.table())
        self._noted = [mount.path for mount in chosen]
        self.journal.write({"paths": "\0".join(self._noted)})
        try:
            skipped = [sentence for mount in chosen for sentence in self._freeze(mount, deadline)]
        except BaseException:
            self._thaw()
            raise
        paths = ", ".join(disk.mount.path for disk in self._disks if disk.is_frozen)
        try:
            yield Report("FIFREEZE", {}, (f"{paths}: nothing was written",), tuple(skipped))
        finally:
            errors = self._thaw()
        if errors:
            raise errors[0]

    def give_up(self) -> None:
        """See `Driver`."""
        self._is_unwanted.set()

    def _freeze(self, mount: Mount, deadline: Deadline) -> Iterator[str]:
        """Freezes a filesystem, or reports why it is skipped."""
        attempt = f"freeze {mount.path}"
        deadline.require(self.section.name, attempt)
        disk = _Disk(mount, self._settle)
        self._disks.append(disk)
        while not disk.freezing.wait(_LOOK_S):
            if deadline.has_passed or self._is_unwanted.is_set():
                raise DeadlinePassed(self.section.name, attempt, "its disk does not answer in time")
        try:
            disk.freezing.result()
        except OSError as error:
            is_skipped = error.errno in _SKIPPED
            if not is_skipped or (self._paths and error.errno == errno.EOPNOTSUPP):
                cause = str(error.strerror)
                raise ApplicationError(self.section.name, attempt, cause) from error
            yield f"{mount.path} ({mount.kind}) is skipped: it {_SKIPPED[int(error.errno or 0)]}"

    def _thaw(self) -> Sequence[ApplicationError]:
        """Thaws all side by side: a thaw that hangs delays no other, and stays in the journal."""
        deadline = Deadline.after(self.section.release_s - _ENDING_S)
        frozen = [disk for disk in reversed(self._disks) if disk.is_frozen]
        for disk in self._disks[::-1]:
            disk.begin_thaw()
        for path in set(self._noted) - {disk.mount.path for disk in self._disks}:
            self._settle(path)
        return [
            error
            for disk in frozen
            for error in self._late(disk.mount.path, disk.thawing, deadline)
        ]

    def _late(
        self, path: str, thawing: "Pending[None]", deadline: Deadline
    ) -> Iterator[ApplicationError]:
        """The error of a thaw, if any."""
        name, attempt = self.section.name, f"thaw {path}"
        if not thawing.wait(deadline.remaining_s):
            cause = "its disk does not answer; it is thawed when it does"
            yield DeadlinePassed(name, attempt, cause)
            return
        try:
            thawing.result()
        except OSError as error:
            is_lost = error.errno == errno.EINVAL
            cause = "somebody else had thawed it before" if is_lost else str(error.strerror)
            yield ApplicationError(name, attempt, cause)

    def _settle(self, path: str) -> None:
        """Drops a path from the journal: its filesystem takes writes again."""
        with self._noting, contextlib.suppress(ApplicationError):  # at worst it is thawed twice
            self._noted.remove(path)
            if self._noted:
                self.journal.write({"paths": "\0".join(self._noted)})
            else:
                self.journal.drop()

    def _choose(self, table: Table) -> Sequence[Mount]:
        order = [one for one in table.freeze_order() if not one.is_read_only]
        if not self._paths:
            return order
        devices = {self._device(path, table) for path in self._paths}
        return [mount for mount in order if mount.device in devices]

    def _device(self, path: str, table: Table) -> str:
        mount = Reach(table, ()).mount_of(path)
        if mount is None or not mount.is_opened or not os.path.lexists(path):
            cause = "no filesystem on a disk is mounted there"
            raise Refused(self.section.name, f"freeze {path}", cause)
        return mount.device


def _thawing(path: str) -> "Pending[None]":
    """A thaw in a thread of its own; a path whose thaw hangs gets no second."""
    pending = _THAWING.get(path)
    if pending is None or pending.wait(0):
        pending = _THAWING[path] = start("thaw", lambda: thaw(path))
    return pending


def _freeze_path(path: str) -> int:
    """Freezes; returns a descriptor by which to thaw, whatever covers the path then."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _FIFREEZE, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _open(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
