"""A connection to Redis or Valkey: its protocol (RESP2), as far as the driver needs it.

`redis-cli` would do, but takes longer to start than everything it is asked.
"""

import socket
from typing import List, Tuple, Union

from guest_hooks.deadline import Deadline
from guest_hooks.errors import CommandFailed, DeadlinePassed, SessionLost

Address = Union[str, Tuple[str, int]]  # a socket's path, or host and port
Answer = Union[None, int, str, List["Answer"]]
_PIECE_BYTES = 65536


class Connection:
    """One connection; a question waits for its answer."""

    def __init__(self, subject: str, address: Address, deadline: Deadline) -> None:
        """Connect.

        Raises:
            CommandFailed: nobody listens there.
            DeadlinePassed: nobody answers.
        """
        self._subject = subject
        self._unread = b""
        self._where = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(max(0.01, deadline.left_s))
        try:
            self._socket.connect(address)
        except socket.timeout as error:
            self._socket.close()
            raise DeadlinePassed(subject, f"connect to {self._where}", "no answer") from error
        except OSError as error:
            self._socket.close()
            cause = error.strerror or str(error)
            raise CommandFailed(subject, f"connect to {self._where}", cause) from error

    def ask(self, deadline: Deadline, *words: str) -> Answer:
        """The answer to a command.

        Raises:
            CommandFailed: the answer is an error.
            DeadlinePassed: there is none in time; the connection is of no use any more.
            SessionLost: the server has closed it.
        """
        attempt = " ".join(words[:2]) if words[0] in ("CLIENT", "CONFIG") else words[0]
        encoded = [word.encode() for word in words]
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        try:
            self._socket.settimeout(max(0.01, deadline.left_s))
            self._socket.sendall(b"*%d\r\n%s" % (len(parts), b"".join(parts)))
            return self._answer(deadline, attempt)
        except socket.timeout as error:
            cause = f"no answer from {self._where} in time"
            raise DeadlinePassed(self._subject, attempt, cause) from error
        except OSError as error:
            cause = f"{self._where}: {error.strerror or error}"
            raise SessionLost(self._subject, attempt, cause) from error

    def close(self) -> None:
        """Never raises; may be called again."""
        self._socket.close()

    def _answer(self, deadline: Deadline, attempt: str) -> Answer:
        line = self._until_line_end(deadline)
        kind, rest = line[:1], line[1:].decode(errors="replace")
        if kind == b"-":
            raise CommandFailed(self._subject, attempt, rest)
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if rest == "-1":
            return None
        if kind == b"*":
            return [self._answer(deadline, attempt) for _ in range(int(rest))]
        return self._bytes(int(rest) + 2, deadline)[:-2].decode(errors="replace")

    def _until_line_end(self, deadline: Deadline) -> bytes:
        while b"\r\n" not in self._unread:
            self._receive(deadline)
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def _bytes(self, count: int, deadline: Deadline) -> bytes:
        while len(self._unread) < count:
            self._receive(deadline)
        piece, self._unread = self._unread[:count], self._unread[count:]
        return piece

    def _receive(self, deadline: Deadline) -> None:
        self._socket.settimeout(max(0.01, deadline.left_s))
        piece = self._socket.recv(_PIECE_BYTES)
        if not piece:
            raise OSError("closed by the server")
        self._unread += piece
