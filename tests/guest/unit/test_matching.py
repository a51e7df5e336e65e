import contextlib
import os
import pwd
import unittest
from typing import List, Sequence, Type

from stillpoint_guest.discovery.survey import Server
from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.mysql_family.mariadb import MariaDB
from stillpoint_guest.drivers.mysql_family.mysql import MySQL
from stillpoint_guest.drivers.postgresql.driver import PostgreSQL
from stillpoint_guest.drivers.redis.driver import Redis
from stillpoint_guest.drivers.script.driver import Script
from stillpoint_guest.errors import ConfigurationError
from stillpoint_guest.holder import matching, plan
from stillpoint_guest.options import config
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import Section
from stillpoint_guest.sockets.ways import Way, keys_of
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.unit.folders import FolderCase
from tests.guest.unit.others import free_port, listening, listening_at

KINDS: Sequence[Type[Driver]] = (MariaDB, MySQL, PostgreSQL, Redis, Script)
DAEMON = pwd.getpwnam("daemon").pw_uid


class MatchingCase(FolderCase):
    """Real sockets, of which the servers that were found are said to be."""

    def setUp(self) -> None:
        super().setUp()
        self.sockets = contextlib.ExitStack()
        self.addCleanup(self.sockets.close)

    def socket(self, name: str) -> str:
        path = self.path(name)
        self.sockets.enter_context(contextlib.closing(listening(path)))
        return path

    def port(self, host: str = "127.0.0.1") -> str:
        port = free_port()
        self.sockets.enter_context(contextlib.closing(listening_at(host, port)))
        return str(port)

    def server(self, kind: Type[Driver], *ways: Way, **options: str) -> Server:
        keys = frozenset(key for way in ways for key in keys_of(way))
        self.assertEqual(len(keys), len(ways))
        return Server(Found(f"{kind.KIND}:found", options, process=71), kind, 0, keys)

    def drivers(self, text: str) -> Sequence[Driver]:
        self.write("guest.conf", text)
        sections = config.load(self.places(), KINDS).sections
        kinds = {kind.KIND: kind for kind in KINDS}
        return [kinds[one.kind](one, UndoJournal(self.folder, one)) for one in sections]

    def sections(self, text: str, *servers: Server) -> Sequence[Section]:
        found = matching.match(self.drivers(text), servers)
        self.rest = found.servers
        return found.sections

    def assert_meant(self, text: str, server: Server) -> Section:
        section = self.sections(text, server)[0]
        self.assertEqual((section.process, list(self.rest)), (71, []))
        return section

    def assert_not_meant(self, text: str, server: Server) -> None:
        section = self.sections(text, server)[0]
        self.assertEqual((section.process, list(self.rest)), (0, [server]))


class ASectionIsTheServerThatItLeadsTo(MatchingCase):
    def test_by_its_socket_also_by_a_link(self) -> None:
        server = self.server(Redis, self.socket("redis.sock"))
        os.symlink("redis.sock", self.path("link"))
        for name in ("redis.sock", "link", "./redis.sock"):
            self.assert_meant(f"[db]\ntype = redis\nsocket = {self.path(name)}\n", server)

    def test_by_its_port_although_it_was_found_by_its_socket(self) -> None:
        port = self.port()
        way = ("127.0.0.1", int(port))
        server = self.server(PostgreSQL, self.socket("s"), way, host=self.folder)
        for host in ("127.0.0.1", "localhost"):
            text = f"[db]\ntype = postgresql\nhost = {host}\nport = {port}\n"
            self.assertEqual(self.assert_meant(text, server).options["host"], host)

    def test_with_another_driver_than_the_one_that_found_it(self) -> None:
        server = self.server(MariaDB, self.socket("mysqld.sock"), socket=self.path("mysqld.sock"))
        self.assert_meant(f"[db]\ntype = mysql\nsocket = {self.path('mysqld.sock')}\n", server)

    def test_by_its_name_and_then_it_is_told_where_that_is(self) -> None:
        server = self.server(PostgreSQL, self.socket("s"), host=self.folder, port="5433")
        section = self.assert_meant("[postgresql:found]\nlock_s = 1\n", server)
        self.assertEqual((section.options["port"], section.lock_s), ("5433", 1))

    def test_or_the_only_one_if_it_says_nothing(self) -> None:
        server = self.server(Redis, self.socket("s"), socket=self.path("s"))
        section = self.assert_meant("[db]\ntype = redis\n", server)
        self.assertEqual(section.options["socket"], self.path("s"))

    def test_but_not_one_of_several(self) -> None:
        servers = [self.server(Redis, self.socket(name)) for name in ("a", "b")]
        section = self.sections("[db]\ntype = redis\n", *servers)[0]
        self.assertEqual((section.process, list(self.rest)), (0, servers))

    def test_and_not_one_to_which_it_does_not_lead(self) -> None:
        server = self.server(Redis, self.socket("a"))
        self.assert_not_meant(f"[db]\ntype = redis\nsocket = {self.path('none')}\n", server)
        self.assert_not_meant(f"[db]\ntype = redis\nsocket = {self.socket('b')}\n", server)
        self.assert_not_meant(f"[db]\ntype = redis\nport = {self.port()}\n", server)
        self.assert_not_meant(f"[redis:found]\nport = {self.port()}\n", server)
        self.assert_not_meant(f"[db]\ntype = script\npath = {self.folder}\n", server)

    def test_two_sections_for_one_server_are_an_error(self) -> None:
        port = self.port()
        server = self.server(Redis, self.socket("s"), ("127.0.0.1", int(port)))
        one = f"[one]\ntype = redis\nport = {port}\n"
        for other in (f"socket = {self.path('s')}", f"host = localhost\nport = {port}"):
            with self.assertRaises(ConfigurationError) as caught:
                self.sections(f"{one}[two]\ntype = redis\n{other}\n", server)
            self.assertIn("[one] is the same, process 71", str(caught.exception))


class AStrangersServerIsMeantOnlyIfItsAccountIsNamed(MatchingCase):
    def stranger(self) -> Server:
        server = self.server(Redis, self.socket("s"))
        return server._replace(user=DAEMON, is_strange=True)

    def test_with_its_account(self) -> None:
        place = f"[db]\ntype = redis\nsocket = {self.path('s')}\n"
        self.assert_meant(f"{place}system_user = daemon\n", self.stranger())

    def test_not_by_the_way_or_the_name_alone(self) -> None:
        stranger = self.stranger()
        for text in (
            f"[db]\ntype = redis\nsocket = {self.path('s')}\n",
            f"[db]\ntype = redis\nsocket = {self.path('s')}\nsystem_user = bin\n",
            "[redis:found]\n",
            "[db]\ntype = redis\n",
        ):
            self.assert_not_meant(text, stranger)

    def test_the_accounts_that_sections_name_are_looked_at(self) -> None:
        sections = [one.section for one in self.drivers("[redis]\nsystem_user = daemon\n")]
        self.assertEqual(matching.trusted_users(sections), {DAEMON})


class WhatBecomesOfWhatNoSectionMeans(MatchingCase):
    def told(self, text: str, *servers: Server) -> List[str]:
        """The names of what is brought to rest, and the warnings."""
        self.write("guest.conf", text)
        configuration = config.load(self.places(), KINDS)
        rest = plan._not_left_out(servers, configuration)
        drivers = list(self.drivers(text))
        places = self.places()
        warnings = plan._add_found(drivers, rest, configuration, places, KINDS)
        return [driver.section.name for driver in drivers] + warnings

    def alone(self, name: str, number: int = 1) -> Server:
        return Server(Found(name, unsafe=f"it is {number}", process=number), None, is_strange=True)

    def test_one_of_another_name_is_one_more(self) -> None:
        server = self.server(Redis, self.socket("s"), socket=self.path("s"))
        self.assertEqual(self.told("[redis:else]\n", server), ["redis:else", "redis:found"])
        self.assertEqual(
            self.told("[redis:found]\nport = 1\n", server), ["redis:found", "redis:found@71"]
        )

    def test_what_is_disabled_or_covered_or_has_a_script_by_its_name_is_not_named(self) -> None:
        script = "type = script\nmethod = pair\nfreeze = /bin/true\nthaw = /bin/true\n"
        for text in (
            "[oracle]\nenabled = no\n",
            f"[oracle]\n{script}",
            f"[shop]\n{script}covers = sqlserver, oracle\n",
        ):
            self.assertNotIn("oracle: ", " ".join(self.told(text, self.alone("oracle"))))
        self.assertEqual(
            self.told("", self.alone("oracle")), ["oracle: not brought to rest: it is 1"]
        )

    def test_processes_of_one_name_are_one_warning(self) -> None:
        several = [self.alone("redis@nobody", number) for number in range(1000)]
        told = self.told("", *several, self.alone("oracle"))
        cause = "not brought to rest: 1000 processes, among them it is 0"
        self.assertEqual(told, [f"redis@nobody: {cause}", "oracle: not brought to rest: it is 1"])

    def test_too_many_warnings_are_a_number(self) -> None:
        told = self.told("", *(self.alone(f"x{number}") for number in range(100)))
        self.assertEqual(len(told), 13)
        self.assertEqual(told[-1], "and 88 more, not brought to rest either")


if __name__ == "__main__":
    unittest.main()
