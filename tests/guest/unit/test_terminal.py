"""Text of others on root's terminal, and in what QEMU's agent is told."""

import contextlib
import io
import json
import sys
from typing import Iterator
from unittest import mock

from stillpoint_guest import __main__
from stillpoint_guest.errors import FreezeRefused
from stillpoint_guest.hook import client
from stillpoint_guest.options.found import Found
from stillpoint_guest.verbs import command_line

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase

TITLE = "shop\x1b]0;a title\x07\x1b[2J\u202e\udcff"
SHOWN = r"shop\x1b]0;a title\x07\x1b[2J\u202e\xff"


@contextlib.contextmanager
def terminal(encoding: str) -> Iterator[io.BytesIO]:
    written = io.BytesIO()
    text = io.TextIOWrapper(written, encoding=encoding, write_through=True)
    with mock.patch.object(sys, "stdout", text), mock.patch.object(sys, "stderr", text):
        yield written


class NamesOfOthers(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(scripted.RUNNING.clear)

    def shown(self, *words: str, encoding: str = "utf-8") -> str:
        places = ("--run", self.path("run"), "--state", self.path("state"))
        with terminal(encoding) as written:
            command_line.run(
                ("--configuration", self.path("guest.conf"), *places, *words), [scripted.Scripted]
            )
            return written.getvalue().decode(encoding)

    def test_they_move_nothing_in_status_and_check(self) -> None:
        scripted.RUNNING[:] = [Found(TITLE, {"fails": "prepare"}), Found(TITLE + "2", unsafe=TITLE)]
        for words in ("status", "check"):
            shown = self.shown(words)
            self.assertIn(SHOWN, shown)
            self.assertTrue(all(line.isprintable() for line in shown.splitlines()), shown)

    def test_machines_get_them_as_they_are(self) -> None:
        scripted.RUNNING[:] = [Found(TITLE)]
        told = json.loads(self.shown("status", "--output", "json"))
        self.assertEqual(told["applications"][0]["name"], TITLE)

    def test_a_terminal_without_their_letters_ends_nothing(self) -> None:
        scripted.RUNNING[:] = [Found("Käse数据")]
        self.assertIn("K\\xe4se\\u6570\\u636e", self.shown("status", encoding="ascii"))
        self.assertIn("Käse\\u6570\\u636e", self.shown("status", encoding="iso-8859-1"))

    def test_a_name_as_long_as_a_book_is_a_line(self) -> None:
        scripted.RUNNING[:] = [Found("x" * 1000000)]
        self.assertLess(len(self.shown("status")), 5000)

    def test_the_agent_is_told_one_line(self) -> None:
        refusal = FreezeRefused(TITLE, "lock", "first\nsecond" + "x" * 100000)
        with mock.patch.object(client, "freeze", side_effect=refusal), terminal("utf-8") as told:
            self.assertEqual(__main__.main(["freeze"]), 1)
            line = told.getvalue().decode()
        self.assertIn(SHOWN, line)
        self.assertLess(len(line), 5000)
        self.assertTrue(line[:-1].isprintable())
