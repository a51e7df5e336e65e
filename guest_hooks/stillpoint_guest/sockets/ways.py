"""The sockets that a way leads to, by keys that tell them from all others of this machine."""

import os
from typing import FrozenSet, Tuple, Union

from stillpoint_guest.errors import Unreachable
from stillpoint_guest.sockets import peer

Way = Union[str, Tuple[str, int]]  # the path of a socket, or a host and a port
Key = Tuple[int, ...]  # a socket that accepts connections: its inode, or device and inode of a path


def keys_of(way: Way) -> FrozenSet[Key]:
    """Sockets of a way; none where nobody listens, or the address is not this machine's."""
    try:
        if isinstance(way, str):
            return frozenset([file_key(way)])
        host, port = way
        addresses = peer.own_addresses(host, port)
        return frozenset(
            (each.inode,) for address in addresses for each in peer.listeners(address, port)
        )
    except (OSError, Unreachable):
        return frozenset()


def file_key(path: str) -> Key:
    """The key of the socket at a path.

    Raises:
        OSError: nothing is there.
    """
    status = os.stat(path)
    return status.st_dev, status.st_ino
