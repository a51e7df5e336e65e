"""Predicts, without harm, what the guest agent's freeze of the filesystems would do.

Followed: QEMU's guest agent, qga/commands-linux.c: a mount that the agent cannot open ends its
    freeze, and a mount that is no file or folder may keep the agent waiting. The mounts are opened
    by the paths of the agent's own mount namespace.
"""

import os
import stat
from typing import Iterator, List, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Finding
from stillpoint_guest.errors import DeadlinePassed
from stillpoint_guest.filesystems import backing
from stillpoint_guest.filesystems.mounts import Mount
from stillpoint_guest.filesystems.reach import NOTHING_FROZEN, Reach
from stillpoint_guest.worker import within

_LOOK_S = 2.0
_OPEN_S = 1.0
_MOST_SILENT = 3  # mounts that do not answer; then no more are tried
_PIPE = "it is a pipe, and whoever opens it waits"
_SILENT = "it does not answer"
_GOOD = "the filesystems can be frozen in the agent's order"


def findings(reach: Reach, process: int, is_blocking: bool) -> Iterator[Finding]:
    """The obstacles between the agent and a freeze.

    Args:
        reach: of the freeze.
        process: in the agent's mount namespace, for its paths; 0: they are ours.
        is_blocking: true if a freeze that holds nothing is refused.
    """
    found = [
        *_hanging(reach, process),
        *_check_mounts(reach.table.mounts, process),
        *_check_cover(reach),
    ]
    if not reach.order:
        hint = "a copy is as after a power failure"
        yield Finding(is_good=False, text=NOTHING_FROZEN, hint=hint, is_blocking=is_blocking)
    elif not found:
        yield Finding(is_good=True, text=_GOOD)
    yield from found
    for warning in reach.table.unread:
        yield Finding(is_good=False, text=warning, is_blocking=False)


def _hanging(reach: Reach, process: int) -> Sequence[Finding]:
    try:
        found = within(
            Deadline.after(_LOOK_S),
            "filesystems",
            "see what would be frozen",
            lambda: list(hanging(reach, process)),
        )
    except DeadlinePassed as error:
        return [Finding(is_good=False, text=str(error))]
    return [
        Finding(is_good=False, text=f"the freeze would hang: {why}", hint="unmount one")
        for why in found
    ]


def _check_mounts(mounts: Sequence[Mount], process: int) -> Sequence[Finding]:
    """Opens mounts as the agent does: every mount, also a second one of a filesystem."""
    root = _root(process)
    found: List[Finding] = []
    silent = 0
    for mount in mounts:
        why = _why_not(mount.path, root) if mount.is_opened else ""
        if why:
            text = f"the agent's freeze would fail: {mount.path} ({mount.kind}): {why}"
            found.append(Finding(is_good=False, text=text, hint="unmount it"))
        silent += why == _SILENT
        if silent == _MOST_SILENT:
            break
    return found


def _check_cover(reach: Reach) -> Iterator[Finding]:
    """Filesystems under other mounts: the agent freezes the cover, or nothing, without a word."""
    frozen = {mount.device for mount in reach.order}
    covered = {
        mount.device: mount
        for mount in reach.table.mounts
        if mount.holds_writers and mount.device not in frozen
    }
    for mount in covered.values():
        text = f"{mount.path} ({mount.kind}) is covered by another mount, and is not frozen"
        yield Finding(is_good=False, text=text, is_blocking=False)


def _why_not(path: str, root: str) -> str:
    try:
        return within(Deadline.after(_OPEN_S), path, "open it", lambda: _opening(root + path))
    except OSError as error:
        return f"it cannot be opened: {error.strerror}"
    except DeadlinePassed:
        return _SILENT


def hanging(reach: Reach, process: int) -> Iterator[str]:
    """Reasons why the agent would not come back from its freeze."""
    yield from backing.deadlocks(reach.table, reach.order)
    for mount in reach.table.mounts:
        if mount.is_opened and _is_pipe(_root(process) + mount.path):
            yield f"{mount.path} ({mount.kind}): {_PIPE}"


def _root(process: int) -> str:
    return f"/proc/{process}/root" if process else ""


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False  # whoever opens it does not wait


def _opening(path: str) -> str:
    """A device is not opened: that alone may do something; a pipe is reported elsewhere."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode)):
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    return ""
