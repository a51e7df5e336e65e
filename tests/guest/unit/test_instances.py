import os
import unittest

from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.mysql_family.mariadb import MariaDB
from stillpoint_guest.drivers.postgresql.driver import PostgreSQL
from stillpoint_guest.drivers.redis.driver import Redis
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.unit.folders import FolderCase


class AServerIsTheSameByEveryNameOfItsSocket(FolderCase):
    """As /var/run is a link to /run: a section takes the place of what was found only then."""

    def setUp(self) -> None:
        super().setUp()
        os.mkdir(self.path("run"))
        os.mkdir(self.path("var"))
        os.symlink("../run", self.path("var/run"))

    def instances(self, kind: "type[Driver]", option: str, name: str) -> "set[str]":
        sections = [
            Section("one", kind.KIND, options={option: self.path(folder + name)})
            for folder in ("run", "var/run")
        ]
        return {kind(section, UndoJournal(self.folder, section)).instance for section in sections}

    def test_postgresql(self) -> None:
        self.assertEqual(len(self.instances(PostgreSQL, "host", "")), 1)

    def test_mariadb(self) -> None:
        self.assertEqual(len(self.instances(MariaDB, "socket", "/mysqld.sock")), 1)

    def test_redis(self) -> None:
        self.assertEqual(len(self.instances(Redis, "socket", "/redis.sock")), 1)


if __name__ == "__main__":
    unittest.main()
