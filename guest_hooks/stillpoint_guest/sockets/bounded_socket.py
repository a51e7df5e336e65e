"""A connection of ours to somebody else's server: no reply outlasts its deadline or fills memory.

A socket's own time-out is for a single piece: a server that sends a byte a second never exceeds it.
"""

import contextlib
import socket
import struct
from typing import Any, Tuple, Union

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import CommandFailed, DeadlinePassed, Senseless, SessionLost

Address = Union[str, Tuple[str, int]]  # a socket's path, or host and port
_MOST_BYTES = 1024 * 1024  # of one answer; Redis' INFO is 5 KB
_PIECE_BYTES = 65536
_LEAST_S = 0.01  # a time-out of 0 would be none


class BoundedSocket:
    """A connection; errors name subject and attempt."""

    def __init__(self, subject: str, address: Address, deadline: Deadline) -> None:
        """Connects; nothing is sent yet, so that the peer can be verified.

        Raises:
            CommandFailed: nobody listens there.
            DeadlinePassed: nobody answers.
        """
        self._subject = subject
        self._unread = bytearray()
        self._left_bytes = _MOST_BYTES
        self.where = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
        attempt = f"connect to {self.where}"
        try:
            self.socket = _to(address, deadline)
        except (socket.timeout, BlockingIOError) as error:
            raise DeadlinePassed(subject, attempt, "no answer") from error
        except (OSError, UnicodeError, OverflowError) as error:  # of a name or a port
            raise CommandFailed(subject, attempt, _cause(error)) from error

    def encrypt(self, context: Any, host: str, attempt: str, deadline: Deadline) -> None:
        """Goes on in TLS, with an `ssl.SSLContext`.

        Raises:
            CommandFailed: the server's certificate is not trusted, or it speaks no TLS.
            DeadlinePassed: not done in time.
        """
        self.socket.settimeout(max(_LEAST_S, deadline.remaining_s))
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        except socket.timeout as error:
            raise DeadlinePassed(self._subject, attempt, "no answer") from error
        except OSError as error:
            raise CommandFailed(self._subject, attempt, _cause(error)) from error

    def say(self, data: bytes, attempt: str, deadline: Deadline) -> None:
        """Sends a request, after which the bound of the reply's bytes starts again.

        Raises:
            DeadlinePassed: the server does not take it in time.
            SessionLost: the server has closed the connection.
        """
        self._left_bytes = _MOST_BYTES
        try:
            self.socket.settimeout(max(_LEAST_S, deadline.remaining_s))
            self.socket.sendall(data)
        except OSError as error:
            raise self._error(error, attempt) from error

    def line(self, attempt: str, deadline: Deadline) -> bytes:
        """The bytes up to the next line end, without it.

        Raises:
            DeadlinePassed: the line is not complete in time.
            Senseless: the reply is longer than any can be.
            SessionLost: the server has closed the connection.
        """
        begin = 0
        while True:
            end = self._unread.find(b"\r\n", begin)
            if end >= 0:
                line = bytes(self._unread[:end])
                del self._unread[: end + 2]
                return line
            begin = max(0, len(self._unread) - 1)
            if not self._receive(attempt, deadline):
                raise self._error(OSError("closed by the server"), attempt)

    def exactly(self, count: int, attempt: str, deadline: Deadline) -> bytes:
        """So many bytes; errors as in `line`."""
        if count > _MOST_BYTES:
            raise self._senseless(f"it announces {count} bytes", attempt)
        while len(self._unread) < count:
            if not self._receive(attempt, deadline):
                raise self._error(OSError("closed by the server"), attempt)
        piece = bytes(self._unread[:count])
        del self._unread[:count]
        return piece

    def rest(self, attempt: str, deadline: Deadline) -> bytes:
        """All up to the end of the connection; errors as in `line`."""
        while self._receive(attempt, deadline):
            pass
        return bytes(self._unread)

    def close(self) -> None:
        """Never raises; may be called again."""
        self.socket.close()

    def _receive(self, attempt: str, deadline: Deadline) -> bool:
        """Receives a piece; False at the end."""
        deadline.require(self._subject, attempt)
        self.socket.settimeout(max(_LEAST_S, deadline.remaining_s))
        try:
            piece = self.socket.recv(_PIECE_BYTES)
        except OSError as error:
            raise self._error(error, attempt) from error
        self._unread += piece
        self._left_bytes -= len(piece)
        if self._left_bytes < 0:
            raise self._senseless(f"it is longer than {_MOST_BYTES} bytes", attempt)
        return bool(piece)

    def _error(self, error: OSError, attempt: str) -> "Union[DeadlinePassed, SessionLost]":
        if isinstance(error, socket.timeout):
            cause = f"no answer from {self.where} in time"
            return DeadlinePassed(self._subject, attempt, cause)
        return SessionLost(self._subject, attempt, f"{self.where}: {_cause(error)}")

    def _senseless(self, why: str, attempt: str) -> Senseless:
        return Senseless(self._subject, attempt, f"its answer makes no sense: {why}")


def connect(path: str, wait_s: float) -> socket.socket:
    """A connection to a UNIX socket; with a time-out, for a busy listener is no error.

    Raises:
        BlockingIOError: not accepted in that time.
        OSError: nobody listens.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        whole_s = int(wait_s)
        wait = struct.pack("ll", whole_s, int((wait_s - whole_s) * 1e6) or 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)  # 0 would be none
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _to(address: Address, deadline: Deadline) -> socket.socket:
    """A connection to the first address, of IPv4 or IPv6, at which somebody listens."""
    if isinstance(address, str):
        return connect(address, max(_LEAST_S, deadline.remaining_s))
    host, port = address
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    *others, last = [(family, one) for family, _, _, _, one in found]
    for family, one in others:
        with contextlib.suppress(OSError):
            return _connect_to(family, one, deadline)
    return _connect_to(*last, deadline)


def _connect_to(family: int, address: Any, deadline: Deadline) -> socket.socket:
    connection = socket.socket(family)
    try:
        connection.settimeout(max(_LEAST_S, deadline.remaining_s))
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
