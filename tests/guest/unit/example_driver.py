"""The driver that docs/guest/drivers.md shows, from the first import on: the contract holds it."""

from contextlib import contextmanager
from typing import Iterator, Mapping, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Finding, Report
from stillpoint_guest.processes.command import Program


class Shop(Driver):
    """A shop that can be asked to take no orders."""

    KIND = "shop"
    OPTIONS = {"port": "of its control socket; 7000"}

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """See `Driver`."""
        return [Finding(True, f"{self.section.name}: {self._call('status', deadline)}")]

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """See `Driver`."""
        self.note.write({})  # its lock outlives us: undone by the next holder
        try:
            order = self._call("hold", deadline)
            yield Report("hold", {"order": order}, ("every accepted order is there",))
        finally:
            self.reconcile({}, Deadline.after(self.section.release_s))
            self.note.drop()

    def reconcile(self, noted: Mapping[str, str], deadline: Deadline) -> None:
        """See `Driver`."""
        self._call("resume", deadline)

    def _call(self, verb: str, deadline: Deadline) -> str:
        port = self.section.integer("port", 7000)
        answer = self.commands.run(Program(("shopctl", "-p", str(port), verb)), deadline)
        return answer.lines[0]
