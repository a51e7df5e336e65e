import socket
from typing import List

from stillpoint_guest.log import Log

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

    def test_a_line_of_others_is_short_and_can_be_printed(self) -> None:
        listener = self.listener()
        log = Log(self.path("log"))
        for text in ("x" * 300000, "/mnt/\udcff: sync it", "\x1b[2J", "ä" * 5000):
            log.say(text)
        log.say("last")
        self.assertTrue(log.flush())
        lines = [listener.recv(1 << 20) for _ in range(5)]
        self.assertLessEqual(max(map(len, lines)), 2048)
        self.assertTrue(all(line.decode().isprintable() for line in lines))
        self.assertIn(rb"/mnt/\xff: sync it", lines[1])
        self.assertTrue(lines[4].endswith(b": last"))

    def test_what_the_log_never_takes_is_dropped_and_counted(self) -> None:
        listener = self.listener()
        log = Log(self.path("log"))
        log._lines.extend([(4, "x" * 300000), (4, "y" * 300000)])  # no datagram is as long
        log.say("last")
        self.assertTrue(log.flush())
        self.assertTrue(listener.recv(1000).endswith(b": last"))
        self.assertIn(b"2 lines were dropped", listener.recv(1000))

    def test_how_many_were_too_many_is_told_once(self) -> None:
        log = Log(self.path("log"))
        for number in range(1003):
            log.say(str(number))
        listener = self.listener()
        told = b""
        while not log.flush():
            told = listener.recv(1000)
        listener.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                told = listener.recv(1000)
        self.assertIn(b"3 lines were dropped", told)
