"""Starts a holder where our unit does not: as a unit of systemd, or detached.

Either way the holder is in no control group of the agent's if possible, and inherits nothing.
"""

import _socket
import os
import shutil
import subprocess
import sys

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import HolderUnreachable
from stillpoint_guest.hook.connection import connect
from stillpoint_guest.places import Places, package_root

_START_S = 5.0
_LOOK_S = 0.005
_IDLE_S = 60  # a detached holder leaves after that
_SYSTEMD = "/run/systemd/system"
PROPERTIES = (  # of packaging/guest/stillpoint-guest.service, as far as systemd 237 knows them
    "OOMScoreAdjust=-900",
    "MemoryMax=512M",
    "TasksMax=512",
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap",
    "SystemCallErrorNumber=EPERM",
    "CapabilityBoundingSet=~CAP_BLOCK_SUSPEND CAP_LEASE CAP_LINUX_IMMUTABLE CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_NET_RAW CAP_SETFCAP CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_PACCT CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_SYSLOG CAP_WAKE_ALARM",  # noqa: E501  one word to systemd
)
OPTIONS = "-ISBc"  # no path, variable or site of a user; no .pyc, which may block
ENTRY = (  # not the archive as the program: Python would import runpy for that, 5 ms
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from stillpoint_guest.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


def start_holder(places: Places) -> _socket.socket:
    """Starts a holder and connects.

    Raises:
        HolderUnreachable: the holder does not come up, and why.
    """
    process = _spawn(places)
    deadline = Deadline.after(_START_S)
    while not deadline.has_passed:
        try:
            return connect(places)
        except OSError:
            if process.poll():
                break
        try:
            process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            continue
    said = process.stderr.read(4096).decode().strip() if process.poll() and process.stderr else ""
    raise HolderUnreachable("holder", "start it", said or "it does not answer")


def command_line(places: Places) -> "list[str]":
    """The arguments that make this Python a holder, from wherever this package was loaded."""
    options = ["--configuration", places.configuration, "--run", places.run]
    options += ["--state", places.state]
    return [sys.executable, OPTIONS, ENTRY, package_root(), *options, "holder"]


def _spawn(places: Places) -> "subprocess.Popen[bytes]":
    command = command_line(places)
    if os.path.isdir(_SYSTEMD) and shutil.which("systemd-run"):
        unit = f"stillpoint-guest-holder-{os.urandom(4).hex()}"  # one that failed keeps its name
        properties = [f"--property={one}" for one in PROPERTIES]
        command[:0] = ["systemd-run", "--quiet", f"--unit={unit}", *properties]
    else:
        command += ["--leave-when-idle", str(_IDLE_S)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )
