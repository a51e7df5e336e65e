import socket
from typing import List

from guest_hooks.log import Log
from tests.guest.unit.folders import FolderCase


class LinesAreKeptInMemory(FolderCase):
    def listener(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(self.path("log"))
        return listener

    def test_a_log_that_nobody_reads_blocks_nobody_and_loses_nothing(self) -> None:
        """Hazard 2."""
        listener = self.listener()
        log = Log(self.path("log"))
        for number in range(900):
            log.say("line %d" % number)
        self.assertFalse(log.flush())
        received: List[str] = []
        while len(received) < 900:
            received.append(listener.recv(1000).decode().rpartition(": ")[2])
            log.flush()
        self.assertEqual(received, ["line %d" % number for number in range(900)])
        self.assertTrue(log.flush())

    def test_without_a_log_lines_wait_for_one(self) -> None:
        log = Log(self.path("log"))
        log.say("two\nlines")
        self.assertFalse(log.flush())
        listener = self.listener()
        self.assertTrue(log.flush())
        self.assertIn("stillpoint-guest", listener.recv(1000).decode())

    def test_of_too_many_lines_the_oldest_go(self) -> None:
        log = Log(self.path("log"))
        for number in range(1500):
            log.say(str(number))
        self.assertEqual(log._lines[0][1], "500")
