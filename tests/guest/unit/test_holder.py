"""The holder in this process, its clients over its real socket."""

import os
import threading
import time
from typing import Any, Dict, List, Sequence
from unittest import mock

from stillpoint_guest.errors import FreezeRefused, GuestError, HoldLost
from stillpoint_guest.holder import holder
from stillpoint_guest.hook import client, holder_status
from stillpoint_guest.hook.connection import Connection, connect
from stillpoint_guest.hook.holder_status import HolderStatus
from stillpoint_guest.log import Log
from stillpoint_guest.options.found import Found
from stillpoint_guest.state.freeze_record import FreezeRecord, Records
from stillpoint_guest.verbs import check, status

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase

HEAD = "[stillpoint-guest]\nwatchdog_s = {}\nconsole = {}\n"


class HolderCase(FolderCase):
    console = "no"  # this machine's is none of a test's

    def begin(self, sections: str, watchdog_s: float = 60, agent: str = "") -> None:
        self.write("guest.conf", HEAD.format(watchdog_s, self.console) + agent + sections)
        del scripted.DID[:]
        scripted.AT_S.clear()
        self.addCleanup(scripted.RUNNING.clear)
        leave = self.leave = threading.Event()
        self.ended: List[object] = []  # its exit status, or how it failed

        def run() -> None:
            try:
                self.ended.append(holder.run(self.places(), [scripted.Scripted], 0, leave))
            except GuestError as error:
                self.ended.append(error)

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        self.addCleanup(self.thread.join)
        self.addCleanup(leave.set)
        self.until(lambda: holder_status.ask(self.places()))

    def have_the_holder_leave(self) -> None:
        self.leave.set()
        self.thread.join()

    def until(self, is_so: Any) -> None:
        end_s = time.monotonic() + 60
        while not is_so():
            self.assertLess(time.monotonic(), end_s)
            time.sleep(0.01)

    def freeze(self) -> None:
        client.freeze(self.places()).__exit__()

    def refusal(self) -> str:
        with self.assertRaises(FreezeRefused) as caught:
            self.freeze()
        return str(caught.exception)

    def last(self) -> FreezeRecord:
        records = Records(self.path("state"))
        self.until(lambda: getattr(records.last(), "state", "") == "released")
        last = records.last()
        assert last
        return last

    def status(self) -> HolderStatus:
        status = holder_status.ask(self.places())
        assert status
        return status

    def held(self) -> Sequence[str]:
        hold = self.status().hold
        assert hold
        return hold.applications


def section(name: str, *lines: str) -> str:
    return "\n".join(("[" + name + "]", "type = scripted", *lines)) + "\n"


class OneCycle(HolderCase):
    def test_locks_are_taken_in_order_and_given_back_in_reverse(self) -> None:
        self.begin(section("second", "order = 2") + section("first", "order = 1"))
        self.freeze()
        self.assertEqual(scripted.DID[2:], ["first lock", "second lock"])
        self.assertTrue(client.thaw(self.places()))
        self.assertEqual(scripted.DID[4:], ["second release", "first release"])

    def test_the_record_is_on_the_disk_before_the_freeze(self) -> None:
        self.begin(section("db"))
        self.freeze()
        record = Records(self.path("state")).last()
        assert record
        self.assertEqual((record.state, record.verdict), ("held", "application"))
        told = record.applications[0]
        self.assertEqual((told.name, told.method), ("db", "scripted"))
        self.assertEqual(told.position, {"step": "1"})
        client.thaw(self.places())
        self.assertEqual(self.last().ended_by, "thaw")

    def test_a_second_freeze_is_refused_and_changes_nothing(self) -> None:
        """Hazard 6."""
        self.begin(section("db"))
        self.freeze()
        self.assertIn("there is a freeze already, in phase held; HINT: thaw first", self.refusal())
        self.assertTrue(client.thaw(self.places()))

    def test_a_thaw_without_a_freeze_is_no_error(self) -> None:
        """Hazard 6."""
        self.begin(section("db"))
        self.assertFalse(client.thaw(self.places()))
        self.freeze()

    def test_a_refusal_releases_the_others_and_is_told_whole(self) -> None:
        """Hazard 5."""
        self.begin(section("one") + section("two") + section("three", "fails = lock"))
        self.assertEqual(self.refusal(), "three: lock: scripted")
        self.assertEqual(set(scripted.DID[-2:]), {"two release", "one release"})
        self.assertFalse(client.thaw(self.places()))

    def test_one_that_is_not_required_is_left_out_and_recorded(self) -> None:
        self.begin(section("one") + section("two", "fails = lock", "required = no"))
        self.freeze()
        client.thaw(self.places())
        last = self.last()
        self.assertEqual(last.verdict, "filesystem")
        told = {one.name: (one.level, one.error) for one in last.applications}
        self.assertEqual(told["one"], ("application", ""))
        self.assertEqual(told["two"], ("crash", "two: lock: scripted"))

    def test_a_process_that_was_only_found_and_refuses_is_left_out_and_recorded(self) -> None:
        """Its account may be taken over: it must not end every freeze."""
        for step in ("prepare", "lock"):
            scripted.RUNNING[:] = [Found("db", {"fails": step}, process=os.getpid())]
            self.begin(section("one")) if step == "prepare" else None
            self.freeze()
            client.thaw(self.places())
            last = self.last()
            self.assertEqual(last.verdict, "filesystem")
            told = {one.name: one for one in last.applications}
            self.assertEqual(told["one"].level, "application")
            self.assertEqual(told["db"].error, "db: %s: scripted" % step)
            self.assertEqual((told["db"].level, told["db"].required), ("crash", False))

    def test_hooks_that_were_only_found_are_roots_and_end_a_freeze(self) -> None:
        scripted.RUNNING[:] = [Found("hooks", {"fails": "lock"})]
        self.begin(section("one"))
        self.assertEqual(self.refusal(), "hooks: lock: scripted")

    def test_what_was_found_of_an_account_leaves_time_for_all_others(self) -> None:
        hangs = {"hangs": "lock", "hang_s": "9"}
        found = [Found("db%d" % one, hangs, process=os.getpid()) for one in range(8)]
        scripted.RUNNING[:] = found
        self.begin(section("last", "order = 60"), agent="freeze_s = 4\n")
        self.freeze()
        client.thaw(self.places())
        told = {one.name: one.error for one in self.last().applications}
        self.assertEqual(told.pop("last"), "")
        self.assertEqual(told.pop("db0"), "db0: bring it to rest: not done in time")
        late = {"%s: bring it to rest: the time for it is over" % name for name in told}
        self.assertEqual(set(told.values()), late)

    def test_what_was_found_and_hangs_at_prepare_leaves_time_for_the_locks(self) -> None:
        hangs = {"hangs": "prepare", "hang_s": "9"}
        scripted.RUNNING[:] = [Found("db", hangs, process=os.getpid())]
        self.begin(section("last", "order = 60"), agent="freeze_s = 5\n")
        self.freeze()
        client.thaw(self.places())
        told = {one.name: one.error for one in self.last().applications}
        self.assertEqual(told["last"], "")
        self.assertIn("db: prepare", told["db"])

    def test_what_was_found_and_has_ended_leaves_time_for_all_others(self) -> None:
        hangs = {"hangs": "lock", "hang_s": "9"}
        ended = 1 << 23  # no process has such a number
        found = [Found("db%d" % one, hangs, process=ended + one) for one in range(2)]
        scripted.RUNNING[:] = found
        self.begin(section("last", "order = 60"), agent="freeze_s = 5\n")
        self.freeze()
        client.thaw(self.places())
        told = {one.name: one.error for one in self.last().applications}
        self.assertEqual(told["last"], "")

    def test_hooks_that_were_only_found_come_before_processes(self) -> None:
        found = [Found("db", process=os.getpid()), Found("hooks")]
        scripted.RUNNING[:] = found
        self.begin(section("last", "order = 60"))
        self.freeze()
        client.thaw(self.places())
        locks = [one for one in scripted.DID if one.endswith(" lock")]
        self.assertEqual(locks, ["hooks lock", "db lock", "last lock"])

    def test_a_lock_that_hangs_is_abandoned_and_its_late_release_disturbs_nobody(self) -> None:
        self.begin(section("one") + section("two", "hangs = lock", "hang_s = 4", "lock_s = 0.2"))
        self.assertEqual(self.refusal(), "two: bring it to rest: not done in time")
        self.assertIn("its driver still hangs in the freeze before", self.refusal())
        self.until(lambda: "two release" in scripted.DID)

    def test_a_release_that_hangs_is_bounded_and_the_next_is_released(self) -> None:
        """Hazard 8."""
        self.begin(section("one") + section("two", "hangs = release", "release_s = 0.2"))
        self.freeze()
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        self.assertIn("two: release it: not done in time", str(caught.exception))
        self.assertIn("one release", scripted.DID)

    def test_what_was_lost_while_held_is_told_by_the_thaw(self) -> None:
        self.begin(section("db", "fails = release"))
        self.freeze()
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        self.assertIn("db: release: scripted", str(caught.exception))
        self.assertFalse(client.thaw(self.places()))

    def test_the_watchdog_releases_and_the_late_thaw_says_so(self) -> None:
        """Hazard 10: whoever froze never comes back."""
        self.begin(section("db"), watchdog_s=0.2)
        self.freeze()
        self.until(lambda: "db release" in scripted.DID)
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        self.assertIn("no thaw came within 0.2 s", str(caught.exception))

    def test_a_client_that_goes_away_did_not_want_its_freeze(self) -> None:
        self.begin(section("db", "hangs = prepare", "hang_s = 4"))
        connection = Connection(connect(self.places()))
        connection.say(verb="freeze")
        connection.hear(20)
        connection.__exit__()
        self.until(lambda: self.status().phase == "idle")
        self.assertFalse(client.thaw(self.places()))
        self.assertNotIn("db lock", scripted.DID)

    def test_a_client_that_did_not_take_the_answer_was_promised_nothing(self) -> None:
        """As one whose agent was killed just then: no later thaw may vouch for that hold."""
        self.begin(section("db"))
        connection = Connection(connect(self.places()))
        connection.say(verb="freeze")
        connection.hear(20)
        self.assertEqual(connection.hear(20), {"is_held": "1"})
        connection.__exit__()
        self.until(lambda: self.status().phase == "idle")
        self.until(lambda: self.status().hold is None)
        self.assertFalse(client.thaw(self.places()))

    def test_a_leash_that_is_let_go_releases_and_the_hold_is_lost(self) -> None:
        self.begin(section("db"))
        client.freeze(self.places(), is_leashed="1").__exit__()
        self.until(lambda: "db release" in scripted.DID)
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        self.assertIn("the command around which it was held is gone", str(caught.exception))

    def test_a_holder_that_is_told_to_leave_releases_first(self) -> None:
        self.begin(section("db"))
        self.freeze()
        self.doCleanups()
        self.assertEqual(scripted.DID[-1], "db release")

    def test_ten_applications_in_one_freeze(self) -> None:
        self.begin("".join(section("db%d" % number) for number in range(10)))
        self.freeze()
        self.assertTrue(client.thaw(self.places()))
        self.assertEqual(len(scripted.DID), 30)

    def test_a_configuration_that_cannot_be_used_refuses_the_freeze(self) -> None:
        self.begin("[db]\ntype = scripted\nlokc_s = 1\n")
        with mock.patch.object(Log, "say") as said:
            self.assertIn("the nearest is 'lock_s'", self.refusal())
        self.assertIn("the nearest is 'lock_s'", said.call_args_list[0][0][0])

    def test_a_disk_that_takes_no_record_does_not_stop_the_freeze(self) -> None:
        self.write("state", "a file in its way")
        self.begin(section("db"))
        self.freeze()
        self.assertTrue(client.thaw(self.places()))

    def test_questions_that_make_no_sense_end_nobody(self) -> None:
        self.begin(section("db"))
        answers: List[bytes] = []
        for line in (b"\n", b"=\n", b"{}\n", b"verb=melt\n", b"\xff\n", b""):
            peer = connect(self.places())
            peer.sendall(line)
            peer.shutdown(1)
            answers.append(peer.recv(4096))
            peer.close()
        self.assertIn(b"not a request of this version", answers[3])
        self.freeze()
        self.assertTrue(client.thaw(self.places()))


class Discovered(HolderCase):
    """What runs is found; whether it is needed depends on whether it lets us in."""

    def run_found(self, fails: str, sections: str = "") -> None:
        scripted.RUNNING[:] = [Found("shop", {"fails": fails})]
        self.begin(section("one") + sections)

    def checked(self) -> Dict[str, bool]:
        found = check.findings(self.places(), [scripted.Scripted])
        return {each.text: each.is_blocking for each in found if not each.is_good}

    def test_one_that_does_not_let_us_in_is_recorded_and_lowers_the_verdict(self) -> None:
        self.run_found("connect")
        self.freeze()
        self.assertEqual(self.held(), ("one",))
        client.thaw(self.places())
        last = self.last()
        self.assertEqual(last.verdict, "filesystem")
        told = {one.name: (one.level, one.error) for one in last.applications}
        self.assertEqual(told["one"], ("application", ""))
        self.assertEqual(told["shop"], ("crash", "shop: connect: no password"))

    def test_it_is_named_by_check_and_status(self) -> None:
        self.run_found("connect")
        self.assertIs(self.checked()["shop: connect: no password"], False)
        self.freeze()
        client.thaw(self.places())
        self.last()
        told = status.lines(status.collect(self.places(), [scripted.Scripted]))
        self.assertIn("shop: connect: no password", "\n".join(told))

    def test_one_that_lets_us_in_and_refuses_ends_the_freeze(self) -> None:
        self.run_found("lock")
        self.assertEqual(self.refusal(), "shop: lock: scripted")

    def test_one_that_is_configured_ends_it_although_it_does_not_let_us_in(self) -> None:
        self.run_found("connect", section("shop", "fails = connect"))
        self.assertEqual(self.refusal(), "shop: connect: no password")
        self.assertIs(self.checked()["shop: connect: no password"], True)


class NoHolder(FolderCase):
    def test_a_place_in_run_that_cannot_be_made_is_told(self) -> None:
        self.write("run", "a file in its way")
        with self.assertRaises(GuestError) as caught:
            client.freeze(self.places())
        self.assertIn(self.path("run"), str(caught.exception))
