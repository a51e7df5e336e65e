"""Processes of other users, and what they listen on; Python 3.6, as everything in this folder."""

import contextlib
import os
import pwd
import signal
import socket
import unittest
from typing import Callable, Iterator, List

from stillpoint_guest.processes import accounts

DAEMON = pwd.getpwnam("daemon").pw_uid  # an account of the system that nobody uses
OTHER = pwd.getpwnam("bin").pw_uid
NOBODY = accounts.NOBODY
AS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root can be several users")


@contextlib.contextmanager
def other(user: int, action: Callable[..., object], *arguments: object) -> Iterator[int]:
    """A process of that user that has done something, and waits."""
    done, told = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            kept = action(*arguments)
            os.write(told, b"1")
            signal.pause()
            del kept
        os._exit(1)
    os.close(told)
    try:
        assert os.read(done, 1) == b"1", "it could not do that"
        yield child
    finally:
        os.close(done)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def listening(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    os.chmod(path, 0o777)
    made.listen(5)
    return made


def listening_at(host: str, port: int = 0) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((host, port))
    made.listen(5)
    return made


_reserved: List[socket.socket] = []


def free_port() -> int:
    """A port on which nobody listens, and which nobody gets who asks for any.

    A socket that does not listen stays bound to it: whoever binds this very one has to allow that,
    by SO_REUSEADDR.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _reserved.append(kept)
    port: int = kept.getsockname()[1]
    return port
