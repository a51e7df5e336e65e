"""Freezing filesystems ourselves, for guests without an agent, and syncing them."""

import contextlib
import ctypes
import errno
import fcntl
import os
from contextlib import contextmanager
from typing import Iterator, Mapping, Sequence

from guest_hooks import mounts
from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Report
from guest_hooks.errors import ApplicationError, Refused
from guest_hooks.mounts import Mount
from guest_hooks.note import Note
from guest_hooks.section import Section

_FIFREEZE = 0xC0045877  # linux/fs.h
_FITHAW = 0xC0045878
_LIBC = ctypes.CDLL(None, use_errno=True)  # os has no syncfs


def sync(mount: Mount) -> None:
    """Write what one filesystem has in memory; `sync` would hang on another that is dead.

    Raises:
        OSError: it could not be written.
    """
    with _opened(mount.path) as descriptor:
        if _LIBC.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), mount.path)


def thaw(path: str) -> None:
    """Let a filesystem go on; one that is not frozen, or not there, is left as it is.

    Raises:
        OSError: it stays frozen.
    """
    try:
        with _opened(path) as descriptor:
            fcntl.ioctl(descriptor, _FITHAW, 0)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


class Filesystems(Driver):
    """The filesystems as the last application to come to rest: locked last, released first."""

    KIND = "filesystems"

    def __init__(self, section: Section, note: Note, paths: Sequence[str] = ()) -> None:
        super().__init__(section, note)
        self._paths = paths

    def reconcile(self, noted: Mapping[str, str], deadline: Deadline) -> None:
        """See `Driver`."""
        del deadline
        for path in noted["paths"].split("\0"):
            thaw(path)

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """See `Driver`."""
        chosen = self._chosen()
        self.note.write({"paths": "\0".join(mount.path for mount in chosen)})
        paths = ", ".join(mount.path for mount in chosen)
        try:
            with contextlib.ExitStack() as stack:
                for mount in chosen:
                    deadline.require(self.section.name, f"freeze {mount.path}")
                    stack.enter_context(self._frozen(mount))
                yield Report("FIFREEZE", guarantees=(f"{paths}: nothing was written",))
        except ApplicationError:
            self.note.drop()
            raise
        self.note.drop()

    @contextmanager
    def _frozen(self, mount: Mount) -> Iterator[None]:
        try:
            with _opened(mount.path) as descriptor:
                fcntl.ioctl(descriptor, _FIFREEZE, 0)
        except OSError as error:
            attempt = f"freeze {mount.path}"
            raise ApplicationError(self.section.name, attempt, str(error.strerror)) from error
        try:
            yield
        finally:
            thaw(mount.path)

    def _chosen(self) -> Sequence[Mount]:
        order = [one for one in mounts.filesystems(mounts.mounts()) if not one.is_read_only]
        if not self._paths:
            return order
        devices = {_device(path): path for path in self._paths}
        chosen = [mount for mount in order if mount.device in devices]
        missing = set(devices) - {mount.device for mount in chosen}
        if missing:
            path = devices[min(missing)]
            cause = "no filesystem on a disk is mounted there"
            raise Refused(self.section.name, f"freeze {path}", cause)
        return chosen


def _device(path: str) -> str:
    try:
        device = os.stat(path).st_dev
    except OSError:
        return path
    return f"{os.major(device)}:{os.minor(device)}"


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
