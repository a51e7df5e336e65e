"""Lines for the system's log, kept in memory while the disk that would hold them may be frozen.

A logger that writes to /dev/log blocks once journald waits for a frozen disk: after 168 messages
with a persistent journal a test stood still for 14.7 s. So a line is only remembered, and sent
later without ever waiting.
"""

import collections
import contextlib
import errno
import os
import socket
import threading
from typing import Deque, Tuple

from stillpoint_guest.printable import printable

_MOST_LINES = 1000
_MOST_BYTES = 1980  # of one, so that 2 KB are enough with its head: far below any datagram's limit
INFO = 6  # priorities of syslog
WARNING = 4
ERROR = 3
_DAEMON = 3 << 3
_LATER = (  # it is full, or ends just now, or we have no memory: another time
    errno.EAGAIN,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ENOTCONN,
    errno.EPIPE,
)


class Log:
    """Remembers lines, and sends them on `flush`."""

    def __init__(self, address: str = "/dev/log") -> None:
        self._address = address
        self._lines: Deque[Tuple[int, str]] = collections.deque(maxlen=_MOST_LINES)
        self._dropped = 0
        self._sending = threading.Lock()

    def say(self, text: str, priority: int = INFO) -> None:
        """Remembers a line, printable and of at most 2 KB; of more than a thousand the last."""
        self._dropped += len(self._lines) == _MOST_LINES
        self._lines.append((priority, printable(" ".join(text.split()), _MOST_BYTES)))

    def flush(self) -> bool:
        """Sends lines without waiting; the rest stays. Never raises.

        A line that the log never takes is dropped and counted, as it would block the others.

        Returns:
            True if nothing is left.
        """
        with self._sending, contextlib.suppress(OSError), socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM
        ) as log:
            log.setblocking(False)
            log.connect(self._address)
            while self._lines:
                self._send(log, *self._lines[0])
                self._lines.popleft()
            if self._dropped:
                count = self._dropped
                self._send(log, WARNING, f"{count} lines were dropped: too many, or not taken")
                self._dropped -= count
        return not self._lines and not self._dropped

    def _send(self, log: socket.socket, priority: int, text: str) -> None:
        try:
            log.send(f"<{_DAEMON | priority}>stillpoint-guest[{os.getpid()}]: {text}".encode())
        except OSError as error:
            if error.errno in _LATER:
                raise
            self._dropped += 1
