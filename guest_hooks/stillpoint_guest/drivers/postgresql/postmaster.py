"""Detects servers of PostgreSQL by the file in their data folders."""

import os
import re
import stat
from typing import NamedTuple, Optional

from stillpoint_guest.options.found import Found
from stillpoint_guest.processes import accounts
from stillpoint_guest.processes.process_table import Process

SOCKET = ".s.PGSQL.{}"  # in its folder, for a port
_FILE = "postmaster.pid"
_MOST_BYTES = 4096
_MOST_PORT = 65535
_DEBIAN_FOLDER = re.compile(r"/postgresql/(\d[\d.]*)/([^/]+)$")


class _File(NamedTuple):
    """The file that a postmaster writes of itself (src/include/utils/pidfile.h)."""

    number: int  # of its process; negative without a postmaster (single-user mode)
    folder: str
    port: int
    socket_folder: str  # the first one, or ""
    address: str


def detect(kind: str, process: Process) -> Optional[Found]:
    """The server that a process is; None for others, as `postgres --version`.

    Raises:
        OSError: the process has ended, or its file cannot be read.
        ValueError: the file is invalid.
    """
    here = f"/proc/{process.number}/cwd"
    try:
        file = _read(f"{here}/{_FILE}", process.user)
    except FileNotFoundError:
        if not os.path.exists(f"{here}/PG_VERSION"):
            return None
        file = None
    if file is None or file.number != process.number_inside:
        unsafe = "it has not said where it listens: it starts, or ends, or has no postmaster"
        return Found(f"{kind}:{process.folder}", {}, unsafe)
    debian = _DEBIAN_FOLDER.search(file.folder)
    name = f"{kind}:{'/'.join(debian.groups()) if debian else file.folder}"
    host = _socket_folder(process, file)
    account = accounts.name_of(process.user)
    options = {"host": host or file.address, "port": str(file.port), "system_user": account}
    return Found(name, options, _unsafe(process, account, host))


def _unsafe(process: Process, account: str, host: str) -> str:
    if process.user == 0:
        return "it runs as root, which PostgreSQL's own server does not"
    if accounts.number_of(account) is None:
        return f"its user {account} has no name here, and so no client can run as that one"
    if not host:
        return "it has no socket in a folder, so a section has to give a role and a password"
    return ""


def _socket_folder(process: Process, file: _File) -> str:
    """The folder of its socket that its file names, where clients look; else any of them."""
    name = SOCKET.format(file.port)
    folders = [os.path.dirname(path) for path in process.sockets() if path.endswith("/" + name)]
    own = process.visible_path(file.socket_folder) if file.socket_folder.startswith("/") else ""
    return own if own in folders else folders[0] if folders else ""


def _read(path: str, user: int) -> _File:
    """The file's beginning, if the file is that user's."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, user):
            raise ValueError(f"its {_FILE} is not a file of its own")
        lines = os.fsdecode(os.read(descriptor, _MOST_BYTES)).split("\n")
    finally:
        os.close(descriptor)
    try:
        number, folder, _, port, socket_folder, address = lines[:6]
        file = _File(int(number), folder, int(port), socket_folder, address)
    except ValueError as error:
        raise ValueError(f"its {_FILE} makes no sense") from error
    if not 0 < file.port <= _MOST_PORT:
        raise ValueError(f"its {_FILE} makes no sense")
    return file
