"""Lines for the system's log, kept in memory while the disk that would hold them may be frozen.

A logger that writes to /dev/log blocks once journald waits for a frozen disk: after 168 messages
with a persistent journal it stood still for 14.7 s. So a line is only remembered, and sent later
without ever waiting.
"""

import collections
import contextlib
import os
import socket
import threading
from typing import Deque, Tuple

_MOST_LINES = 1000
INFO = 6  # priorities of syslog
WARNING = 4
ERROR = 3
_DAEMON = 3 << 3


class Log:
    """Remembers lines, and sends them when it is asked to."""

    def __init__(self, address: str = "/dev/log") -> None:
        self._address = address
        self._lines: Deque[Tuple[int, str]] = collections.deque(maxlen=_MOST_LINES)
        self._sending = threading.Lock()

    def say(self, text: str, priority: int = INFO) -> None:
        """Remember one line; of more than a thousand the oldest are dropped."""
        self._lines.append((priority, " ".join(text.split())))

    def flush(self) -> bool:
        """Send what can be sent without waiting; the rest stays.

        Returns:
            Whether nothing is left.
        """
        with self._sending, contextlib.suppress(OSError), socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM
        ) as log:
            log.setblocking(False)
            log.connect(self._address)
            while self._lines:
                priority, text = self._lines[0]
                log.send(f"<{_DAEMON | priority}>stillpoint-guest[{os.getpid()}]: {text}".encode())
                self._lines.popleft()
        return not self._lines
