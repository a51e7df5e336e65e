"""A connection to Redis or Valkey: the part of its protocol (RESP2) that the driver needs.

`redis-cli` would do, but its start takes longer than all requests.
"""

import re
from typing import List, Union

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import CommandFailed, Senseless
from stillpoint_guest.sockets.bounded_socket import Address, BoundedSocket

Answer = Union[None, int, str, List["Answer"]]
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_DEEPEST = 4  # lists in lists; what is asked for here has one
_MOST_ELEMENTS = 1024  # of all lists of one answer
_LONGEST_CAUSE = 200


class RespConnection:
    """A connection; each request waits for its reply."""

    def __init__(self, subject: str, address: Address, deadline: Deadline) -> None:
        """Connects; errors are those of `BoundedSocket`."""
        self._subject = subject
        self.peer = BoundedSocket(subject, address, deadline)

    def ask(self, deadline: Deadline, *words: str) -> Answer:
        """The reply to a command.

        Raises:
            CommandFailed: the reply is an error.
            Senseless: the reply is none of this protocol, or longer than any can be.
            DeadlinePassed: no reply in time; the connection is of no use any more.
            SessionLost: the server has closed the connection.
        """
        attempt = " ".join(words[:2]) if words[0] in ("CLIENT", "CONFIG") else words[0]
        encoded = [word.encode() for word in words]
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        self.peer.say(b"*%d\r\n%s" % (len(parts), b"".join(parts)), attempt, deadline)
        return _Reading(self._subject, self.peer, attempt, deadline).answer()

    def close(self) -> None:
        """Never raises; may be called again."""
        self.peer.close()


class _Reading:
    """A partly received reply."""

    def __init__(self, subject: str, peer: BoundedSocket, attempt: str, deadline: Deadline) -> None:
        self._subject = subject
        self._peer = peer
        self._attempt = attempt
        self._deadline = deadline
        self._elements = 0

    def answer(self, depth: int = 0) -> Answer:
        """See `Connection.ask`."""
        line = self._peer.line(self._attempt, self._deadline)
        kind, rest = line[:1], line[1:].decode(errors="replace")
        if kind == b"-":
            raise CommandFailed(self._subject, self._attempt, rest[:_LONGEST_CAUSE])
        if kind == b"+":
            return rest
        if kind not in b":$*" or not _NUMBER.fullmatch(rest):
            raise self._senseless(f"{kind + rest.encode()[:40]!r}")
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        return self._list(number, depth) if kind == b"*" else self._text(number)

    def _list(self, count: int, depth: int) -> Answer:
        self._elements += count
        if depth == _DEEPEST or self._elements > _MOST_ELEMENTS:
            raise self._senseless("lists without end")
        return [self.answer(depth + 1) for _ in range(count)]

    def _text(self, count: int) -> str:
        read = self._peer.exactly(count + 2, self._attempt, self._deadline)
        if not read.endswith(b"\r\n"):
            raise self._senseless(f"text of another length than {count}")
        return read[:-2].decode(errors="replace")

    def _senseless(self, why: str) -> Senseless:
        return Senseless(self._subject, self._attempt, f"its answer makes no sense: {why}")
