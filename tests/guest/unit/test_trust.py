"""What root reads is root's, at each component of its path as it is written; beside a real user."""

import os

from stillpoint_guest import trust
from stillpoint_guest.errors import ConfigurationError, UntrustedFile

from tests.guest.unit.folders import FolderCase
from tests.guest.unit.others import AS_ROOT, NOBODY, other


@AS_ROOT
class WhatRootReads(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.made("own/secret", 0o600)
        self.theirs = self.path("theirs")
        os.mkdir(self.theirs)
        os.chown(self.theirs, NOBODY, -1)

    def made(self, name: str, mode: int) -> str:
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("word")
        os.chmod(path, mode)
        return path

    def refused(self, path: str, whose: str) -> None:
        with self.assertRaises(UntrustedFile) as caught:
            trust.require(path, is_secret=True)
        self.assertIn("%s belongs to user %d" % (whose, NOBODY), str(caught.exception))

    def test_is_taken_where_it_is_roots_all_the_way(self) -> None:
        own = self.path("own/secret")
        os.symlink(own, self.path("own/link"))
        os.symlink("own", self.path("folder"))
        for path in (own, self.path("own/link"), self.path("folder/secret")):
            trust.require(path, is_secret=True)

    def test_may_lie_where_everybody_writes_but_takes_nothing_away(self) -> None:
        shared = self.made("shared/secret", 0o600)
        os.chmod(self.path("shared"), 0o1777)
        trust.require(shared, is_secret=True)
        os.chmod(self.path("shared"), 0o777)
        with self.assertRaises(UntrustedFile):
            trust.require(shared, is_secret=True)

    def test_is_not_reached_by_somebody_elses_link(self) -> None:
        link, folder = self.path("theirs/link"), self.path("theirs/folder")
        with other(NOBODY, os.symlink, self.path("own/secret"), link):
            self.refused(link, self.theirs)
        with other(NOBODY, os.symlink, self.path("own"), folder):
            self.refused(folder + "/secret", self.theirs)
        os.symlink(link, self.path("by-root"))
        self.refused(self.path("by-root"), self.theirs)

    def test_is_not_reached_by_a_link_where_everybody_may_put_one(self) -> None:
        os.mkdir(self.path("shared"))
        os.chmod(self.path("shared"), 0o1777)
        link = self.path("shared/link")
        with other(NOBODY, os.symlink, self.path("own/secret"), link):
            self.refused(link, link)

    def test_is_not_reached_through_somebody_elses_folder(self) -> None:
        self.refused(self.made("theirs/secret", 0o600), self.theirs)
        self.refused(self.path("theirs/../own/secret"), self.theirs)

    def test_is_not_what_somebody_else_has_written(self) -> None:
        path = self.made("own/other", 0o600)
        os.chown(path, NOBODY, -1)
        self.refused(path, path)

    def test_that_leads_nowhere_is_an_error_of_ours(self) -> None:
        os.symlink("round", self.path("round"))
        for path in (self.path("round"), self.path("own/secret/below"), self.path("none")):
            with self.assertRaises(ConfigurationError):
                trust.require(path)
