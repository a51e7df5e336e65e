"""The three pipes of a child process, moved without ever waiting longer than a deadline."""

import contextlib
import fcntl
import os
import select
import subprocess
from typing import IO, List, Optional

from stillpoint_guest.deadline import Deadline

_AT_ONCE_BYTES = 65536
MOST_BYTES = 1024 * 1024  # of one stream; what a program prints beyond it is read and dropped
_LOOK_S = 0.05  # a background child may keep the pipes open when the program itself has ended


class Stream:
    """The output of a pipe."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.is_at_end = False
        self._received = b""

    def receive(self) -> None:
        """Reads what is there, once."""
        try:
            data = os.read(self.file.fileno(), _AT_ONCE_BYTES)
        except BlockingIOError:
            return
        self.is_at_end = not data
        if not self.is_full:
            self._received += data

    @property
    def is_full(self) -> bool:
        """True if what comes now is dropped."""
        return len(self._received) >= MOST_BYTES

    def take_lines(self) -> List[str]:
        """The whole lines so far, and the last at the end of the stream; each only once."""
        whole, newline, rest = self._received.rpartition(b"\n")
        if self.is_at_end:
            whole, rest = self._received, b""
        elif not newline:
            return []
        self._received = rest
        return _lines(whole)

    def lines(self) -> List[str]:
        """All lines, the unfinished last line too."""
        return _lines(self._received)


def _lines(data: bytes) -> List[str]:
    """Splits at line feeds alone: `splitlines` takes other letters for line ends."""
    lines = data.decode("utf-8", "replace").split("\n")
    return lines if lines[-1] else lines[:-1]


class Pipes:
    """Standard input, output and error output of a child."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self.output = Stream(process.stdout)
        self.errors = Stream(process.stderr)
        self._input: Optional[IO[bytes]] = process.stdin
        self._to_send = b""
        self._is_last = False
        for file in (process.stdin, process.stdout, process.stderr):
            flags = fcntl.fcntl(file, fcntl.F_GETFL)
            fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_NONBLOCK)

    def send(self, data: bytes, is_last: bool = False) -> None:
        """Has data sent by the coming moves; after the last the input is closed."""
        self._to_send += data
        self._is_last = is_last
        self._send_some()

    def move(self, deadline: Deadline) -> None:
        """Moves what can be moved, after a wait that is short and not longer than the deadline."""
        self._move(min(deadline.remaining_s, _LOOK_S))

    def move_what_is_there(self) -> None:
        """Takes what the child has printed by now."""
        while self._move(0):
            pass

    def close(self) -> None:
        """Closes our ends."""
        self._close_input()
        self.output.file.close()
        self.errors.file.close()

    def _move(self, wait_s: float) -> bool:
        readable = [one for one in (self.output, self.errors) if not one.is_at_end]
        writable = [self._input] if self._input and self._to_send else []
        ready, can_send, _ = select.select([one.file for one in readable], writable, [], wait_s)
        for stream in readable:
            if stream.file in ready:
                stream.receive()
        if can_send:
            self._send_some()
        return bool(ready)

    def _send_some(self) -> None:
        if self._input is None:
            return
        try:
            while self._to_send:
                sent = os.write(self._input.fileno(), self._to_send)
                self._to_send = self._to_send[sent:]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not read any more, which is its right
            self._to_send = b""
        if self._is_last:
            self._close_input()

    def _close_input(self) -> None:
        if self._input is not None:
            with contextlib.suppress(OSError):
                self._input.close()
            self._input = None
