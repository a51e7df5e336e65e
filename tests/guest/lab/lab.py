"""A guest without a virtual machine: a mount namespace with real disks, where freezing is safe."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from stillpoint_guest import build

from tests.guest.lab import keeper
from tests.guest.lab.agent import Agent

DISKS = {"/data/a": "ext4", "/data/b": "xfs", "/data/c": "btrfs"}
COMMAND = "/run/stillpoint-guest.pyz"
HOOK = "/run/hook"
STARTING_S = 90.0


class Lab:
    """Started by `with`; commands run inside by `run`, a file of its is at `path`."""

    def __init__(self, disks: Mapping[str, str] | None = None, first: str = "sleep") -> None:
        """Start nothing yet.

        Args:
            disks: a kind of filesystem for each path.
            first: its first process, `sleep` or `systemd`.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="stillpoint-lab-"))
        self._first = first
        self._disks = DISKS if disks is None else disks
        for name in ("memory", "root"):
            (self.folder / name).mkdir()

    def __enter__(self) -> Self:
        disks = [f"{path}:{kind}" for path, kind in self._disks.items()]
        program = str(Path(keeper.__file__))
        self._keeper = subprocess.Popen(
            [sys.executable, "-ISB", program, str(self.folder), self._first, *disks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._keeper.stdout
        word, _, rest = self._keeper.stdout.readline().partition(" ")
        if word != "ready":
            self._end()
            raise keeper.Unsafe(f"{word} {rest}".strip())
        self.process = int(rest)
        self._install()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def path(self, inside: str) -> Path:
        """Where this machine sees a file of the lab."""
        return Path(f"/proc/{self.process}/root{inside}")

    def command(self, *words: str) -> Sequence[str]:
        """The command line that runs words inside; refused if it could freeze this machine."""
        keeper.require_safe(self.process, str(self.folder))
        return ("nsenter", "-t", str(self.process), "-m", "-p", "--root", "--wd", "--", *words)

    def run(self, *words: str, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, and give its status and output."""
        return subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def guest(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run our own command inside."""
        return self.run(COMMAND, *words)

    def agent(self, *options: str) -> Agent:
        """QEMU's real guest agent, started inside with our hook."""
        return Agent(self, ("--fsfreeze-hook=" + HOOK, *options))

    def thaw(self) -> None:
        """Thaw whatever of its disks is frozen."""
        for path in self._disks:
            self.run("fsfreeze", "-u", path)

    def disks(self) -> Sequence[str]:
        """The paths of the disks."""
        return list(self._disks)

    def _install(self) -> None:
        target = self.folder / "stillpoint-guest.pyz"
        build.build(str(target), python())
        inside = self.path(COMMAND)
        shutil.copy(target, inside)
        inside.chmod(0o755)
        self.path(HOOK).symlink_to(COMMAND)

    def _end(self) -> None:
        assert self._keeper.stdin
        assert self._keeper.stdout
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()


def python() -> str:
    """The distribution's own interpreter, as a guest has it, or else the one of the tests."""
    return "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
