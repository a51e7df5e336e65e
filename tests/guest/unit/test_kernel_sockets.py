import contextlib
import os
import socket
import unittest

from stillpoint_guest.processes import kernel_sockets
from stillpoint_guest.processes.process_table import Process

from tests.guest.unit.others import AS_ROOT, DAEMON, NOBODY, free_port, listening, other
from tests.guest.unit.test_peer import SharedFolderCase

FORGED = "\0\n0: 2 0 00010000 1 1 {} {}"  # a name with a line of /proc/net/unix in it


@AS_ROOT
class TheSocketsOfAProcess(SharedFolderCase):
    def process(self, number: int) -> Process:
        return Process(number, "db", "")

    def test_are_told_by_the_kernel_whatever_their_names_are(self) -> None:
        folder = self.folder_of("run", DAEMON)
        for name in ("sock", "a b", "a\nb", "donn\udce9es", "x" * 40):
            path = os.path.join(folder, name)
            with self.subTest(ascii(name)), other(DAEMON, listening, path) as process:
                self.assertEqual(self.process(process).sockets(), [path])
                os.unlink(path)

    def test_are_its_own_and_not_those_of_a_line_that_somebody_else_wrote(self) -> None:
        real = self.folder_of("run", DAEMON) + "/z.sock"
        theirs = self.folder_of("home", NOBODY) + "/a.sock"
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(other(DAEMON, listening, real))
            stack.enter_context(other(NOBODY, listening, theirs))
            for inode in kernel_sockets.inodes_of(process):
                stack.enter_context(other(NOBODY, self.bind, FORGED.format(inode, theirs)))
                text = kernel_sockets.unix_listeners_by_text("/proc/self/net", [inode])
                self.assertEqual(text, {inode: theirs})  # so text is not to be believed
            found = self.process(process)
            self.assertEqual(found.sockets(), [real])
            self.assertFalse(found._owns_socket(theirs))
            self.assertTrue(found._owns_socket(real))

    def bind(self, name: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.bind(name)
        return made

    def test_by_tcp_have_an_address_of_either_family(self) -> None:
        for host, told in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "::1")):
            port = free_port()
            with self.subTest(host), other(DAEMON, self.listen, host, port) as process:
                self.assertEqual(self.process(process).addresses(), [(told, port)])

    def listen(self, host: str, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(1)
        return made

    def test_that_only_connect_or_are_abstract_are_none(self) -> None:
        with other(DAEMON, self.bind, "\0abstract") as process:
            self.assertEqual(self.process(process).sockets(), [])

    def test_of_one_that_has_ended_cannot_be_told(self) -> None:
        with other(DAEMON, int) as process:
            found = self.process(process)
        with self.assertRaises(OSError):
            found.sockets()
        with self.assertRaises(OSError):
            self.process(process)


if __name__ == "__main__":
    unittest.main()
