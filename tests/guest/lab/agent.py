"""QEMU's guest agent in a lab."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tests.qemu_agent import ANSWER_S, Conversation

if TYPE_CHECKING:
    from tests.guest.lab.lab import Lab


class Agent(Conversation):
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
        return inner(self._outer)

    def freeze(self) -> int:
        """Freeze, and give the number of filesystems; `Lab.command` has seen that it is safe."""
        self._lab.command()
        return super().freeze()

    def kill(self) -> None:
        """SIGKILL; a frozen filesystem stays frozen."""
        self.close()
        kill(self._outer)

    def _connect(self) -> None:
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                self.open(self._lab.path(f"{self._folder}/qga.sock"))
            except OSError:
                if time.monotonic() > deadline or self._outer.poll() is not None:
                    raise
                time.sleep(0.01)
            else:
                return


def inner(outer: "subprocess.Popen[Any]") -> int:
    """The number on this machine of what a lab's command runs."""
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text()
    return int(children.split()[0])


def kill(outer: "subprocess.Popen[Any]") -> None:
    """SIGKILL for what a lab's command runs, which ends with it.

    It has nobody else who reaps it, and the end of a lab waits for all of its processes.
    """
    with contextlib.suppress(OSError, IndexError):
        os.kill(inner(outer), signal.SIGKILL)
    outer.wait(ANSWER_S)
