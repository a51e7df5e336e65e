"""The protocol of QEMU's guest agent: JSON lines over a socket, as libvirt speaks it."""

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import Any

FRAME = b"\xff"
ANSWER_S = 300.0  # the longest that a freeze may take here


class AgentError(Exception):
    """The agent's own words why it did not do what it was told."""


class Conversation:
    """With one agent; not for two threads at once."""

    _socket: socket.socket

    def open(self, path: Path) -> None:
        """Begin it.

        Raises:
            OSError: nobody listens there.
        """
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(ANSWER_S)
        try:
            made.connect(str(path))
        except OSError:
            made.close()
            raise
        self._socket = made
        self._lines = made.makefile("rb")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def synchronize(self, timeout_s: float = ANSWER_S) -> None:
        """Passes over answers to whoever asked before.

        Raises:
            OSError: the agent does not answer in time.
        """
        token = time.monotonic_ns() % 2**31
        self._socket.settimeout(timeout_s)
        self._socket.sendall(FRAME)  # ends what somebody left half-said
        self.send("guest-sync-delimited", id=token)
        is_ours = False
        while not is_ours:
            with contextlib.suppress(ValueError):  # the rest of an answer that nobody waited for
                is_ours = self._read().get("return") == token
        self._socket.settimeout(ANSWER_S)

    def send(self, command: str, **arguments: Any) -> None:
        """Send a command; `answer` waits for its answer."""
        order = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(order).encode() + b"\n")

    def answer(self) -> Any:
        """What the agent returns for what was sent.

        Raises:
            AgentError: it refused or failed.
        """
        read = self._read()
        if "error" in read:
            raise AgentError(read["error"]["desc"])
        return read["return"]

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a command, and give what the agent returns.

        Raises:
            AgentError: it refused or failed.
        """
        self.send(command, **arguments)
        return self.answer()

    def freeze(self) -> int:
        """Freeze, and give the number of filesystems."""
        return int(self.ask("guest-fsfreeze-freeze"))

    def thaw(self) -> int:
        """Thaw, and give the number of filesystems."""
        return int(self.ask("guest-fsfreeze-thaw"))

    def status(self) -> str:
        """`frozen` or `thawed`."""
        return str(self.ask("guest-fsfreeze-status"))

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise ConnectionResetError("the agent's channel was closed")
        read: dict[str, Any] = json.loads(line.split(FRAME)[-1])
        return read
