"""What the hook and the holder say to each other, and what the hook costs its guest."""

import os
import socket
import subprocess
import sys
import unittest
from typing import Dict

from stillpoint_guest.hook.connection import Connection

SOURCES = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../../guest_hooks"))
HOOK = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "import stillpoint_guest.__main__; print(*sys.modules)"
)
COSTLY = {"collections", "contextlib", "enum", "json", "os", "re", "runpy", "socket", "typing"}


class OneLine(unittest.TestCase):
    def told(self, **content: str) -> Dict[str, str]:
        ours, theirs = map(Connection, socket.socketpair())
        with ours, theirs:
            ours.say(**content)
            return theirs.hear(20)

    def test_values_arrive_as_they_were_said(self) -> None:
        said = {"error": 'a = b; "c"  d', "hint": "", "subject": "/data/\udcff/\u00e9"}
        self.assertEqual(self.told(**said), said)

    def test_a_value_of_many_lines_stays_one_value(self) -> None:
        told = self.told(error="one\ntwo\tkept=1", hint="none")
        self.assertEqual(told, {"error": "one two kept=1", "hint": "none"})


class Start(unittest.TestCase):
    def test_the_hook_imports_nothing_that_costs_as_much_as_python(self) -> None:
        words = [sys.executable, "-ISBc", HOOK, SOURCES]
        imported = set(subprocess.check_output(words).decode().split())
        self.assertIn("stillpoint_guest.hook.client", imported)
        self.assertEqual(imported & COSTLY, set())
