"""A freeze is of so many applications as there is room for, and says which it left alone."""

import json
import os
import resource
import subprocess
import unittest
from typing import Any, List, Tuple
from unittest import mock

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.script.driver import Script
from stillpoint_guest.holder import capacity
from stillpoint_guest.hook import client
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import DISCOVERED, Section
from stillpoint_guest.state import freeze_record
from stillpoint_guest.state.freeze_record import ApplicationRecord, FreezeRecord
from stillpoint_guest.state.undo_journal import UndoJournal
from stillpoint_guest.verbs import status

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase
from tests.guest.unit.test_holder import HolderCase, section

NOFILE = resource.RLIMIT_NOFILE


def driver(name: str, source: str = DISCOVERED, kind: str = "a", process: int = 0) -> Driver:
    made = Section(name, kind, source=source, process=process)
    return Driver(made, UndoJournal("/nowhere", made))


def names(drivers: List[Driver]) -> List[str]:
    return [one.section.name for one in drivers]


class Room(unittest.TestCase):
    def test_an_ordinary_guest_has_room_for_all(self) -> None:
        drivers = [driver("db%d" % number) for number in range(20)]
        self.assertEqual(capacity.select(drivers), (drivers, []))

    def test_what_is_too_much_is_named_and_counted(self) -> None:
        drivers = [driver("db%03d" % number) for number in range(100)]
        kept, [warning] = capacity.select(drivers)
        self.assertEqual(kept, drivers[:64])
        self.assertIn("for 36 more, left alone: db064, db065, ", warning)
        self.assertIn("24 others", warning)
        self.assertLess(len(warning), 400)

    def test_what_is_configured_is_never_left_out(self) -> None:
        configured = [driver("shop%d" % number, "guest.conf") for number in range(80)]
        kept, [warning] = capacity.select([driver("found"), *configured])
        self.assertEqual(kept, configured)
        self.assertIn("left alone: found", warning)

    def test_many_of_one_kind_displace_none_of_another(self) -> None:
        drivers = [driver("a%d" % number) for number in range(200)] + [driver("b", kind="b")]
        self.assertIn("b", names(capacity.select(drivers)[0]))

    def test_many_of_one_account_displace_none_of_another(self) -> None:
        """Of the same kind: a service account that was taken over starts what it likes."""
        nobody = subprocess.Popen(["/bin/sleep", "100"], **as_nobody())
        self.addCleanup(nobody.wait)
        self.addCleanup(nobody.kill)
        many = [driver("own%d" % number, process=nobody.pid) for number in range(200)]
        kept, _ = capacity.select([*many, driver("real", process=os.getpid())])
        self.assertIn("real", names(kept))

    def test_descriptors_are_counted(self) -> None:
        drivers = [driver("db%d" % number) for number in range(30)]
        for soft, count in ((64, 2), (128, 10), (20, 1)):
            limit = mock.patch.object(resource, "getrlimit", return_value=(soft, soft))
            with limit:
                self.assertEqual(len(capacity.select(drivers)[0]), count)

    def test_the_limit_is_raised_as_far_as_it_is_allowed(self) -> None:
        for before, after in (((256, 4096), 1024), ((256, 512), 512), ((256, -1), 1024)):
            self.assertEqual(self.limited(before), [mock.call(NOFILE, (after, before[1]))])
        self.assertEqual(self.limited((4096, 4096)), [])

    def limited(self, before: Tuple[int, int]) -> List[object]:
        with mock.patch.object(resource, "getrlimit", return_value=before):
            with_limit = mock.patch.object(resource, "setrlimit")
            with with_limit as limited:
                capacity.raise_limit()
        return list(limited.call_args_list)


def as_nobody() -> dict:  # type: ignore[type-arg]
    if os.geteuid():
        raise unittest.SkipTest("missing: root, to start a process of another user")
    return {"preexec_fn": lambda: os.setuid(65534)}


class InAFreeze(HolderCase):
    def test_those_without_room_are_told_and_lower_the_verdict(self) -> None:
        scripted.RUNNING[:] = [Found("db%03d" % number) for number in range(70)]
        self.begin(section("shop"))
        self.freeze()
        self.assertEqual(len(self.held()), 64)
        client.thaw(self.places())
        last = self.last()
        self.assertEqual(last.verdict, "filesystem")
        self.assertIn("no room in one freeze for 7 more", last.warnings[0])
        told = status.lines(status.collect(self.places(), [scripted.Scripted]))
        self.assertIn("no room in one freeze for 7 more", "\n".join(told))


class Records(unittest.TestCase):
    def test_what_others_say_in_it_is_printable_and_bounded(self) -> None:
        hostile = "\x1b[2J\udcff" + "x" * 1000000
        one = ApplicationRecord(
            name=hostile,
            type="db",
            required=True,
            source=hostile,
            level="crash",
            position={hostile + str(number): hostile for number in range(1000)},
            warnings=(hostile,) * 100000,
            timings_s={"lock": 0.5},
        )
        made = freeze_record.bounded(record(applications=(one,) * 70, warnings=(hostile,) * 1000))
        self.assertEqual(len(made.applications), 70)
        self.assertEqual(made.warnings[-1], "and 980 more")
        told = made.applications[0]
        self.assertEqual((told.timings_s, told.required), ({"lock": 0.5}, True))
        self.assertTrue(told.name.isprintable())
        self.assertLess(len(json.dumps(freeze_record.to_json(made))), 10000000)

    def test_ordinary_ones_are_as_they_were(self) -> None:
        one = ApplicationRecord("\u00e4", "db", True, "guest.conf", "application")
        made = record(applications=(one,), warnings=("a", "b"), freeze_s=1.5)
        self.assertEqual(freeze_record.bounded(made), made)


def record(**facts: Any) -> FreezeRecord:
    return FreezeRecord("held", "application", "a boot", "0.1.0")._replace(**facts)


class AHookFromBefore(FolderCase):
    """QEMU's own hook has no limit; one that was found is not killed for ours."""

    def script(self, source: str) -> Script:
        hooks = self.path("hooks")
        self.write("hooks/dump.sh", "#!/bin/sh\n", 0o700)
        section = Section("script:" + hooks, "script", options={"path": hooks}, source=source)
        return Script(section, UndoJournal(self.folder, section))

    def test_it_has_what_is_left_and_check_says_so(self) -> None:
        found = self.script(DISCOVERED)
        self.assertEqual(Deadline(5).or_after(found.lock_s), Deadline(5))
        [finding] = found.check(Deadline.after(5))
        self.assertIn("within what is left of freeze_s", finding.text)

    def test_a_section_keeps_its_own(self) -> None:
        configured = self.script("guest.conf")
        self.assertEqual(configured.lock_s, 3)
        [finding] = configured.check(Deadline.after(5))
        self.assertIn("within 3 s", finding.text)
