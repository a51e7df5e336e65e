"""Long-running processes of a cluster: started, watched and ended, each with a log of its own."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEEPER = Path(__file__).with_name("keeper.py")
TAIL_LINES = 25


class StartError(Exception):
    """A process ended early or was not ready in time; the message ends with its log."""


@dataclass(frozen=True)
class Process:
    name: str
    number: int
    log: Path

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


class Processes:
    """All processes of one cluster; `close` ends them and removes the folders given here."""

    def __init__(self, logs: Path, remove_at_end: Sequence[Path]) -> None:
        self.logs = logs
        self._lock = threading.Lock()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), *map(str, remove_at_end)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Process:
        """A new process; its output goes to `NAME.log`, after that of an earlier one."""
        log = self.logs / f"{name}.log"
        order = {
            "command": [str(part) for part in command],
            "environment": dict(os.environ) | dict(environment or {}),
            "folder": str(folder or self.logs),
            "log": str(log),
        }
        return Process(name, self._ask({"start": order})["process"], log)

    def stop(self, *processes: Process) -> None:
        """SIGTERM, and SIGKILL a few seconds later, also to whatever they started."""
        self._ask({"stop": [process.number for process in processes]})

    def wait(
        self, process: Process, is_ready: Callable[[], bool], what: str, timeout_s: float = 120
    ) -> None:
        """Returns when the process is ready.

        Raises:
            StartError: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            exit_code = self._ask({"poll": process.number})["exit_code"]
            if exit_code is not None:
                raise StartError(f"{process.name} ended with {exit_code}:\n{process.tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{process.name}: not {what} in {timeout_s} s:\n{process.tail()}")
            time.sleep(0.05)

    def close(self) -> None:
        if self._keeper.stdin and self._keeper.stdout:
            self._keeper.stdin.close()
            self._keeper.stdout.read()
            self._keeper.stdout.close()
        self._keeper.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if not self._keeper.stdin or not self._keeper.stdout:
            raise StartError("the keeper of the cluster's processes has no pipes")
        with self._lock:
            self._keeper.stdin.write(json.dumps(request) + "\n")
            self._keeper.stdin.flush()
            answer: dict[str, Any] = json.loads(self._keeper.stdout.readline())
        return answer


_reserved: list[socket.socket] = []
"""One for each port, which is bound and does not listen, until this process ends."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on, for servers.

    Linux gives them to no connection, and to nobody who asks for any port: only to who binds this
    very one with SO_REUSEADDR, as servers do.
    """
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(("127.0.0.1", 0))
    _reserved.extend(sockets)
    return [each.getsockname()[1] for each in sockets]
