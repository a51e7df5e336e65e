"""Undoes the journals of a killed holder or an abandoned driver.

All are undone side by side, so that a hanging one delays no other; and nobody waits longer than he
wants: each goes on by itself, as long as its section allows, and is tried again after a failure.
"""

import contextlib
import os
import threading
from functools import partial
from typing import Collection, Dict, Iterator, Sequence, Set, Type

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver
from stillpoint_guest.holder.application import GRACE_S, Instance
from stillpoint_guest.log import ERROR, WARNING, Log
from stillpoint_guest.options.section import DISCOVERED
from stillpoint_guest.places import Places
from stillpoint_guest.processes.child_register import Register
from stillpoint_guest.state import undo_journal
from stillpoint_guest.state.undo_journal import UndoJournal
from stillpoint_guest.worker import start, within

_MOST_AT_ONCE = 64  # the others the next time
_MOST_NAMES = 12


class Recovery:
    """All undo journals in /run, and who is at them."""

    def __init__(self, places: Places, kinds: Sequence[Type[Driver]], log: Log) -> None:
        self._folder = places.undo_journals
        self._kinds = kinds
        self._log = log
        self._running: Dict[str, _Undo] = {}
        self._tried: Set[str] = set()  # those not tried yet come first
        self._changing = threading.Lock()

    def end_left_over(self) -> None:
        """Ends the programs of a holder that was killed; once, before there are any of ours."""
        count = Register(self._folder).end_left_over()
        if count:
            self._log.say(f"ended {count} programs of a holder that was killed", WARNING)

    def undo(self, wait_s: float, spared: Collection[Instance] = ()) -> None:
        """Begins to undo all journals, and waits so long for all; unfinished ones go on.

        Args:
            wait_s: for all together.
            spared: whose drivers are still on their own way back.
        """
        with self._changing:
            self._begin(spared)
            running = list(self._running.values())
        deadline = Deadline.after(wait_s)
        for one in running:
            one.pending.wait(deadline.remaining_s)

    @property
    def busy(self) -> Collection[Instance]:
        """Instances at which something is being undone."""
        with self._changing:
            running = list(self._running.values())
        return [one.instance for one in running if not one.pending.wait(0)]

    def remaining(self, wait_s: float) -> Sequence[str]:
        """Applications that are not undone, after a wait for what is being undone.

        Only applications of root's configuration or command: a merely found server may belong to
        somebody who does not want the change undone, and is reported in the log alone.

        Args:
            wait_s: for all together.

        Returns:
            Names, of many the first.
        """
        deadline = Deadline.after(wait_s)
        with self._changing:
            running = [one for one in self._running.values() if one.is_wanted]
        for one in running:
            one.pending.wait(deadline.remaining_s)
        names = []
        for path in self._paths():
            with contextlib.suppress(OSError, ValueError):
                section = undo_journal.read(path).section
                names += [section.name] * (section.source != DISCOVERED)
        return sorted(names)[:_MOST_NAMES]

    def _paths(self) -> Set[str]:
        names = [name for name in os.listdir(self._folder) if name.endswith(undo_journal.SUFFIX)]
        return {os.path.join(self._folder, name) for name in names}

    def _begin(self, spared: Collection[Instance]) -> None:
        self._running = {
            path: one for path, one in self._running.items() if not one.pending.wait(0)
        }
        paths = self._paths() - set(self._running)
        self._tried &= paths
        for path in sorted(paths, key=lambda path: (path in self._tried, path)):
            if len(self._running) >= _MOST_AT_ONCE:
                break
            self._tried.add(path)
            with self._reporting(path):
                one = _Undo(path, self._folder, self._kinds, self._log)
                if one.instance not in spared:
                    one.begin()
                    self._running[path] = one

    @contextlib.contextmanager
    def _reporting(self, path: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  the edge: the others are undone all the same
            self._log.say(f"{path}: cannot be undone, kept: {error}", ERROR)


class _Undo:
    """The undoing of a journal."""

    def __init__(self, path: str, folder: str, kinds: Sequence[Type[Driver]], log: Log) -> None:
        entry = undo_journal.read(path)
        section = entry.section
        self.path = path
        self.name = section.name
        self.is_wanted = section.source != DISCOVERED
        kind = next(kind for kind in kinds if section.kind == kind.KIND)
        self._driver = kind(section, UndoJournal(folder, section))
        self.instance = (section.kind, self._driver.instance)
        self._entry = entry
        self._log = log

    def begin(self) -> None:
        self.pending = start(f"undo {self.name}", self._undo)

    def _undo(self) -> None:
        deadline = Deadline.after(self._driver.section.release_s)
        patience = Deadline(deadline.at_s + GRACE_S)
        try:
            if not self._entry.is_gone:
                within(patience, self.name, "undo", partial(self._reconcile, deadline))
            with contextlib.suppress(FileNotFoundError):  # what came too late has undone itself
                os.unlink(self.path)
            self._log.say(f"{self.name}: undone what was noted for a hold", WARNING)
        except Exception as error:  # noqa: BLE001  the edge: kept, and tried again
            self._log.say(f"{self.name}: cannot be undone, kept for the next time: {error}", ERROR)
            self._driver.commands.end_all()

    def _reconcile(self, deadline: Deadline) -> None:
        try:
            self._driver.reconcile(self._entry.undo, deadline)
        finally:
            self._driver.commands.close()
