"""The first line of a plugin process.

go-plugin reads exactly one line from its child's standard output and treats anything before as
fatal (hashicorp/go-plugin v1.7.0, client.go:837). So the descriptor is kept for that line alone,
and whatever else prints to standard output ends up on standard error.
"""

import os
import sys
from collections.abc import Mapping

COOKIE = ("VELERO_PLUGIN", "hello")
CORE_PROTOCOL = 1
VELERO_PROTOCOL = 2

NOT_STARTED_BY_VELERO = """\
stillpoint is a plugin: Velero starts it and speaks to it. There is nothing to run by hand.

  to register it   velero plugin add IMAGE, or spec.configuration.velero.customPlugins of a
                   DataProtectionApplication
  to try it        stillpoint --help
"""


def is_started_by_velero(environment: Mapping[str, str]) -> bool:
    """True if the parent is a Velero server, and not a person."""
    name, value = COOKIE
    return environment.get(name) == value


def take_standard_output() -> int:
    """Keeps standard output for the handshake and points descriptor 1 at standard error.

    Returns:
        A descriptor for `announce`.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def announce(descriptor: int, address: str) -> None:
    """Sends the parent the address of the socket, then closes the descriptor.

    Args:
        descriptor: from `take_standard_output`.
        address: path of a Unix socket.
    """
    line = f"{CORE_PROTOCOL}|{VELERO_PROTOCOL}|unix|{address}|grpc\n"
    os.write(descriptor, line.encode())
    os.close(descriptor)
