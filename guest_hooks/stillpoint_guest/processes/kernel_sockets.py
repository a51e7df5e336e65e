"""Sockets that accept connections, by the kernel.

The text of /proc/net/unix has names as they are, and a name with a line end makes a line of
anybody's. The tables of TCP are text too, but of numbers only.
"""

import os
import socket
import struct
import time
from typing import Container, Dict, Iterator, NamedTuple, Sequence, Tuple

_LISTENS = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_LISTENING = 1 << 0x0A
_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBHIIIII")  # unix_diag_req
_REPLY = struct.Struct("=BBBBIII")  # unix_diag_msg: ..., inode, cookie
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type
_NAME = 0  # UNIX_DIAG_NAME
_SHOW_NAME = 1
_ANY = 0xFFFFFFFF
_WHOLE_S = 3.0  # half a million sockets take one
_ACCEPTS = 0x10000  # __SO_ACCEPTCON in include/linux/net.h
_MOST_BYTES = 16 * 1024 * 1024
_MOST_DESCRIPTORS = 100000


class Listener(NamedTuple):
    """A TCP socket that accepts connections."""

    address: bytes  # 4 or 16 bytes
    port: int
    user: int  # who made it
    inode: int


def tcp_listeners(folder: str = "/proc/self/net") -> Iterator[Listener]:
    """The TCP listeners of a network namespace, ours or that of a process (`/proc/PID/net`)."""
    for name in ("tcp", "tcp6"):
        try:
            file = open(f"{folder}/{name}", encoding="ascii")  # noqa: SIM115  may be absent
        except FileNotFoundError:
            continue  # a kernel without IPv6
        with file:
            next(file, "")  # the heading
            for line in file:
                fields = line.split()
                if fields[3] != _LISTENS:
                    break  # the kernel shows those first
                yield _listener(fields)


def unix_listeners(inodes: Container[int]) -> Dict[int, str]:
    """Names of these UNIX sockets of our network namespace, by inode; "" for a nameless socket.

    Raises:
        OSError: this kernel cannot be asked, or does not answer in time.
    """
    asked = _REQUEST.pack(socket.AF_UNIX, 0, 0, _LISTENING, 0, _SHOW_NAME, _ANY, _ANY)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(_WHOLE_S)
        end_s = time.monotonic() + _WHOLE_S
        kernel.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _DUMP, 1, 0) + asked)
        found: Dict[int, str] = {}
        while time.monotonic() < end_s:
            for kind, message in _messages(kernel.recv(1 << 16)):
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", message)[0]
                    raise OSError(number, os.strerror(number))
                inode = _REPLY.unpack_from(message)[4]
                if inode in inodes:
                    found[inode] = _name(message)
    raise OSError("the kernel does not come to an end with its sockets")


def unix_listeners_by_text(folder: str, inodes: Container[int]) -> Dict[int, str]:
    """The same from text, if netlink fails: anybody may have written these names.

    Raises:
        OSError: the file cannot be read.
    """
    found: Dict[int, str] = {}
    with open(f"{folder}/unix", "rb") as file:
        for line in file.read(_MOST_BYTES).split(b"\n")[1:]:
            fields = line.split(None, 7)
            try:
                is_one = int(fields[3], 16) & _ACCEPTS and int(fields[6]) in inodes
            except (IndexError, ValueError):
                continue  # a part of a name
            if is_one:
                found[int(fields[6])] = os.fsdecode(fields[7]) if fields[7:] else ""
    return found


def inodes_of(process: int) -> Sequence[int]:
    """The open sockets of a process.

    Raises:
        OSError: the process has ended.
    """
    inodes = []
    with os.scandir(f"/proc/{process}/fd") as descriptors:
        for number, descriptor in enumerate(descriptors):
            if number == _MOST_DESCRIPTORS:
                break
            try:
                target = os.readlink(descriptor.path)
            except FileNotFoundError:
                continue  # closed meanwhile
            if target.startswith("socket:["):
                inodes.append(int(target[len("socket:[") : -1]))
    return inodes


def _listener(fields: Sequence[str]) -> Listener:
    written, _, port = fields[1].partition(":")
    words = [int(written[at : at + 8], 16) for at in range(0, len(written), 8)]
    address = struct.pack(f"={len(words)}I", *words)
    return Listener(address, int(port, 16), int(fields[7]), int(fields[9]))


def _messages(data: bytes) -> Iterator[Tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _name(message: bytes) -> str:
    """A path as it was bound; an abstract name begins with a zero byte."""
    rest = message[_REPLY.size :]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if kind == _NAME:
            name = rest[_ATTRIBUTE.size : length]
            return os.fsdecode(name[:1] + name[1:].rstrip(b"\0"))
        rest = rest[(length + 3) & ~3 :]
    return ""
