"""Programs that run for us, noted in /run: the next holder ends those of one that was killed.

With systemd the holder's control group does that at once; without it, this is what is left.
"""

import contextlib
import os
import signal
from typing import Iterator, Tuple

_SUFFIX = ".child"


class Register:
    """One folder of empty files named PID-STARTED.child."""

    def __init__(self, folder: str) -> None:
        """Use a folder; "" registers nothing."""
        self._folder = folder

    def add(self, pid: int) -> None:
        """Note a child that was just started."""
        with contextlib.suppress(OSError):  # /run is full or gone: the program itself matters more
            if self._folder:
                os.close(os.open(self._path(pid, _started(pid)), os.O_CREAT | os.O_WRONLY, 0o600))

    def remove(self, pid: int) -> None:
        """Forget a child that has ended."""
        for path, noted, _ in self._noted():
            if noted == pid:
                _unlink(path)

    def end_left_over(self) -> int:
        """Kill what a former holder started and did not end.

        Returns:
            How many there were.
        """
        count = 0
        for path, pid, started in self._noted():
            if _started(pid) == started:  # else it has ended, and the number is somebody else's
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                    count += 1
            _unlink(path)
        return count

    def _path(self, pid: int, started: str) -> str:
        return os.path.join(self._folder, f"{pid}-{started}{_SUFFIX}")

    def _noted(self) -> Iterator[Tuple[str, int, str]]:
        names = os.listdir(self._folder) if self._folder and os.path.isdir(self._folder) else []
        for name in names:
            if name.endswith(_SUFFIX):
                pid, _, started = name[: -len(_SUFFIX)].partition("-")
                yield os.path.join(self._folder, name), int(pid), started


def _started(pid: int) -> str:
    """The clock ticks from boot to the start of a process; "" if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
