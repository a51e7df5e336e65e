"""The applications of a copy that answer again, and the line that says so."""

import os
import threading
from typing import Any, Dict, Optional, Sequence
from unittest import mock

from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.script.driver import Script
from stillpoint_guest.holder import answers
from stillpoint_guest.holder.answers import Answers
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import Section
from stillpoint_guest.state import console_line, freeze_record
from stillpoint_guest.state.freeze_record import Records
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase
from tests.guest.unit.test_console import HOSTILE, ID, TerminalCase, parse
from tests.guest.unit.test_holder import HEAD, section
from tests.guest.unit.test_record import APPLICATION, RECORD


def at_rest(*names: str) -> Any:
    return RECORD._replace(
        id=ID, applications=tuple(APPLICATION._replace(name=name) for name in names)
    )


class AtItsFirstBoot(TerminalCase):
    def setUp(self) -> None:
        super().setUp()
        look = mock.patch.object(answers, "_LOOK_S", 0.01)
        look.start()
        self.addCleanup(look.stop)

    def said(self, state: str) -> Dict[str, Any]:
        """The line of a state, once there is one."""
        self.until(lambda: state in self.terminal.states())
        return next(line for line in self.terminal.lines() if line["state"] == state)

    def test_a_copy_says_which_applications_answer_again(self) -> None:
        left_out = APPLICATION._replace(name="left out", error="no password")
        record = at_rest("db", "gone")
        applications = (*record.applications, left_out)
        Records(self.path("state")).write(record._replace(applications=applications))
        self.begin("[on-copy]\nanswers_s = 0.5\n" + section("db"))
        said = self.said("answers")
        self.assertGreater(said.pop("took_s"), 0)
        common = {"v": 1, "id": ID, "boot": freeze_record.boot_id(), "state": "answers"}
        self.assertEqual(said, {**common, "yes": ["db"], "no": ["gone"], "unasked": []})
        self.assertEqual(self.terminal.states(), ["copied", "answers"])

    def test_one_that_starts_late_is_waited_for(self) -> None:
        Records(self.path("state")).write(at_rest("db"))
        self.begin(section("db", "fails = connect"))
        self.said("copied")
        self.write("guest.conf", HEAD.format(60, self.console) + section("db"))
        self.assertEqual(self.said("answers")["yes"], ["db"])

    def test_a_copy_says_it_once(self) -> None:
        Records(self.path("state")).write(at_rest("db"))
        self.begin(section("db"))
        self.said("answers")
        self.have_the_holder_leave()
        self.begin(section("db"))
        self.have_the_holder_leave()
        self.assertEqual(self.terminal.states(), ["copied", "answers"])

    def test_a_holder_that_leaves_asks_no_longer(self) -> None:
        Records(self.path("state")).write(at_rest("gone"))
        self.begin("")
        self.said("copied")
        self.have_the_holder_leave()
        left = [thread for thread in threading.enumerate() if thread.name == "answers"]
        for thread in left:
            thread.join(60)
            self.assertFalse(thread.is_alive())
        self.assertEqual(self.terminal.states(), ["copied"])


class TheAnswers(FolderCase):
    def scripted(self, name: str, process: int = 0, **options: str) -> Driver:
        made = Section(name, "scripted", options=options, process=process)
        return scripted.Scripted(made, UndoJournal(self.folder, made))

    def of(self, names: Sequence[str], drivers: Sequence[Driver], **free: bool) -> Answers:
        is_free = free.get("is_free", True)
        found: Optional[Answers] = answers.collect(
            at_rest(*names), lambda: drivers, 0.3, lambda: is_free, threading.Event()
        )
        assert found
        return found

    def test_of_one_that_lets_us_in_and_refuses_is_yes(self) -> None:
        found = self.of(["db"], [self.scripted("db", fails="prepare")])
        self.assertEqual(found.yes, ("db",))

    def test_of_one_that_does_not_let_us_in_is_no(self) -> None:
        found = self.of(["db"], [self.scripted("db", fails="connect")])
        self.assertEqual((found.yes, found.no), ((), ("db",)))

    def test_of_one_that_does_not_run_is_no(self) -> None:
        self.assertEqual(self.of(["db"], []).no, ("db",))

    def test_of_one_that_was_not_at_rest_is_none(self) -> None:
        self.assertEqual(self.of([], [self.scripted("db")])[:3], ((), (), ()))

    def test_of_several_that_are_called_the_same_is_that_of_all(self) -> None:
        """What was found is called by its process, which is another one after each start."""
        names = ["db", "db@7"]
        one, two = self.scripted("db"), self.scripted("db@9", process=os.getpid())
        self.assertEqual(self.of(names, [one]).no, ("db",))
        self.assertEqual(self.of(names, [one, two]).yes, ("db",))

    def test_of_a_script_is_none_for_nobody_can_ask_it(self) -> None:
        options = {"freeze": "/bin/true", "thaw": "/bin/true"}
        made = Section("shop", "script", method="pair", options=options)
        script = Script(made, UndoJournal(self.folder, made))
        self.assertEqual(self.of(["shop"], [script]).unasked, ("shop",))

    def test_are_not_asked_for_while_anything_is_held(self) -> None:
        del scripted.DID[:]
        found = self.of(["db"], [self.scripted("db")], is_free=False)
        self.assertEqual((found.no, scripted.DID), (("db",), []))

    def test_that_nobody_wants_any_more_are_none(self) -> None:
        stop = threading.Event()
        stop.set()
        scripted.RUNNING[:] = [Found("db")]
        self.addCleanup(scripted.RUNNING.clear)
        found = answers.collect(at_rest("db"), lambda: (), 60, lambda: True, stop)
        self.assertIsNone(found)

    def test_are_a_line_of_the_log(self) -> None:
        told = answers.summary(Answers(("db",), ("cache", "mail"), (), 1.5))
        self.assertEqual(told, "after 1.5 s: db answer again; cache, mail do not answer")
        self.assertIn("no application was at rest", answers.summary(Answers((), (), (), 0)))

    def test_are_one_line_on_the_console_that_leaves_out_the_good_ones_first(self) -> None:
        many, bad = HOSTILE * 20, ("broken",)
        text = console_line.answers(RECORD, many, bad, ("script",), 1.0)
        self.assertLess(len(text), 1024)
        [said] = parse(text.encode("ascii"))
        self.assertEqual((said["no"], said["unasked"]), (["broken"], ["script"]))
        self.assertEqual(len(said["yes"]) + said["more"], len(many))
