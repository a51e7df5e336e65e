"""A driver that does what its section says, and tells what it did."""

import time
from contextlib import contextmanager
from typing import Dict, Iterator, List, Mapping, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Finding, Report
from stillpoint_guest.errors import Refused, Unreachable
from stillpoint_guest.options.found import Found

DID: List[str] = []
AT_S: Dict[str, float] = {}  # when it did that the last time
RUNNING: List[Found] = []  # what discovery finds


class Scripted(Driver):
    KIND = "scripted"
    METHODS = ("gently", "firmly")
    OPTIONS = {"fails": "in which step", "hangs": "in which step", "hang_s": "for how long"}

    @classmethod
    def discover(cls) -> Sequence[Found]:
        return RUNNING

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        self.prepare(deadline)
        return [Finding(True, "answers")]

    def prepare(self, deadline: Deadline) -> None:
        if self.section.text("fails") == "connect":
            raise Unreachable(self.section.name, "connect", "no password")
        self._do("prepare")

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        self._do("undo " + undo["what"])

    @contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        self._do("lock")
        yield Report("scripted", {"step": "1"})
        self._do("release")
        AT_S[self.section.name + " released"] = time.monotonic()

    def _do(self, step: str) -> None:
        AT_S[self.section.name + " " + step] = time.monotonic()
        DID.append(self.section.name + " " + step)
        if self.section.text("hangs") == step.partition(" ")[0]:
            time.sleep(self.section.seconds("hang_s", 1.5))
        if self.section.text("fails") == step.partition(" ")[0]:
            raise Refused(self.section.name, step, "scripted")
