"""Processes of the campaign: what it forks, and what is left of them."""

import contextlib
import os
import sys
from typing import Callable, List

from stillpoint_guest.errors import GuestError

NOTHING_WAS_HELD = 4


def forked(action: Callable[[], object]) -> int:
    """A process that does it and ends with 0, or 1 for an error of ours, or 3 for a fault."""
    process = os.fork()
    if process:
        return process
    status = 3
    try:
        status = NOTHING_WAS_HELD if action() is False else 0  # as a thaw says it
    except GuestError:
        status = 1
    except BaseException as error:
        sys.stderr.write("%r\n" % error)
    finally:
        os._exit(status)


def waited_for(action: Callable[[], object]) -> None:
    status = os.waitpid(forked(action), 0)[1]
    if status:
        raise GuestError("hook", "run", "status %d" % status)


def is_dead(child: int) -> bool:
    """Whether it has ended; whoever waits for it still can."""
    try:
        return bool(os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG))
    except ChildProcessError:
        return True


def children(process: int) -> List[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/%d/task" % process):
            with open("/proc/%d/task/%s/children" % (process, task)) as file:
                found += [int(word) for word in file.read().split()]
    return found


def told(process: int) -> str:
    with contextlib.suppress(OSError):
        with open("/proc/%d/cmdline" % process) as words, open("/proc/%d/stat" % process) as state:
            return words.read().replace("\0", " ") + state.read()[:60]
    return str(process)
