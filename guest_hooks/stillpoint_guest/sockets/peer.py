"""Verifies the peer by the kernel, before a client is started or a secret goes out.

Anybody may listen on a free port, and on a socket of any name in /tmp. So a path counts only if
nobody else can put another socket there, and a connection only by its listener.
"""

import contextlib
import os
import re
import socket
import stat
import struct
from typing import NamedTuple, Optional, Sequence

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import DeadlinePassed, Unreachable
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes import accounts
from stillpoint_guest.processes.kernel_sockets import Listener, tcp_listeners
from stillpoint_guest.sockets.bounded_socket import connect
from stillpoint_guest.worker import within

_CONNECT_S = 1.0  # for one that is busy
_NAME_S = 1.0  # for the addresses of a name
_MAPPED = b"\0" * 10 + b"\xff" * 2  # before an IPv4 address that is written as one of IPv6
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_EFFECTIVE = re.compile(rb"^Uid:\s+\d+\s+(\d+)", re.MULTILINE)
_IPV4_BYTES = 4
_LOOPBACK = {4: b"\x7f\0\0\1", 16: b"\0" * 15 + b"\1"}  # where the kernel goes for "any address"
Users = Optional[Sequence[int]]


class Peer(NamedTuple):
    """The process that called listen() on a UNIX socket."""

    process: int  # 0: not in our namespace
    user: int


def user_of(process: int) -> int:
    """The process's user; /proc/PID itself belongs to root where it may not be dumped.

    Raises:
        Unreachable: the process has ended.
    """
    try:
        with open(f"/proc/{process}/status", "rb") as file:
            found = _EFFECTIVE.search(file.read(4096))
    except OSError:
        found = None
    if not found:
        raise Unreachable(f"process {process}", "look who it is", "it has ended")
    return int(found.group(1))


def users(section: Section) -> Users:
    """Users that may listen for an application, besides root; None: any system account.

    That is the user of the found process, or the section's `system_user`.

    Raises:
        Unreachable: the process has ended, or there is no such user.
    """
    if section.process:
        return [user_of(section.process)]
    account = section.text("system_user")
    if not account:
        return None
    found = accounts.number_of(account)
    if found is None:
        attempt = f"look up system_user = {account}"
        raise Unreachable(section.name, attempt, "there is no such account")
    return [found]


def require_socket(path: str, process: int = 0, user: Optional[int] = None) -> None:
    """Goes on only if the right process listens on a UNIX socket that nobody else can replace.

    Connects, once, and sends nothing: for a client that connects by itself. Drivers with a
    connection of their own call `require_path` and `require_peer`. `/proc/PID/root/...` is a path
    as others are.

    Args:
        path: absolute, as the client's.
        process: the listener (or root listens for it); 0: any.
        user: of the listener; None: the process's, and without a process any system account. Root
            is always good.

    Raises:
        Unreachable: nobody listens there, it is somebody else, or somebody else can write a folder
            or a link on the way.
    """
    expected = user_of(process) if user is None and process else user
    require_path(path, None if expected is None else [expected])
    try:
        connection = connect(path, _CONNECT_S)
    except BlockingIOError as error:
        raise Unreachable(path, "connect to it", "it accepts nothing in time") from error
    except OSError as error:
        cause = error.strerror or str(error)
        raise Unreachable(path, "connect to it", cause) from error
    with contextlib.closing(connection):
        require_peer(connection, path, process, expected)


def require_peer(
    connection: socket.socket, path: str, process: int = 0, user: Optional[int] = None
) -> None:
    """Goes on only if the right process is the peer of a connected UNIX socket.

    Arguments and errors are those of `require_socket`.
    """
    expected = user_of(process) if user is None and process else user
    peer = peer_of(connection)
    _require_user(path, peer.user, None if expected is None else [expected])
    is_another = process != 0 and peer.user != 0 and peer.process not in (0, process)
    if is_another and os.path.exists(f"/proc/{peer.process}"):  # else: it listened, and forked
        cause = f"process {peer.process} listens there, not {process}"
        raise Unreachable(path, "trust who listens", cause)


def peer_of(connection: socket.socket) -> Peer:
    """The listening peer; it may have ended, and others may listen with it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(credentials)
    return Peer(process, user)


def require_listener(host: str, port: int, users: Users = None) -> None:
    """Goes on only if the right users listen on a TCP port of this machine.

    An address of another machine is not looked at: only TLS can say who answers there.

    Args:
        host: an address or a name, as the client's.
        port: of the server.
        users: or root, for each address of the name at which somebody listens; None: any system
            account.

    Raises:
        Unreachable: nobody listens, or somebody else does.
    """
    where = f"{host}:{port}"
    own = own_addresses(host, port)
    found = [(address, each) for address in own for each in listeners(address, port)]
    if own and not found:
        raise Unreachable(where, "look who listens", "nobody does")
    right = [address for address, each in found if _is_right(each.user, users)]
    hint = f"name the address that is meant, {_text(right[0])}" if right else ""
    for _, listener in found:
        _require_user(where, listener.user, users, hint)


def own_addresses(host: str, port: int) -> Sequence[bytes]:
    """The addresses of a host, as bytes, that are this machine's.

    Raises:
        Unreachable: they cannot be looked up.
    """
    return [address for address in _addresses(host, port) if _is_here(address)]


def listeners(address: bytes, port: int) -> Sequence[Listener]:
    """Sockets of our network namespace that may get a connection to that address.

    Followed: compute_score in Linux' net/ipv4/inet_hashtables.c and net/ipv6/inet6_hashtables.c: a
    socket of that address goes before a socket of every address, and IPv4 before both.
    """
    found = [(_score(each, address), each) for each in tcp_listeners() if each.port == port]
    best = max((score for score, _ in found), default=0)
    return [each for score, each in found if score == best > 0]


def _score(listener: Listener, address: bytes) -> int:
    is_same_family = len(listener.address) == len(address)
    mapped = address if is_same_family else _MAPPED + address
    if len(mapped) < len(listener.address) or not (is_same_family or len(address) == _IPV4_BYTES):
        return 0
    if mapped == listener.address:
        return 3 + is_same_family
    return 0 if any(listener.address) else 1 + is_same_family


def _addresses(host: str, port: int) -> Sequence[bytes]:
    where, attempt = f"{host}:{port}", "look up its address"
    deadline = Deadline.after(_NAME_S)
    try:
        found = within(
            deadline,
            where,
            attempt,
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
        )
    except DeadlinePassed as error:
        raise Unreachable(where, attempt, error.cause) from error
    except (OSError, UnicodeError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise Unreachable(where, attempt, cause) from error
    packed = (
        socket.inet_pton(family, str(address[0]).partition("%")[0])
        for family, _, _, _, address in found
    )
    return [each if any(each) else _LOOPBACK[len(each)] for each in packed]


def _family(address: bytes) -> int:
    return socket.AF_INET if len(address) == _IPV4_BYTES else socket.AF_INET6


def _text(address: bytes) -> str:
    return socket.inet_ntop(_family(address), address)


def _is_here(address: bytes) -> bool:
    """True if an address is this machine's: only to such can a socket be bound."""
    with contextlib.closing(socket.socket(_family(address), socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((_text(address), 0))
        except OSError:
            return False
    return True


def require_path(path: str, users: Users) -> None:
    """Goes on only if root or these users alone can choose the socket of a path.

    Each component is looked at as it is written; `users` is as for `require_listener`.

    Raises:
        Unreachable: there is no socket, or somebody else can write a folder or a link on the way.
    """
    try:
        for one in trust.components(path):
            fault = trust.fault_of(one, lambda user: _is_right(user, users), accounts.is_own_group)
            if fault:
                is_another = not _is_right(one.status.st_uid, users)
                hint = _hint(one.status.st_uid) if is_another else fault.hint
                raise Unreachable(path, "trust it", fault.cause, hint)
    except OSError as error:
        raise Unreachable(path, "look at it", error.strerror or str(error)) from error
    if not stat.S_ISSOCK(one.status.st_mode):
        raise Unreachable(path, "look at it", "it is no socket")


def _require_user(where: str, user: int, users: Users, hint: str = "") -> None:
    if not _is_right(user, users):
        right = "an account of the system"
        if users is not None:
            right = " or ".join(map(accounts.name_of, users))
        cause = f"user {accounts.name_of(user)} listens there, not {right}"
        raise Unreachable(where, "trust who listens", cause, hint or _hint(user))


def _is_right(user: int, users: Users) -> bool:
    if user == 0:
        return True
    return accounts.is_system_account(user) if users is None else user in users


def _hint(user: int) -> str:
    return f"if that is right, say so in its section: system_user = {accounts.name_of(user)}"
