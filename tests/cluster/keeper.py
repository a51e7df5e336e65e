"""The parent of every process of a cluster, a process of its own.

When its input ends, because the test run is over or was killed, it ends all of them, their orphans
too, and removes the folders named on its command line. So nothing outlives a test run, not even one
that was ended by SIGKILL.

Each line on its input is one request in JSON, each line on its output the answer:

    {"start": {"command": [], "environment": {}, "folder": "/", "log": "/"}} -> {"process": 4711}
    {"poll": 4711} -> {"exit_code": null}
    {"stop": [4711, 4712]} -> {}

It uses nothing but the standard library and is run as a file, to start at once.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

GRACE_S = 3.0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

prctl = ctypes.CDLL(None, use_errno=True).prctl


class Keeper:
    def __init__(self) -> None:
        self.children: dict[int, subprocess.Popen[bytes]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"start": order}:
                return {"process": self.start(order)}
            case {"poll": process}:
                return {"exit_code": self.children[process].poll()}
            case {"stop": processes}:
                self.stop(processes)
                return {}
        return {"error": f"unknown request {request}"}

    def start(self, order: dict[str, Any]) -> int:
        with Path(order["log"]).open("ab") as log:
            child = subprocess.Popen(
                order["command"],
                env=order["environment"],
                cwd=order["folder"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group to end by, out of reach of Ctrl-C
                preexec_fn=end_with_parent,  # noqa: PLW1509 - this process has one thread
            )
        self.children[child.pid] = child
        return child.pid

    def stop(self, processes: Iterable[int]) -> None:
        chosen = [self.children[process] for process in processes]
        for child in chosen:
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + GRACE_S
        for child in chosen:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(
                    child.pid, signal.SIGKILL
                )  # itself if it is still there, and what it started
            child.wait()
            reap(child.pid)
            del self.children[child.pid]

    def end(self, folders: Iterable[str]) -> None:
        self.stop(list(self.children))
        while orphans := own_children():  # killing one may bring up its children as the next
            for process in orphans:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def end_with_parent() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def reap(group: int) -> None:
    """What a process started and left behind: dead, and until then its number is taken."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def own_children() -> list[int]:
    """Processes whose parent is this one, among them those adopted as orphans."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.append(int(status.parent.name))
    return found


def leave(*_: object) -> None:
    raise SystemExit


def main(folders: list[str]) -> None:
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # plugins that lose Velero become children of this process
    signal.signal(signal.SIGTERM, leave)
    keeper = Keeper()
    try:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(keeper.answer(json.loads(line))) + "\n")
            sys.stdout.flush()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.end(folders)


if __name__ == "__main__":
    main(sys.argv[1:])
