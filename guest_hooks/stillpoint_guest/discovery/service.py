"""Tells this machine's services, which discovery trusts, from other processes.

A process chooses its own name and arguments, so they count for nothing here. Only root gives out
what counts: account, unit, executable. Any other process that looks like a server is a stranger's:
named and left alone, never contacted.
"""

import os
import threading
from typing import Callable, Dict, NamedTuple, Optional, Sequence

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import GuestError
from stillpoint_guest.processes import accounts
from stillpoint_guest.processes.accounts import Names
from stillpoint_guest.processes.command import Commands
from stillpoint_guest.processes.process_table import Process
from stillpoint_guest.processes.program import Program

_SYSTEMD_RUNS = "/run/systemd/system"  # sd_booted(3)
_SERVICE = ".service"
_NO_SYSTEM = ("user.slice", "machine.slice", "kubepods.slice", "kubepods")
_ASK_S = 1.0
_MOST_UNITS = 8


class Stranger(NamedTuple):
    """The reason why a process is not trusted."""

    cause: str
    can_be_trusted: bool = True  # whether a section with its account as `system_user` would help


class Units:
    """The users of units; systemd is asked once for each unit, as few are needed."""

    def __init__(self, names: Names) -> None:
        """Sends no request yet."""
        self._names = names
        self._users: Dict[str, str] = {}
        self._asking = threading.Lock()

    def runs_as(self, unit: str, user: int) -> bool:
        """True if root has said that this unit's programs run as that user."""
        with self._asking:
            if unit not in self._users and len(self._users) < _MOST_UNITS:
                self._users[unit] = _user_of_unit(unit)
            account = self._users.get(unit, "")
        return bool(account) and account in (str(user), self._names.of(user))


def standing(process: Process, units: Units) -> Optional[Stranger]:
    """The reason for distrust in a process's account or unit; None if the process is a service.

    Nothing here waits for the process, as reads of its files and its memory could.

    Raises:
        OSError: the process has ended.
    """
    if process.is_in_container:
        return Stranger("runs in a container", can_be_trusted=False)
    if len(set(process.users)) > 1:
        return Stranger("has the rights of several users, so somebody else has started it")
    if process.user == accounts.NOBODY:
        return Stranger("runs as nobody, which anything may")
    unit = unit_of(process.groups) if os.path.isdir(_SYSTEMD_RUNS) else None
    if unit == "":
        return Stranger("runs in somebody's session or in a container, not as a system service")
    is_systems = process.user == 0 or accounts.is_system_account(process.user)
    if is_systems or (unit and units.runs_as(unit, process.user)):
        return None
    return Stranger("runs as no account of the system")


def belongings(process: Process) -> Optional[Stranger]:
    """The reason for distrust in a process's executable or folder; None if they are in order.

    Reads files, and so waits where they are on a share that is gone.

    Raises:
        OSError: the process has ended.
    """
    fault = _fault_of_executable(process)
    if fault:
        return Stranger(fault)
    owner = os.stat(f"/proc/{process.number}/cwd").st_uid
    if owner not in (0, process.user):
        return Stranger(f"runs in a folder that belongs to user {owner}")
    fault = _fault_of_path(process, process.folder) if process.user == 0 else ""
    return Stranger(f"runs as root in a folder of others: {fault}") if fault else None


def unit_of(groups: Sequence[str]) -> Optional[str]:
    """The system's unit that a process belongs to; "" to none, None: its groups do not tell.

    A session, a container and what a user's own systemd runs are in scopes, or in slices of theirs.

    Args:
        groups: where systemd keeps units, in each hierarchy: "/system.slice/redis.service".
    """
    found = None
    for path in groups:
        parts = path.strip("/").split("/")
        if not path.strip("/."):
            continue  # the root, or outside of what we may see
        units = [part for part in parts if part.endswith(_SERVICE)]
        if not units or any(part in _NO_SYSTEM or part.endswith(".scope") for part in parts):
            return ""
        found = units[0]
    return found


def _user_of_unit(unit: str) -> str:
    """The user of a unit by systemd, a name or a number; "" if unknown."""
    words = ("systemctl", "show", "--property=User", "--", unit)
    commands = Commands(unit)
    try:
        lines = commands.run(Program(words), Deadline.after(_ASK_S)).lines
    except GuestError:
        return ""
    finally:
        commands.close()
    return lines[0].partition("=")[2].strip() if lines else ""


def _fault_of_executable(process: Process) -> str:
    """The fault of the file behind /proc/PID/exe, which a package may have replaced."""
    if not process.executable:
        return "has an executable that we may not see"
    link = f"/proc/{process.number}/exe"
    fault = trust.fault_of(trust.Component(process.executable, os.stat(link)), _is_root)
    if fault:
        return f"has an executable that is not root's alone: {fault.cause}"
    folder = _fault_of_path(process, os.path.dirname(process.executable))
    return f"has an executable in a folder of others: {folder}" if folder else ""


def _fault_of_path(process: Process, path: str) -> str:
    """The reason why others than root can change a folder; a missing folder cannot be changed."""
    try:
        for one in trust.components(process.visible_path(path)):
            fault = None if _is_way_in(process, one) else trust.fault_of(one, _is_root)
            if fault:
                return fault.cause
    except FileNotFoundError:
        pass
    return ""


def _is_way_in(process: Process, component: trust.Component) -> bool:
    """True if a component is /proc/PID or its link: the process's by nature."""
    return component.path in (f"/proc/{process.number}", f"/proc/{process.number}/root")


_is_root: Callable[[int], bool] = (0).__eq__
