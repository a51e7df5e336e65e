"""Registers running programs in /run: the next holder ends those of a killed holder.

With systemd the holder's control group does that at once; without systemd, this register does.
"""

import contextlib
import os
from typing import Iterator, Tuple

from stillpoint_guest.processes import family
from stillpoint_guest.processes.family import Member

_SUFFIX = ".child"


class Register:
    """A folder of empty files named PID-STARTED.child."""

    def __init__(self, folder: str) -> None:
        """Uses a folder; "" registers nothing."""
        self._folder = folder

    def add(self, one: Member) -> None:
        """Notes a child that was just started."""
        with contextlib.suppress(OSError):  # /run is full or gone: the program itself matters more
            if self._folder:
                os.close(os.open(self._path(one), os.O_CREAT | os.O_WRONLY, 0o600))

    def remove(self, pid: int) -> None:
        """Forgets a child that has ended."""
        for path, noted in self._entries():
            if noted.number == pid:
                _unlink(path)

    def end_left_over(self) -> int:
        """Kills what a former holder started and did not end.

        Returns:
            How many there were.
        """
        count = 0
        for path, one in self._entries():  # one that has ended is not the one with its number now
            count += bool(family.end(one))
            _unlink(path)
        return count

    def _path(self, one: Member) -> str:
        return os.path.join(self._folder, f"{one.number}-{one.started}{_SUFFIX}")

    def _entries(self) -> Iterator[Tuple[str, Member]]:
        names = os.listdir(self._folder) if self._folder and os.path.isdir(self._folder) else []
        for name in names:
            if name.endswith(_SUFFIX):
                pid, _, started = name[: -len(_SUFFIX)].partition("-")
                yield os.path.join(self._folder, name), Member(int(pid), int(started or 0))


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
