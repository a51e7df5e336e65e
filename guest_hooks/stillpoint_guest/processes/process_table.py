"""The processes of this guest, read from /proc: nothing is connected to or changed.

Names, arguments and paths are bytes that anybody chose; as text they are what `os.fsdecode` makes
of them. Of all processes only what cannot wait is read: the name, the executable's path. Reads of a
single process may wait for ever (for the lock of its memory, for a share that is gone): see
`discovery`. A process may end at any moment: then reads raise an OSError.
"""

import contextlib
import functools
import os
import re
import socket
import stat
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from stillpoint_guest.processes import kernel_sockets
from stillpoint_guest.processes.kernel_sockets import Listener

_NAME_BYTES = 15  # TASK_COMM_LEN, without its end
_STATUS_BYTES = 8192
_ARGUMENT_BYTES = 1 << 20
_ENDED = re.compile(rb"^State:\s+[ZX]", re.MULTILINE)
_PARENT = re.compile(rb"^PPid:\s+(\d+)", re.MULTILINE)  # a name in this file has no line ends
_USERS = re.compile(rb"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", re.MULTILINE)
_NUMBER_INSIDE = re.compile(rb"^NSpid:.*\s(\d+)$", re.MULTILINE)
_DELETED = " (deleted)"  # what the kernel adds to the path of a file that a package has replaced
_ANY_ADDRESS = {b"\0" * 4: "127.0.0.1", b"\0" * 16: "::1"}


class Process:
    """A program that runs."""

    def __init__(self, number: int, program: str, executable: str) -> None:
        """Reads the user; nothing of that can wait.

        Args:
            number: of the process.
            program: its name as the kernel has it, the first 15 bytes: anybody may have any name.
            executable: the path of its file, as the process sees it; "" if not visible.

        Raises:
            OSError: the process has ended.
        """
        self.number = number
        self.program = program
        self.executable = executable
        status = _read(f"/proc/{number}/status", _STATUS_BYTES)
        parent, users, inside = (each.search(status) for each in (_PARENT, _USERS, _NUMBER_INSIDE))
        if not parent or not users or _ENDED.search(status):
            raise ProcessLookupError(f"process {number} has ended")
        self.parent = int(parent.group(1))
        self.users = tuple(map(int, users.groups()))  # real, effective, saved, for files
        self.number_inside = int(inside.group(1)) if inside else number  # as it sees itself
        self._inodes: Optional[Sequence[int]] = None
        self._sockets: Optional[Sequence[str]] = None

    @property
    def user(self) -> int:
        """The effective user; /proc/PID itself is root's where a process may not be dumped."""
        return self.users[1]

    @property
    def file(self) -> str:
        """The name of its executable, behind every link."""
        return os.path.basename(self.executable)

    @property
    def folder(self) -> str:
        """The working directory, as the process sees it."""
        return os.readlink(f"/proc/{self.number}/cwd")

    @property
    def arguments(self) -> Sequence[str]:
        """The command line, original or overwritten; waits for the lock of the process's memory."""
        written = _read(f"/proc/{self.number}/cmdline", _ARGUMENT_BYTES)
        return [os.fsdecode(each) for each in written.rstrip(b"\0").split(b"\0")]

    def variable(self, name: str) -> str:
        """An environment variable, "" if unset; waits as `arguments` does."""
        begin = os.fsencode(name) + b"="
        for each in _read(f"/proc/{self.number}/environ", _ARGUMENT_BYTES).split(b"\0"):
            if each.startswith(begin):
                return os.fsdecode(each[len(begin) :])
        return ""

    @property
    def is_in_container(self) -> bool:
        """True if its numbers or users are not ours.

        Not by its mounts or its network: a unit of systemd may have its own (PrivateTmp,
        PrivateNetwork).
        """
        return not all(self._shares(kind) for kind in ("pid", "user"))

    @property
    def has_own_network(self) -> bool:
        """True if its ports are not ours."""
        return not self._shares("net")

    @property
    def has_own_files(self) -> bool:
        """True if a path of the process may lead elsewhere than ours."""
        return not self._shares("mnt") or os.readlink(f"/proc/{self.number}/root") != "/"

    @property
    def groups(self) -> Sequence[str]:
        """Its control groups where systemd keeps its units: "/system.slice/redis.service"."""
        with open(f"/proc/{self.number}/cgroup", errors="surrogateescape") as file:
            fields = [line.rstrip("\n").split(":", 2) for line in file]
        return [path for _, kind, path in fields if kind in ("", "name=systemd")]

    def visible_path(self, path: str) -> str:
        """Our path of a path of the process: the same, unless another file is there for us."""
        if not self.has_own_files:
            return path
        inside = f"/proc/{self.number}/root{path}"
        try:
            is_same = os.path.samestat(os.stat(path), os.stat(inside))
        except FileNotFoundError:
            is_same = False
        return path if is_same else inside

    def own(self, path: str) -> str:
        """The process's own path of a result of `visible_path`."""
        inside = f"/proc/{self.number}/root/"
        return path[len(inside) - 1 :] if path.startswith(inside) else path

    def sockets(self) -> Sequence[str]:
        """Paths, as we see them, of the UNIX sockets on which the process listens."""
        if self._sockets is None:
            self._sockets = self._read_sockets()
        return self._sockets

    def _read_sockets(self) -> Sequence[str]:
        names, is_from_kernel = self._socket_names()
        folder = self.folder if any(not name.startswith(("/", "\0")) for name in names) else ""
        paths = [os.path.join(folder, name) for name in names if name and name[0] != "\0"]
        seen = [self.visible_path(path) for path in paths]
        return sorted(path for path in seen if is_from_kernel or self._owns_socket(path))

    def listeners(self) -> Sequence[Listener]:
        """The TCP sockets on which the process listens, at addresses that we can reach."""
        if self.has_own_network:
            return ()
        inodes = set(self._socket_inodes())
        return [each for each in kernel_sockets.tcp_listeners() if each.inode in inodes]

    def addresses(self) -> Sequence[Tuple[str, int]]:
        """TCP addresses of the process: a host for each port, IPv4's first, by port."""
        found: Dict[int, str] = {}
        for each in sorted(self.listeners(), key=lambda one: (len(one.address), one.address)):
            found.setdefault(each.port, _host(each.address))
        return [(host, port) for port, host in sorted(found.items())]

    def _socket_names(self) -> Tuple[List[str], bool]:
        """Paths, and True if they are the kernel's, so that they are its own for certain."""
        inodes = set(self._socket_inodes())
        folder = f"/proc/{self.number}/net"
        try:
            if not self.has_own_network:
                return list(kernel_sockets.unix_listeners(inodes).values()), True
        except OSError:  # a kernel without unix_diag
            folder = "/proc/self/net"
        return list(kernel_sockets.unix_listeners_by_text(folder, inodes).values()), False

    def _owns_socket(self, path: str) -> bool:
        """True if its user, or root, has put a socket there; who listens, `peer` asks."""
        try:
            status = os.lstat(path)
        except OSError:
            return False
        return stat.S_ISSOCK(status.st_mode) and status.st_uid in (0, self.user)

    def _socket_inodes(self) -> Sequence[int]:
        if self._inodes is None:
            self._inodes = kernel_sockets.inodes_of(self.number)
        return self._inodes

    def _shares(self, kind: str) -> bool:
        return os.readlink(f"/proc/{self.number}/ns/{kind}") == _own_namespace(kind)


def processes(*programs: str) -> Iterator[Process]:
    """The processes of these names, or with executables of these names, by number.

    By both names: Debian's redis-server is a link to redis-check-rdb, PostgreSQL's postmaster a
    link to postgres.
    """
    names = kernel_names(programs)
    return scan(lambda program, file: program in names or file in programs)


def kernel_names(programs: Iterable[str]) -> Set[str]:
    """The kernel's names for processes of these programs, of ASCII, cut to 15 bytes."""
    return {each[:_NAME_BYTES] for each in programs}


def is_called(name: str, program: str) -> bool:
    """True if the kernel calls a process of that program so."""
    return name == program[:_NAME_BYTES]


def scan(is_wanted: Callable[[str, str], bool]) -> Iterator[Process]:
    """The processes whose name and whose executable's name are wanted."""
    for number in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):  # it has ended
            program, executable = _names(number)
            if is_wanted(program, os.path.basename(executable)):
                yield Process(number, program, executable)


@functools.lru_cache(maxsize=None)
def _own_namespace(kind: str) -> str:
    return os.readlink(f"/proc/self/ns/{kind}")


def _names(number: int) -> Tuple[str, str]:
    program = os.fsdecode(_read(f"/proc/{number}/comm", _STATUS_BYTES)[:-1])
    try:
        executable = os.readlink(f"/proc/{number}/exe")
    except OSError:
        return program, ""  # a thread of the kernel, or one whose file we may not see
    if executable.endswith(_DELETED):
        executable = executable[: -len(_DELETED)]
    return program, executable


def _host(address: bytes) -> str:
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return _ANY_ADDRESS.get(address) or socket.inet_ntop(family, address)


def _read(path: str, most_bytes: int) -> bytes:
    """At most so many bytes of a file of the kernel's.

    Raises:
        OSError: the process has ended.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while most_bytes > 0:
            piece = os.read(descriptor, most_bytes)
            if not piece:
                break
            pieces.append(piece)
            most_bytes -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)
