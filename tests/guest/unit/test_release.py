"""The way back: side by side, an order only where sections ask for one, one bound for all."""

import threading
import time
from typing import Sequence
from unittest import mock

from stillpoint_guest.console import NONE, Console
from stillpoint_guest.errors import HoldLost
from stillpoint_guest.filesystems import own_freeze
from stillpoint_guest.holder import application, cycle
from stillpoint_guest.holder.announcements import Announcements
from stillpoint_guest.holder.cycle import Cycle
from stillpoint_guest.holder.plan import Plan
from stillpoint_guest.hook import client
from stillpoint_guest.hook.connection import Connection, connect
from stillpoint_guest.log import Log
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.freeze_record import Records
from stillpoint_guest.state.hold_marker import HoldMarker
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase
from tests.guest.unit.test_holder import HolderCase, section

HANGS = "hangs = release"


class SideBySide(HolderCase):
    def thawed(self) -> float:
        """How long the thaw took."""
        begin_s = time.monotonic()
        client.thaw(self.places())
        return time.monotonic() - begin_s

    def lost(self) -> str:
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        return str(caught.exception)

    def bound(self, seconds: float) -> None:
        """All have to be released within that."""
        for module in (application, cycle):
            patch = mock.patch.object(module, "RELEASE_S", seconds)
            patch.start()
            self.addCleanup(patch.stop)

    def released_at(self, name: str, begin_s: float) -> float:
        self.until(lambda: name + " release" in scripted.DID)
        return time.monotonic() - begin_s

    def test_five_that_take_their_time_take_it_together(self) -> None:
        each = ("hangs = release", "hang_s = 1", "release_s = 3")
        self.begin("".join(section("db%d" % number, *each) for number in range(5)))
        self.freeze()
        self.assertLess(self.thawed(), 5)

    def test_those_that_never_come_back_keep_nobody_waiting(self) -> None:
        hanging = (HANGS, "hang_s = 6", "release_s = 3")
        self.begin(
            section("first", *hanging)
            + section("shop")
            + "".join(section("db%d" % number, *hanging) for number in range(3))
        )
        self.freeze()
        begin_s = time.monotonic()
        thread = threading.Thread(target=self.lost)
        thread.start()
        self.assertLess(self.released_at("shop", begin_s), 3)
        thread.join()
        self.assertLess(time.monotonic() - begin_s, 6)

    def test_one_that_hangs_delays_the_next_in_order_by_its_share(self) -> None:
        self.bound(2)
        late = section("late", HANGS, "hang_s = 4", "release_s = 1.9", "order = 60")
        self.begin(late + section("early", "order = 40"))
        self.freeze()
        begin_s = time.monotonic()
        self.assertIn("late: release it: not done in time", self.lost())
        self.assertLess(time.monotonic() - begin_s, 4)
        self.assertLess(scripted.AT_S["early release"] - begin_s, 1.9)
        self.assertGreater(scripted.AT_S["early release"] - begin_s, 0.9)

    def test_the_bound_is_one_for_all_groups(self) -> None:
        self.bound(1.5)
        hanging = (HANGS, "hang_s = 4", "release_s = 1.5")
        sections = [section("db%d" % one, *hanging, "order = %d" % one) for one in range(3)]
        self.begin("".join(sections))
        self.freeze()
        begin_s = time.monotonic()
        self.lost()
        self.assertLess(time.monotonic() - begin_s, 4.5)

    def test_an_order_is_kept_between_groups_and_nobody_waits_within_one(self) -> None:
        slow = ("hangs = release", "hang_s = 1.5", "release_s = 4", "order = 60")
        self.begin(section("app1", *slow) + section("app2", *slow) + section("database"))
        self.freeze()
        self.assertLess(self.thawed(), 3)
        ended = {name: scripted.AT_S[name + " released"] for name in ("app1", "app2")}
        self.assertGreaterEqual(scripted.AT_S["database release"], max(ended.values()))
        self.assertLess(abs(ended["app1"] - ended["app2"]), 1.5)

    def test_a_section_with_more_time_than_all_together_keeps_it(self) -> None:
        self.bound(0.3)
        self.begin(section("slow", HANGS, "hang_s = 1.2", "release_s = 5"))
        self.freeze()
        self.assertLess(self.thawed(), 3)
        self.assertIn("slow released", scripted.AT_S)

    def test_a_freeze_that_is_given_up_does_not_wait_for_a_disk(self) -> None:
        """A sync that hangs: what was prepared is let go at once."""
        hanging = mock.patch.object(own_freeze, "sync", side_effect=lambda _: time.sleep(4))
        with hanging:
            self.begin(section("db"))
            connection = Connection(connect(self.places()))
            connection.say(verb="freeze")
            connection.hear(20)
            self.until(lambda: "db prepare" in scripted.DID)
            begin_s = time.monotonic()
            connection.__exit__()
            self.until(lambda: self.status().phase == "idle")
            self.assertLess(time.monotonic() - begin_s, 4)


class OfTheSameName(FolderCase):
    """Names are for people: what failed is one application, whatever another is called."""

    def held(self, sections: Sequence[Section]) -> Cycle:
        drivers = [scripted.Scripted(one, UndoJournal(self.folder, one)) for one in sections]
        places = self.places()
        log = Log("/none")
        hold = HoldMarker(self.path("hold"))
        said = Announcements(Console(log), NONE)
        begun = Cycle(Plan(drivers, 5, 60), Records(places.state), hold, log, said)
        begun.begin()
        self.assertTrue(begun.is_settled(20))
        return begun

    def test_one_that_is_left_out_leaves_no_other_out(self) -> None:
        good = Section("db", "scripted")
        bad = good._replace(options={"fails": "connect"})
        for sections in ((good, bad), (bad, good)):
            held = self.held(sections)
            assert held.record
            told = [one.level for one in held.record.applications if not one.error]
            self.assertEqual(told, ["application"])
            held.release("thaw")
            self.assertTrue(held.is_over(20))
