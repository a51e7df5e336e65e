import contextlib
import os
import shutil
import socket
import tempfile
import unittest
from typing import Optional
from unittest import mock

from stillpoint_guest.errors import Unreachable
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes import accounts
from stillpoint_guest.sockets import peer
from stillpoint_guest.state import undo_journal

from tests.guest.unit.folders import FolderCase
from tests.guest.unit.others import (
    AS_ROOT,
    DAEMON,
    NOBODY,
    OTHER,
    free_port,
    listening,
    listening_at,
    other,
)

EVERY = "0.0.0.0"  # noqa: S104  the address, of a server for a second


class SharedFolderCase(FolderCase):
    """A folder that every user can reach, as FolderCase's is root's alone."""

    def setUp(self) -> None:
        super().setUp()
        os.chmod(self.folder, 0o755)

    def folder_of(self, name: str, user: int, mode: int = 0o755, group: int = 0) -> str:
        path = self.path(name)
        os.mkdir(path)
        os.chown(path, user, group)
        os.chmod(path, mode)
        return path

    def refused(self, path: str, process: int = 0, user: Optional[int] = None) -> str:
        with self.assertRaises(Unreachable) as caught:
            peer.require_socket(path, process, user)
        return str(caught.exception)


@AS_ROOT
class ASocketIsUsedOnlyIfTheRightOneListens(SharedFolderCase):
    def test_the_process_that_was_found_in_its_own_folder(self) -> None:
        path = self.folder_of("run", DAEMON) + "/sock"
        with other(DAEMON, listening, path) as process:
            peer.require_socket(path, process)
            peer.require_socket(path, user=DAEMON)
            peer.require_socket(path)
            self.assertIn(f"belongs to user {DAEMON}", self.refused(path, user=OTHER))

    def test_a_service_in_a_folder_that_its_own_group_may_write_as_debians_postgresql(self) -> None:
        path = self.folder_of("run", DAEMON, 0o2775, DAEMON) + "/sock"
        with other(DAEMON, listening, path) as process:
            peer.require_socket(path, process)

    def test_a_service_in_a_folder_of_everybody_as_tmp(self) -> None:
        path = self.folder_of("tmp", 0, 0o1777) + "/sock"
        with other(DAEMON, listening, path) as process:
            peer.require_socket(path, process)

    def test_by_a_link_of_roots_and_by_the_root_of_a_process(self) -> None:
        path = self.folder_of("run", DAEMON) + "/sock"
        os.symlink("run", self.path("var"))
        with other(DAEMON, listening, path) as process:
            peer.require_socket(self.path("var/sock"), process)
            peer.require_socket(self.path("run/../var/./sock"), process)
            peer.require_socket(f"/proc/{process}/root{path}", process)

    def test_root_may_listen_for_a_service_as_systemd_does(self) -> None:
        path = self.path("sock")
        with contextlib.closing(listening(path)), other(DAEMON, int) as process:
            peer.require_socket(path, process)
            peer.require_socket(path)

    def test_not_somebody_else_in_a_folder_of_everybody(self) -> None:
        path = self.folder_of("tmp", 0, 0o1777) + "/sock"
        with other(NOBODY, listening, path), other(DAEMON, int) as process:
            for told in (self.refused(path, process), self.refused(path)):
                self.assertIn(f"{path} belongs to user {NOBODY}", told)
                self.assertIn("HINT: if that is right, say so in its section: system_user = ", told)
            peer.require_socket(path, user=NOBODY)

    def test_not_somebody_else_behind_a_socket_that_was_given_to_the_service(self) -> None:
        path = self.folder_of("tmp", 0, 0o1777) + "/sock"
        with other(NOBODY, listening, path), other(DAEMON, int) as process:
            os.chown(path, DAEMON, DAEMON)
            self.assertIn("listens there, not", self.refused(path, process))

    def test_not_another_process_of_the_same_user(self) -> None:
        path = self.folder_of("run", DAEMON) + "/sock"
        with other(DAEMON, listening, path), other(DAEMON, int) as process:
            self.assertIn(f"listens there, not {process}", self.refused(path, process))

    def test_not_where_somebody_else_can_put_another_one(self) -> None:
        other_groups = self.folder_of("group", DAEMON, 0o775, 4) + "/sock"
        everybodys = self.folder_of("open", DAEMON, 0o777) + "/sock"
        strangers = self.folder_of("home", NOBODY, 0o777) + "/sock"
        for path in (other_groups, everybodys, strangers):
            with self.subTest(path), other(DAEMON, listening, path) as process:
                self.refused(path, process)

    def test_not_by_a_link_of_somebody_elses(self) -> None:
        path = self.folder_of("run", DAEMON) + "/sock"
        link = self.folder_of("tmp", 0, 0o1777) + "/run"
        os.symlink(self.path("run"), link)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        with other(DAEMON, listening, path) as process:
            self.assertIn(f"{link} belongs to user", self.refused(link + "/sock", process))

    def test_what_is_no_socket_is_not_opened_and_what_is_not_there_is_said(self) -> None:
        os.mkfifo(self.path("fifo"))
        self.assertIn("it is no socket", self.refused(self.path("fifo")))
        self.assertIn("No such file", self.refused(self.path("none")))
        os.symlink("loop", self.path("loop"))
        self.assertIn("too many links", self.refused(self.path("loop")))
        listening(self.path("sock")).close()
        self.assertIn("Connection refused", self.refused(self.path("sock")))

    def test_a_server_that_accepts_nothing_costs_no_more_than_a_second(self) -> None:
        path = self.path("sock")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as full:
            full.bind(path)
            full.listen(0)
            waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
            for one in waiting:
                one.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    one.connect(path)
            self.assertIn("accepts nothing in time", self.refused(path))
            for one in waiting:
                one.close()

    def test_a_process_that_has_ended_is_nobody(self) -> None:
        with other(DAEMON, int) as process:
            pass
        path = self.path("sock")
        with contextlib.closing(listening(path)):
            self.assertIn("it has ended", self.refused(path, process))


@AS_ROOT
class APortIsUsedOnlyIfTheRightOneListens(unittest.TestCase):
    def refused(self, host: str, port: int, users: peer.Users = None) -> str:
        with self.assertRaises(Unreachable) as caught:
            peer.require_listener(host, port, users)
        return str(caught.exception)

    def test_by_either_family_and_by_name(self) -> None:
        for at, host in (
            ("127.0.0.1", "127.0.0.1"),
            (EVERY, "127.0.0.1"),
            (EVERY, "localhost"),
            ("::1", "::1"),
            ("::", "::1"),
            ("127.0.0.1", EVERY),
        ):
            port = free_port()
            with self.subTest(at + " " + host), other(DAEMON, listening_at, at, port):
                peer.require_listener(host, port)
                peer.require_listener(host, port, [DAEMON])
                self.assertIn("listens there, not", self.refused(host, port, [OTHER]))

    def test_one_of_both_families_listens_at_ipv4_too(self) -> None:
        port = free_port()

        def both() -> socket.socket:
            made = socket.socket(socket.AF_INET6)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            made.bind(("::", port))
            made.listen(5)
            return made

        with other(NOBODY, both):
            self.assertIn("listens there", self.refused("127.0.0.1", port))
        with other(DAEMON, both):
            peer.require_listener("127.0.0.1", port)

    def test_not_somebody_else(self) -> None:
        port = free_port()
        with other(NOBODY, listening_at, "127.0.0.1", port):
            self.assertIn("system_user = ", self.refused("127.0.0.1", port))
            self.refused("localhost", port, [DAEMON])
            peer.require_listener("127.0.0.1", port, [NOBODY])

    def test_somebody_else_at_the_other_family_takes_nothing_away(self) -> None:
        port = free_port()
        real = other(DAEMON, listening_at, "127.0.0.1", port)
        with real, other(NOBODY, listening_at, "::", port):
            peer.require_listener("127.0.0.1", port)
            self.refused("::1", port)

    def test_a_name_at_whose_other_address_a_stranger_listens(self) -> None:
        """In a guest where localhost is both; a client would try ::1 first."""
        port = free_port()
        both = [found for host in ("::1", "127.0.0.1") for found in socket.getaddrinfo(host, port)]
        named = mock.patch.object(socket, "getaddrinfo", return_value=both)
        real = other(DAEMON, listening_at, "127.0.0.1", port)
        with real, other(NOBODY, listening_at, "::1", port), named:
            refused = self.refused("localhost", port)
            self.assertIn("name the address that is meant, 127.0.0.1", refused)

    def test_nobody_listens(self) -> None:
        self.assertIn("nobody does", self.refused("127.0.0.1", free_port()))

    def test_root_may_listen_for_anybody(self) -> None:
        with contextlib.closing(listening_at("127.0.0.1")) as made:
            peer.require_listener("127.0.0.1", made.getsockname()[1], [DAEMON])

    def test_an_address_of_another_machine_is_not_looked_at(self) -> None:
        peer.require_listener("192.0.2.1", 5432, [DAEMON])

    def test_a_name_without_an_address_is_an_error_of_ours(self) -> None:
        for name in ("nowhere.invalid", "a" * 70, "\udcff"):
            with self.subTest(ascii(name)):
                self.assertIn("look up its address", self.refused(name, 5432))


@AS_ROOT
class WhoIsExpected(unittest.TestCase):
    def users(self, **options: str) -> peer.Users:
        return peer.users(Section("db", "redis", options=options))

    def test_the_user_of_the_process_that_was_found(self) -> None:
        with other(DAEMON, int) as process:
            self.assertEqual(peer.users(Section("db", "redis", process=process)), [DAEMON])
        with self.assertRaises(Unreachable):
            peer.users(Section("db", "redis", process=process))

    def test_the_account_that_the_section_names(self) -> None:
        self.assertEqual(self.users(system_user="daemon"), [DAEMON])
        self.assertIsNone(self.users())
        with self.assertRaises(Unreachable) as caught:
            self.users(system_user="nobody-of-that-name")
        self.assertIn("there is no such account", str(caught.exception))


class ANoteOfTheVersionBeforeIsRead(FolderCase):
    def test_it_knows_no_process(self) -> None:
        path = self.write(
            "db.note",
            '{"section": {"name": "db", "kind": "redis", "order": 50, "prepare_s": 10.0,'
            ' "lock_s": 3.0, "release_s": 10.0, "required": true, "method": "", "options": {},'
            ' "source": "discovered"}, "noted": {"locks": "1"}}',
        )
        self.assertEqual(undo_journal.read(path).section.process, 0)


class AccountsOfTheSystem(unittest.TestCase):
    def test_are_those_below_the_least_person(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        definitions = os.path.join(folder, "login.defs")
        for content, least in (
            ("#UID_MIN 7\nSYS_UID_MIN 100\nUID_MIN\t\t  500\nUID_MAX 60000\n", 500),
            ("\xff", 1000),
        ):
            with open(definitions, "wb") as file:
                file.write(content.encode("latin-1"))
            self.assertTrue(accounts.is_system_account(least - 1, definitions))
            self.assertFalse(accounts.is_system_account(least, definitions))
        self.assertFalse(accounts.is_system_account(0))
        self.assertFalse(accounts.is_system_account(NOBODY))
        self.assertFalse(accounts.is_system_account(1000, os.path.join(folder, "none")))


if __name__ == "__main__":
    unittest.main()
