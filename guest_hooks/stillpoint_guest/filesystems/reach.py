"""The reach of a freeze: the filesystems on which nobody writes from freeze to thaw.

A copy has an application's data of a single moment only if each of its folders is on such a
filesystem. Filesystems that the guest agent passes over (memory, networks, FUSE, ZFS, FAT) take
writes meanwhile, or are not copied at all. The agent's view counts: its mount namespace, not that
of the application.
"""

import math
import os
from typing import Iterator, List, NamedTuple, Optional, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import CRASH, Report
from stillpoint_guest.errors import ApplicationError
from stillpoint_guest.filesystems import mounts
from stillpoint_guest.filesystems.mounts import Mount, Table
from stillpoint_guest.worker import within

NOTHING_FROZEN = "no filesystem of this guest can be frozen, so nothing is held"
_MOST_LINKS = 40  # as the kernel
_MOST_FOLDERS = 1024  # of one application, as its server names them
_MOST_STEPS = 16 * _MOST_FOLDERS  # through their paths and links
_PATH = 4096  # PATH_MAX
_ATTEMPT = ("data", "find it")
# Folders in a data folder that have nothing that a start needs: often memory, by advice.
_SCRATCH = frozenset(("pg_stat_tmp", "pgsql_tmp", "tmp", "#innodb_temp", "lost+found"))
_PSEUDO = frozenset(("autofs", "binfmt_misc", "cgroup", "cgroup2", "devpts", "proc", "sysfs"))


class Reach:
    """The filesystems that a freeze holds."""

    def __init__(self, table: Table, order: Sequence[Mount]) -> None:
        """Takes the table and the order.

        Args:
            table: of the process that freezes.
            order: a mount of each filesystem, as they are frozen.
        """
        self.table = table
        self.order = order
        self._devices = {mount.device for mount in order}

    def _outside(self, folder: str, view: "Optional[_View]", steps: "_Steps") -> Iterator[str]:
        place = view.place(folder, steps) if view else None
        if view is None or place is None or place.mount is None:
            yield f"{folder}: where it lies cannot be found out"
            return
        if not self._holds(place.mount, view.table):
            yield _sentence(folder, place.mount)
        for mount in view.table.below(view.prefix + place.path):
            steps.require_time()
            is_data = mount.kind not in _PSEUDO and os.path.basename(mount.path) not in _SCRATCH
            if is_data and not mount.is_read_only and not self._holds(mount, view.table):
                yield _sentence(folder, mount)

    def judge(self, report: Report, process: int, deadline: Deadline) -> Report:
        """A report that promises nothing of data which this freeze does not hold.

        Args:
            report: with absolute paths of folders, as the process sees them.
            process: whose they are; 0: its paths are ours.
            deadline: when what could not be found out counts as not held.
        """
        try:
            outside = within(
                deadline, *_ATTEMPT, lambda: self._all_outside(report, process, _Steps(deadline))
            )
        except ApplicationError as error:
            outside = [f"where its folders lie could not be found out: {error.cause}"]
        if not outside:
            return report
        warnings = (*report.warnings, *outside)
        return report._replace(guarantees=(), warnings=warnings, level=CRASH)

    def _all_outside(self, report: Report, process: int, steps: "_Steps") -> Sequence[str]:
        if len(report.folders) > _MOST_FOLDERS or any(len(one) > _PATH for one in report.folders):
            return [f"where its {len(report.folders)} folders lie is too much to find out"]
        view = _view(process, self.table)
        return [said for folder in report.folders for said in self._outside(folder, view, steps)]

    def mount_of(self, path: str) -> Optional[Mount]:
        """The mount of a path, links followed.

        Raises:
            ApplicationError: the path has too many links and parts.
        """
        place = _View(self.table, "", "").place(path, _Steps(Deadline(math.inf)))
        return place.mount if place else None

    def _holds(self, mount: Mount, table: Table) -> bool:
        if mount.device in self._devices:
            return True
        upper = table.upper(mount) or self.table.upper(mount)
        return upper is not None and upper.device in self._devices


def of_agent(process: int = 0) -> Reach:
    """The reach of the agent's freeze; `process` is in its mount namespace, 0 is this process."""
    try:
        table = mounts.table(process)
    except OSError:  # it has ended, or cannot be looked at
        table = mounts.table()
    return Reach(table, table.with_writers())


class _Steps:
    """The steps that may be taken to find out where the folders of an application lie.

    Both methods raise an `ApplicationError` if that takes too long, which ends the thread too.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._left = _MOST_STEPS

    def take(self) -> None:
        """Counts a part of a path."""
        self.require_time()
        self._left -= 1
        if self._left < 0:
            raise ApplicationError(*_ATTEMPT, "their paths have too many parts")

    def require_time(self) -> None:
        """Goes on only before the deadline."""
        self._deadline.require(*_ATTEMPT)


class _Place(NamedTuple):
    path: str  # without links, below the root of whoever sees it
    mount: Optional[Mount]


class _View(NamedTuple):
    """A process's view of paths."""

    table: Table
    prefix: str  # of its root in the table; empty for "/"
    root: str  # where we find its root; empty for ours

    def place(self, path: str, steps: _Steps) -> Optional[_Place]:
        """The target of a path, links followed as far as filesystems surely answer.

        Raises:
            ApplicationError: it takes too many steps, or too long.
        """
        todo: List[str] = path.split("/")[::-1]
        done = [_Place("", self.table.holding(self.prefix))]  # from the root down
        links = 0
        while todo:
            steps.take()
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                del done[max(1, len(done) - 1) :]  # the root is its own parent
                continue
            place = self._below(done[-1], name)
            target = self._link(place)
            if target is None:
                done.append(place)
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            todo += target.split("/")[::-1]
            if target.startswith("/"):
                del done[1:]
        return done[-1]

    def _below(self, folder: _Place, name: str) -> _Place:
        path = f"{folder.path}/{name}"
        return _Place(path, self.table.entered(self.prefix + path, folder.mount))

    def _link(self, place: _Place) -> Optional[str]:
        if place.mount is None or not place.mount.is_in_kernel:
            return None
        try:
            return os.readlink(self.root + place.path)
        except OSError:
            return None


def _view(process: int, own: Table) -> Optional[_View]:
    if not process:
        return _View(own, "", "")
    folder = f"/proc/{process}"
    try:
        root = os.readlink(f"{folder}/root").rstrip("/")
        if os.readlink(f"{folder}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
            return _View(mounts.table(), root, f"{folder}/root")
        return _View(mounts.table(process), "", f"{folder}/root")
    except OSError:
        return None


def _sentence(folder: str, mount: Mount) -> str:
    where = f"{mount.path} ({mount.kind}{', read-only' if mount.is_read_only else ''})"
    return f"{folder} is on {where}, which this freeze does not hold"
