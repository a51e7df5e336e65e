"""A driver that does what its section says, and tells what it did."""

import time
from contextlib import contextmanager
from typing import Iterator, List

from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Report
from guest_hooks.errors import Refused

DID: List[str] = []


class Scripted(Driver):
    KIND = "scripted"
    METHODS = ("gently", "firmly")
    OPTIONS = {"fails": "in which step", "hangs": "in which step", "hang_s": "for how long"}

    def prepare(self, deadline: Deadline) -> None:
        self._do("prepare")

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        self._do("lock")
        yield Report("scripted", {"step": "1"})
        self._do("release")

    def _do(self, step: str) -> None:
        DID.append(self.section.name + " " + step)
        if self.section.text("hangs") == step:
            time.sleep(self.section.seconds("hang_s", 1.5))
        if self.section.text("fails") == step:
            raise Refused(self.section.name, step, "scripted")
