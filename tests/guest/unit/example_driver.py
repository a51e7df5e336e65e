"""The driver that docs/guest/drivers.md shows, from the first import on: the contract holds it."""

from contextlib import contextmanager
from typing import Iterator, Mapping, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Finding, Report
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.program import Program
from stillpoint_guest.state.undo_journal import UndoJournal


class Shop(Driver):
    """A shop that can be asked to take no orders."""

    KIND = "shop"
    METHODS = ("hold",)
    OPTIONS = {"port": "of its control socket; 7000"}

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parse `OPTIONS`."""
        super().__init__(section, journal)
        self._port = str(section.integer("port", 7000))

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """See `Driver`."""
        return [Finding(True, f"{self.section.name}: {self._call(self._port, 'show', deadline)}")]

    @contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """See `Driver`."""
        undo = {"port": self._port}
        self.journal.write(undo)  # its lock outlives us: undone by the next holder
        try:
            order = self._call(self._port, "hold", deadline)
            yield Report("hold", {"order": order}, ("every accepted order is there",))
        finally:
            self.reconcile(undo, Deadline.after(self.section.release_s))
            self.journal.drop()

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        """See `Driver`."""
        self._call(undo["port"], "resume", deadline)

    def _call(self, port: str, verb: str, deadline: Deadline) -> str:
        answer = self.commands.run(Program(("shopctl", "-p", port, verb)), deadline)
        return answer.lines[0]
