"""QEMU's guest agent in a lab, and its protocol: JSON lines over a socket."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tests.guest.lab.lab import Lab

ANSWER_S = 120.0


class AgentError(Exception):
    """The agent answered with an error; its description."""


class Agent:
    """The real `qemu-ga`; started by `with`."""

    def __init__(
        self,
        lab: "Lab",
        options: tuple[str, ...],
        folder: str = "/run",
        unit: tuple[str, ...] = (),
    ) -> None:
        """Start nothing yet.

        Args:
            lab: where it is to run.
            options: of its command line.
            folder: for its socket and its state.
            unit: what starts it, to which its command line is given.
        """
        self._lab = lab
        self._options = options
        self._folder = folder
        self._unit = unit

    def __enter__(self) -> Self:
        socket, pid = (f"{self._folder}/qga.{kind}" for kind in ("sock", "pid"))
        for path in (socket, pid):
            self._lab.path(path).unlink(missing_ok=True)
        words = ("qemu-ga", "--method=unix-listen", f"--path={socket}", "-t", self._folder)
        command = self._lab.command(*self._unit, *words, "-f", pid, *self._options)
        self._outer = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self._connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def process(self) -> int:
        """The agent's number on this machine."""
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        return int(children.split()[0])

    def send(self, command: str, **arguments: Any) -> None:
        """Send a command; `answer` waits for its answer."""
        order: dict[str, Any] = {"execute": command}
        if arguments:
            order["arguments"] = arguments
        self._socket.sendall(json.dumps(order).encode() + b"\n")

    def answer(self) -> Any:
        """The answer to what was sent.

        Raises:
            AgentError: it is an error.
        """
        answer = json.loads(self._file.readline().lstrip(b"\xff"))
        if "error" in answer:
            raise AgentError(answer["error"]["desc"])
        return answer["return"]

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a command and give its answer.

        Raises:
            AgentError: it is an error.
        """
        self.send(command, **arguments)
        return self.answer()

    def freeze(self) -> int:
        """Freeze, and give the number of filesystems; `Lab.command` has seen that it is safe."""
        self._lab.command()
        return int(self.ask("guest-fsfreeze-freeze"))

    def thaw(self) -> int:
        """Thaw, and give the number of filesystems."""
        return int(self.ask("guest-fsfreeze-thaw"))

    def status(self) -> str:
        """`frozen` or `thawed`."""
        return str(self.ask("guest-fsfreeze-status"))

    def kill(self) -> None:
        """SIGKILL; a frozen filesystem stays frozen."""
        self._file.close()
        self._socket.close()
        with contextlib.suppress(OSError, IndexError):
            os.kill(self.process, signal.SIGKILL)
        self._outer.wait(ANSWER_S)

    def _connect(self) -> None:
        path = str(self._lab.path(f"{self._folder}/qga.sock"))
        deadline = time.monotonic() + ANSWER_S
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_S)
        while True:
            try:
                self._socket.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline or self._outer.poll() is not None:
                    raise
                time.sleep(0.01)
        self._file = self._socket.makefile("rb")
