"""A hold that was lost is told, whatever /run takes and whoever is gone; the release is first."""

import errno
import os
import shutil
import socket
import threading
import time
from typing import List, Tuple
from unittest import mock

from stillpoint_guest.errors import GuestError, HoldLost
from stillpoint_guest.holder import holder
from stillpoint_guest.hook import client, holder_status
from stillpoint_guest.hook.connection import Connection, connect
from stillpoint_guest.log import Log
from stillpoint_guest.state.hold_marker import HoldMarker

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase
from tests.guest.unit.test_holder import HolderCase, section


class ARunThatTakesNothing(HolderCase):
    def fill_run(self) -> None:
        """Its marks cannot be written any more: as with ENOSPC, but for root's tests too."""
        os.mkdir(self.path("run/hold.json.new"))

    def lost(self) -> str:
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        return str(caught.exception)

    def test_the_watchdogs_release_is_told(self) -> None:
        self.begin(section("db"), watchdog_s=0.3)
        self.freeze()
        self.fill_run()
        self.until(lambda: "db release" in scripted.DID)
        self.assertIn("no thaw came within 0.3 s", self.lost())
        self.assertFalse(client.thaw(self.places()), "it is told once")

    def test_a_leash_that_is_let_go_releases_and_is_told(self) -> None:
        self.begin(section("db"))
        leash = client.freeze(self.places(), is_leashed="1")
        self.fill_run()
        leash.__exit__()
        self.until(lambda: "db release" in scripted.DID)
        self.assertIn("the command around which it was held is gone", self.lost())

    def test_a_holder_that_leaves_releases_and_the_next_one_tells(self) -> None:
        self.begin(section("db"))
        self.freeze()
        self.fill_run()
        self.have_it_leave()
        self.assertIn("db release", scripted.DID)
        self.begin(section("db"))
        self.assertIn("the holder was killed", self.lost())

    def test_nothing_is_held_that_cannot_be_noted(self) -> None:
        self.begin(section("db"))
        self.fill_run()
        self.assertIn("it cannot be noted in /run", self.refusal())
        self.assertIn("db release", scripted.DID)
        self.assertFalse(client.thaw(self.places()))

    def have_it_leave(self) -> None:
        self.leave.set()
        self.thread.join()


class Marks(HolderCase):
    def test_one_that_was_removed_is_a_hold_that_was_lost(self) -> None:
        self.begin(section("db"))
        self.freeze()
        os.unlink(self.path("run/hold.json"))
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        self.assertIn("was removed", str(caught.exception))
        self.assertIn("db release", scripted.DID)

    def test_one_that_cannot_be_read_ends_no_holder_and_vouches_for_nothing(self) -> None:
        for content in ("", "{", "[]", '{"since": 1}', "\0" * 100, "[" * 100):
            self.write("run/hold.json", content)
            hold = HoldMarker(self.path("run/hold.json")).read()
            assert hold
            self.assertIn("cannot be read", hold.lost)
        self.begin(section("db"))
        with self.assertRaises(HoldLost):
            client.thaw(self.places())
        self.freeze()
        self.assertTrue(client.thaw(self.places()))

    def test_one_of_a_holder_that_is_gone_is_lost_even_if_it_does_not_say_so(self) -> None:
        old = '{"since": "2026-11-24T18:21:51.123Z", "applications": ["db"], "lost": ""}'
        self.write("run/hold.json", old)
        hold = HoldMarker(self.path("run/hold.json")).read()
        assert hold
        self.assertIn("the holder was killed", hold.lost)

    def test_a_refused_freeze_leaves_none(self) -> None:
        self.begin(section("db", "fails = lock"))
        self.refusal()
        self.assertFalse(client.thaw(self.places()))


class AFolderThatIsGone(HolderCase):
    def test_the_holder_ends_in_order_and_the_next_one_knows(self) -> None:
        self.begin(section("db"))
        self.freeze()
        shutil.rmtree(self.path("run"))
        self.thread.join(20)
        self.assertIsInstance(self.ended[0], GuestError)
        self.assertIn("was removed", str(self.ended[0]))
        self.assertIn("db release", scripted.DID)
        self.begin(section("db"))
        with self.assertRaises(HoldLost):
            client.thaw(self.places())
        self.freeze()
        self.assertTrue(client.thaw(self.places()))

    def test_an_idle_one_ends_too_and_leaves_no_mark(self) -> None:
        self.begin(section("db"))
        shutil.rmtree(self.path("run"))
        self.thread.join(20)
        self.assertIsInstance(self.ended[0], GuestError)
        self.begin(section("db"))
        self.assertFalse(client.thaw(self.places()))

    def test_only_the_socket_is_made_anew(self) -> None:
        self.begin(section("db"))
        self.freeze()
        os.unlink(self.path("run/holder.sock"))
        self.until(lambda: holder_status.ask(self.places()))
        self.assertTrue(client.thaw(self.places()))

    def test_folders_that_were_removed_are_made_for_the_next_freeze(self) -> None:
        self.begin(section("db"))
        os.rmdir(self.path("run/notes"))
        self.freeze()
        self.assertTrue(client.thaw(self.places()))


class ClientsThatGoAway(HolderCase):
    def test_one_that_is_gone_before_the_first_answer_leaves_nothing_held(self) -> None:
        self.begin(section("db", "hangs = prepare", "hang_s = 0.3"))
        with mock.patch.object(Connection, "say", side_effect=BrokenPipeError):
            peer = connect(self.places())
            peer.sendall(b"verb=freeze\n")
            self.until(lambda: "db prepare" in scripted.DID)
            time.sleep(0.5)
            peer.close()
        self.until(lambda: self.status().phase == "idle")
        self.assertNotIn("db lock", scripted.DID)

    def test_many_that_say_nothing_keep_no_thaw_out(self) -> None:
        with mock.patch.object(holder, "_REQUEST_S", 0.5):
            self.begin(section("db"))
            self.freeze()
            silent = [connect(self.places()) for _ in range(80)]
            self.assertTrue(client.thaw(self.places()))
            for one in silent:
                one.close()

    def test_a_question_without_end_is_not_kept(self) -> None:
        self.begin(section("db"))
        peer = connect(self.places())
        with self.assertRaises(OSError):
            while True:
                peer.sendall(b"x" * 65536)
        peer.close()
        self.freeze()


class FaultyListener:
    """A listener without descriptors for some time."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._errors: List[BaseException] = [
            OSError(errno.EMFILE, "Too many open files"),
            RuntimeError("can't start new thread"),
        ]

    def settimeout(self, seconds: float) -> None:
        self._listener.settimeout(seconds)

    def accept(self) -> Tuple[socket.socket, str]:
        if self._errors:
            raise self._errors.pop(0)
        return self._listener.accept()


class AHolderWithoutDescriptors(FolderCase):
    def test_it_goes_on(self) -> None:
        places = self.places()
        os.makedirs(places.undo_journals)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(places.socket)
        listener.listen(4)
        leave = threading.Event()
        serving = holder.Holder(places, [scripted.Scripted], Log("/none"))
        arguments = (FaultyListener(listener), 0, leave)
        thread = threading.Thread(target=serving.serve, args=arguments)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(leave.set)
        status = holder_status.ask(places)
        self.assertEqual(status and status.phase, "idle")
