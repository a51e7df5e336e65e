"""One question and its answer over the holder's socket: JSON objects, one per line.

    client: {"verb": "freeze"}
    holder: {"wait_s": 25.0}                      how long the answer may take
    holder: {"error": [subject, attempt, cause, hint]} or {"is_held": true}
    client: {"kept": true}                        after a freeze: it got the answer

A client that goes away before its last line did not want what it asked for. This module and
`client.py` are all that the hook of QEMU's agent imports; they do without `typing`.
"""

import json
import socket
import time

MOST_BYTES = 4 * 1024 * 1024


class Connection:
    """One end."""

    def __init__(self, peer: socket.socket) -> None:
        self._socket = peer
        self._received = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *ignored: object) -> None:
        self._socket.close()

    def say(self, **content: object) -> None:
        """Send one object.

        Raises:
            OSError: the other end is gone, or does not read.
        """
        self._socket.settimeout(5)
        self._socket.sendall(json.dumps(content).encode() + b"\n")

    def hear(self, wait_s: float) -> dict:  # type: ignore[type-arg]
        """Receive one object; {} when the other end has closed.

        Raises:
            OSError: (socket.timeout) nothing came in time.
            ValueError: what came is not an object.
        """
        end_s = time.monotonic() + wait_s
        while b"\n" not in self._received:
            self._socket.settimeout(max(0.001, end_s - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                return {}
            self._received += data
            if len(self._received) > MOST_BYTES:
                raise ValueError("too long a line")
        line, _, self._received = self._received.partition(b"\n")
        heard = json.loads(line.decode())
        if not isinstance(heard, dict):
            raise ValueError("not an object")  # noqa: TRY004  as a broken line is
        return heard

    def is_gone(self) -> bool:
        """Whether the other end has closed, without waiting; what it sends meanwhile is kept."""
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._received += data
        return not data
