"""A request and its reply over the holder's socket: lines of `key=value`, tabs between them.

    client: verb=freeze                 run's besides: is_leashed=1, filesystems=a JSON list
    holder: wait_s=25.0                 how long the reply may take
    holder: is_held=1                   or subject=... attempt=... error=the cause hint=...
    client: kept=1                      after a freeze: it got the reply

A client that goes away before its last line has withdrawn its request. The hook of QEMU's
agent starts while the guest waits, and imports this module, `client`, `errors` and `places`, and
nothing that imports much: `socket` and `json` alone would double its CPU, `contextlib` and `typing`
each add half of a bare Python.
"""

import _socket
import errno
import posix
import time

from stillpoint_guest.places import Places

_CONNECT_S = 5.0
_LOOK_S = 0.02
MOST_BYTES = 16 * 1024 * 1024  # above the largest record
_TEXT = ("utf-8", "surrogateescape")  # a path may be any bytes
_ONE_LINE = {ord("\t"): " ", ord("\n"): " "}


class Connection:
    """An end of the connection."""

    def __init__(self, peer: _socket.socket) -> None:
        self._socket = peer
        self._received = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *ignored: object) -> None:
        self._socket.close()

    def say(self, **content: str) -> None:
        """Sends a line; tabs and line ends in a value arrive as blanks.

        Raises:
            OSError: the other end is gone, or does not read.
        """
        fields = [f"{key}={value.translate(_ONE_LINE)}" for key, value in content.items()]
        self._socket.settimeout(5)
        self._socket.sendall("\t".join(fields).encode(*_TEXT) + b"\n")

    def hear(self, wait_s: float, most_bytes: int = MOST_BYTES) -> "dict[str, str]":
        """Receives a line; {} when the other end has closed.

        Raises:
            OSError: (a timeout) nothing came in time.
            ValueError: the line is invalid.
        """
        end_s = time.monotonic() + wait_s
        while b"\n" not in self._received:
            self._socket.settimeout(max(0.001, end_s - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                return {}
            self._received += data
            if len(self._received) > most_bytes:
                raise ValueError("too long a line")
        line, _, self._received = self._received.partition(b"\n")
        return dict(_pair(field) for field in line.decode(*_TEXT).split("\t"))

    def is_gone(self) -> bool:
        """True if the other end has closed, without waiting; received bytes are kept."""
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._received += data
        return not data


def _pair(field: str) -> "tuple[str, str]":
    key, equals, value = field.partition("=")
    if not equals:
        raise ValueError(f"not key=value: {field[:80]!r}")
    return key, value


def connect(places: Places) -> _socket.socket:
    """A socket to the holder.

    Raises:
        OSError: there is none.
    """
    peer = _socket.socket(_socket.AF_UNIX)
    try:
        peer.settimeout(_CONNECT_S)
        _connect(peer, places.socket)
    except OSError:
        peer.close()
        raise
    return peer


def _connect(peer: _socket.socket, path: str) -> None:
    """Connects, and waits in the queue of a holder that has many clients: the kernel does not."""
    end_s = time.monotonic() + _CONNECT_S
    number = peer.connect_ex(path)
    while number == errno.EAGAIN and time.monotonic() < end_s:
        time.sleep(_LOOK_S)
        number = peer.connect_ex(path)
    if number:
        raise OSError(number, posix.strerror(number))
