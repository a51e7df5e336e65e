"""What runs on this guest, read from /proc: nothing is asked, connected to or changed."""

import os
import re
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

_LISTENS = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_ACCEPTS = 0x10000  # __SO_ACCEPTCON in include/linux/net.h


class Process(NamedTuple):
    """A program that runs."""

    number: int
    program: str  # as it was called: "postgres"
    arguments: Tuple[str, ...]
    user: int
    folder: str  # its working directory, as it sees it

    @property
    def is_in_container(self) -> bool:
        """Whether its paths and ports are not ours."""
        return _namespaces(str(self.number)) != _namespaces("self")

    @property
    def number_inside(self) -> int:
        """Its number as it sees itself, which in a container is another."""
        with open(f"/proc/{self.number}/status") as file:
            found = re.search(r"^NSpid:.*\s(\d+)$", file.read(), re.MULTILINE)
        return int(found.group(1)) if found else self.number

    def sockets(self) -> Sequence[str]:
        """The paths of the UNIX sockets that it accepts connections on."""
        inodes = _socket_inodes(self.number)
        found = []
        for line in _lines(f"/proc/{self.number}/net/unix"):
            fields = line.split(None, 7)
            is_path = len(fields) == 8 and fields[7].startswith("/")
            if is_path and int(fields[3], 16) & _ACCEPTS and fields[6] in inodes:
                found.append(fields[7])
        return sorted(found)

    def ports(self) -> Sequence[int]:
        """The TCP ports that it accepts connections on, at an address that we can reach."""
        inodes = _socket_inodes(self.number)
        found = set()
        for table in ("tcp", "tcp6"):
            for line in _lines(f"/proc/{self.number}/net/{table}"):
                fields = line.split()
                if fields[3] == _LISTENS and fields[9] in inodes:
                    found.add(int(fields[1].rpartition(":")[2], 16))
        return sorted(found)


def processes(*programs: str) -> Iterator[Process]:
    """The processes that were started by one of these names, the oldest first.

    Not by the name of the file: Debian's redis-server is a link to redis-check-rdb.
    """
    for number in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        process = _process(number)
        if process and process.program in programs:
            yield process


def _process(number: int) -> Optional[Process]:
    folder = f"/proc/{number}"
    try:
        with open(f"{folder}/comm") as file:
            program = file.read().strip()
        with open(f"{folder}/cmdline", "rb") as file:
            arguments = file.read().decode(errors="replace").rstrip("\0").split("\0")
        user = os.stat(folder).st_uid
        working = os.readlink(f"{folder}/cwd")
    except OSError:
        return None  # it has ended, or it is a thread of the kernel, or somebody else's
    return Process(number, program, tuple(arguments), user, working)


def _namespaces(number: str) -> Sequence[str]:
    """Not the one of mounts: systemd gives a service its own for PrivateTmp."""
    return [os.readlink(f"/proc/{number}/ns/{kind}") for kind in ("pid", "net")]


def _socket_inodes(number: int) -> Sequence[str]:
    inodes = []
    for descriptor in os.listdir(f"/proc/{number}/fd"):
        try:
            target = os.readlink(f"/proc/{number}/fd/{descriptor}")
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            inodes.append(target[len("socket:[") : -1])
    return inodes


def _lines(path: str) -> List[str]:
    """All but the heading."""
    with open(path, errors="replace") as file:
        return file.read().splitlines()[1:]
