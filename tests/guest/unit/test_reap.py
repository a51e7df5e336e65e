"""What a program leaves to the holder and that ends by itself does not stay there for ever."""

import os
import time
import unittest
from typing import List

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.processes import family
from stillpoint_guest.processes.children import CHILDREN
from stillpoint_guest.processes.command import Commands
from stillpoint_guest.processes.program import Program
from stillpoint_guest.processes.session import Dialect


def ended() -> List[int]:
    """Children of this process of which nobody has taken leave, besides leaders of sessions."""
    found = []
    for number in family._children(os.getpid()):
        fields = family._fields(number)
        if fields.state == "Z" and fields.session != number:
            found.append(number)
    return found


class WhatIsLeftToUs(unittest.TestCase):
    def test_it_is_taken_leave_of_when_it_has_ended(self) -> None:
        commands = Commands("db")
        self.addCleanup(commands.close)
        dialect = Dialect("echo {}", ("ERROR",))
        session = commands.session(Program(("sh",)), dialect)
        [number] = session.ask("sleep 0.3 >&2 & echo $!", Deadline.after(60))
        os.kill(session._process.pid, 9)
        end_s = time.monotonic() + 60
        while int(number) not in ended():  # others may end beside it
            self.assertLess(time.monotonic(), end_s)
            time.sleep(0.01)
        CHILDREN.reap()
        self.assertNotIn(int(number), ended())

    def test_how_a_program_of_ours_ended_is_still_known(self) -> None:
        commands = Commands("db")
        self.addCleanup(commands.close)
        session = commands.session(Program(("sh", "-c", "exit 3")), Dialect("", ()))
        end_s = time.monotonic() + 60
        while family.lives(session._child.member):
            self.assertLess(time.monotonic(), end_s)
            time.sleep(0.01)
        CHILDREN.reap()
        self.assertEqual(session._process.wait(60), 3)
