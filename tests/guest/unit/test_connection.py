"""What the hook and the holder say to each other, and what the hook costs its guest."""

import os
import socket
import subprocess
import sys
import threading
import unittest
from typing import Dict, Sequence

from stillpoint_guest.errors import GuestError, HolderUnreachable, HoldLost
from stillpoint_guest.hook import client, holder_status, messages
from stillpoint_guest.hook.connection import Connection
from stillpoint_guest.verbs import check, status

from tests.guest.unit.folders import FolderCase

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


class AReplyThatIsNone(FolderCase):
    def holder(self, reply: bytes) -> None:
        """One that says this to the first client."""
        os.makedirs(self.places().run)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.places().socket)
        listener.listen(1)

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)

    def test_is_a_clear_error(self) -> None:
        self.holder(b"is_held=1\n")
        with self.assertRaises(HolderUnreachable) as caught:
            client.thaw(self.places())
        self.assertIn("no reply of this version: {'is_held': '1'}", str(caught.exception))

    def test_is_one_even_if_it_has_no_keys(self) -> None:
        self.holder(b"\xff\n")
        with self.assertRaisesRegex(HolderUnreachable, "not key=value"):
            client.thaw(self.places())

    def test_an_error_may_lack_all_but_its_cause(self) -> None:
        self.holder(b"error=it was lost\n")
        with self.assertRaisesRegex(HoldLost, "holder: ask it: it was lost"):
            client.thaw(self.places())

    def test_a_status_is_checked_key_by_key(self) -> None:
        self.holder(b'status={"phase": 1}\n')
        with self.assertRaisesRegex(HolderUnreachable, "phase is not a text"):
            holder_status.ask(self.places())

    def test_a_record_of_another_version_is_a_warning_of_status(self) -> None:
        self.holder(b'status={"phase": "idle", "last": {"format": 2}, "origin": []}\n')
        self.assert_warnings(status.collect(self.places(), []).warnings)

    def test_a_record_of_another_version_is_a_warning_of_check(self) -> None:
        self.holder(b'status={"phase": "idle", "last": {"format": 2}, "origin": []}\n')
        found = [one for one in check.findings(self.places(), []) if "holder" in one.text]
        self.assertEqual([one.is_good for one in found], [True, False, False])
        self.assertFalse(any(one.is_blocking for one in found[1:]))
        self.assert_warnings([one.text for one in found[1:]])

    def assert_warnings(self, told: "Sequence[str]") -> None:
        last, origin = told
        self.assertIn("the holder's record last is none of this version: format 2", last)
        self.assertIn("the holder's record origin is none of this version: it is not", origin)


class ARequestThatIsNone(unittest.TestCase):
    def test_is_a_clear_error(self) -> None:
        for fields in (
            {},
            {"verb": "melt"},
            {"verb": "freeze", "filesystems": "["},
            {"verb": "freeze", "filesystems": "{}"},
            {"verb": "freeze", "filesystems": "[1]"},
            {"verb": "freeze", "filesystems": "[" * 100000},
        ):
            wanted = self.assertRaisesRegex(GuestError, "not a request of this version")
            with self.subTest(fields=str(fields)[:50]), wanted:
                messages.parse(fields)

    def test_keys_of_later_versions_are_ignored(self) -> None:
        request = messages.FreezeRequest(is_leashed=True, filesystems=("/data",))
        fields = {"verb": "freeze", "later": "1", **request.options()}
        self.assertEqual(messages.parse(fields), request)


class Start(unittest.TestCase):
    def test_the_hook_imports_nothing_that_costs_as_much_as_python(self) -> None:
        words = [sys.executable, "-ISBc", HOOK, SOURCES]
        imported = set(subprocess.check_output(words).decode().split())
        self.assertIn("stillpoint_guest.hook.client", imported)
        self.assertEqual(imported & COSTLY, set())
