import os
import threading
import time
import unittest
from typing import List

from stillpoint_guest.discovery import probes
from stillpoint_guest.discovery.probes import Probe
from stillpoint_guest.errors import DeadlinePassed
from stillpoint_guest.processes.process_table import Process


class ALookAtAProcess(unittest.TestCase):
    def setUp(self) -> None:
        self.free = threading.Event()
        self.addCleanup(self.free.set)
        self.begun: List[str] = []

    def process(self, user: int = 0) -> Process:
        process = Process(os.getpid(), "db", "")
        process.users = (user,) * 4
        return process

    def hang(self) -> str:
        self.begun.append("hang")
        self.free.wait(60)
        return "seen at last"

    def results(self, *several: Probe) -> List[object]:
        found: List[object] = []
        for one in probes.run(several):
            try:
                found.append(one.result())
            except DeadlinePassed as error:
                found.append(error.cause)
        return found

    def test_that_hangs_keeps_no_other_from_being_done(self) -> None:
        begin = time.monotonic()
        hanging = Probe(self.process(), self.hang, is_services=True)
        found = self.results(hanging, Probe(self.process(1), lambda: "seen", is_services=True))
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual(len(found), 2)
        self.assertIn("seen", found)
        self.assertIn("it does not let itself be looked at in time", found)

    def test_that_hangs_costs_one_thread_however_often_it_is_tried(self) -> None:
        hanging = Probe(self.process(), self.hang, is_services=False)
        for _ in range(3):
            self.results(hanging)
        self.assertEqual(self.begun, ["hang"])
        self.free.set()
        deadline = time.monotonic() + 10
        while self.results(hanging) != ["seen at last"]:
            self.assertLess(time.monotonic(), deadline)

    def test_at_what_is_not_the_systems_is_not_waited_for_long(self) -> None:
        begin = time.monotonic()
        strangers = [Probe(self.process(7), self.hang, is_services=False) for _ in range(20)]
        found = self.results(*strangers, Probe(self.process(), lambda: "seen", is_services=True))
        self.assertLess(time.monotonic() - begin, probes._SERVICES_S)
        self.assertIn("seen", found)

    def test_is_done_at_each_users_first_before_anybodys_second(self) -> None:
        many = [Probe(self.process(7), lambda: "one of many", is_services=True) for _ in range(500)]
        found = self.results(*many, Probe(self.process(8), lambda: "the other", is_services=True))
        self.assertIn("the other", found)
        self.assertEqual(len(found), 501)
        self.assertIn("there are too many to look at all of them", found)


if __name__ == "__main__":
    unittest.main()
