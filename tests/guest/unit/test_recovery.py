"""What was noted for a hold is undone side by side, and delays nobody for long."""

import json
import os
import subprocess
import time
from typing import Any, List
from unittest import mock

from stillpoint_guest.errors import HoldLost
from stillpoint_guest.holder import holder
from stillpoint_guest.holder.recovery import Recovery
from stillpoint_guest.hook import client
from stillpoint_guest.log import Log
from stillpoint_guest.options import config
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import Section
from stillpoint_guest.state import undo_journal
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase
from tests.guest.unit.test_holder import HolderCase, section

KIND = scripted.Scripted.KIND


class NotesCase(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        os.makedirs(self.places().undo_journals)
        del scripted.DID[:]

    def noted(self, name: str, process: int = 0, **options: str) -> UndoJournal:
        noted = Section(name, KIND, process=process, options=options, source="guest.conf")
        note = UndoJournal(self.places().undo_journals, noted)
        note.write({"what": "it"})
        return note

    def left(self) -> List[str]:
        return os.listdir(self.places().undo_journals)

    def undoing(self) -> Recovery:
        return Recovery(self.places(), [scripted.Scripted], Log("/none"))

    def until_nothing_is_left(self) -> None:
        end_s = time.monotonic() + 60
        while self.left():
            self.assertLess(time.monotonic(), end_s)
            time.sleep(0.01)


class SideBySide(NotesCase):
    def test_those_that_hang_delay_no_other_and_go_on_by_themselves(self) -> None:
        for number in range(5):
            self.noted("db%d" % number, hangs="undo", hang_s="4")
        shop = self.noted("shop")
        undoing = self.undoing()
        begin_s = time.monotonic()
        undoing.undo(0.4)
        self.assertLess(time.monotonic() - begin_s, 15)  # and not 20
        while shop.read():  # for as long as the others hang
            self.assertIn((KIND, "db3"), undoing.busy)
        self.assertIn((KIND, "db3"), undoing.busy)
        undoing.undo(0)  # they are not begun a second time
        self.until_nothing_is_left()
        self.assertEqual(scripted.DID.count("db3 undo it"), 1)

    def test_one_that_fails_is_tried_again(self) -> None:
        kept = self.noted("db", fails="undo")
        undoing = self.undoing()
        for count in (1, 2):
            undoing.undo(5)
            self.assertEqual(scripted.DID.count("db undo it"), count)
        self.assertEqual(kept.read(), {"what": "it"})
        self.assertEqual(undoing.remaining(5), ["db"])

    def test_of_very_many_those_that_were_not_tried_come_first(self) -> None:
        for number in range(150):
            self.noted("db%03d" % number, fails="undo")
        undoing = self.undoing()
        for _ in range(3):
            undoing.undo(20)
        self.assertEqual(len(set(scripted.DID)), 150)


class Processes(NotesCase):
    def test_what_was_changed_in_one_that_has_ended_is_not_looked_for(self) -> None:
        sleeping = subprocess.Popen(["/bin/sleep", "100"])
        self.addCleanup(sleeping.wait)
        self.addCleanup(sleeping.kill)
        self.noted("lives", process=sleeping.pid, hangs="none")
        ending = subprocess.Popen(["/bin/sleep", "100"])
        self.noted("ended", process=ending.pid, hangs="undo", hang_s="9")
        ending.kill()
        ending.wait()
        begin_s = time.monotonic()
        self.undoing().undo(5)
        self.assertLess(time.monotonic() - begin_s, 5)
        self.assertEqual(scripted.DID, ["lives undo it"])
        self.assertEqual(self.left(), [])

    def test_a_number_that_was_given_again_is_another_process(self) -> None:
        self.noted("db", process=os.getpid())
        [name] = self.left()
        path = os.path.join(self.places().undo_journals, name)
        with open(path) as file:
            content = json.load(file)
        content["started"] += 1
        with open(path, "w") as file:
            json.dump(content, file)
        self.undoing().undo(5)
        self.assertEqual((scripted.DID, self.left()), ([], []))


class Files(NotesCase):
    def test_notes_of_0_1_are_undone(self) -> None:
        fields: Any = Section("shop/db", KIND)._asdict()
        del fields["process"]
        content = json.dumps({"section": fields, "noted": {"what": "old"}})
        self.write("run/notes/shop\\db.note", content)
        self.undoing().undo(5)
        self.assertEqual((scripted.DID, self.left()), (["shop/db undo old"], []))

    def test_one_that_does_not_say_what_to_undo_is_none(self) -> None:
        content = json.dumps({"section": Section("shop/db", KIND)._asdict()})
        path = self.write("run/notes/0.note", content)
        with self.assertRaisesRegex(ValueError, "noted is missing"):
            undo_journal.read(path)

    def test_what_is_no_note_keeps_no_other_from_being_undone(self) -> None:
        unknown = json.dumps({"section": Section("x", "gone")._asdict(), "noted": {}})
        no_name = json.dumps({"section": {**Section("x", KIND)._asdict(), "name": 1}, "noted": {}})
        contents = ["", "{", "[]", "{}", '{"noted": 1}', unknown, no_name]
        contents += ["x" * 2000000, "[" * 100000]
        for number, content in enumerate(contents):
            self.write("run/notes/%d.note" % number, content)
        os.mkdir(self.path("run/notes/folder.note"))
        good = self.noted("good")
        undoing = self.undoing()
        undoing.undo(5)
        self.assertIsNone(good.read())
        self.assertEqual(undoing.remaining(0), [])

    def test_each_instance_has_one_whatever_it_is_called(self) -> None:
        names = ("a/b", "a\\b", "../../x", "x" * 5000, "\udcff\n", "")
        notes = [self.noted(name) for name in names] + [self.noted("a/b", process=os.getpid())]
        self.assertEqual(len(self.left()), len(notes))
        self.noted("a/b")
        self.assertEqual(len(self.left()), len(notes), "a second one takes the first one's place")
        notes[0].drop()
        self.assertEqual(len(self.left()), len(notes) - 1)


class BesideAFreeze(HolderCase):
    def noted(self, name: str, source: str, **options: str) -> UndoJournal:
        os.makedirs(self.places().undo_journals, exist_ok=True)
        section = Section(name, KIND, options=options, source=source, release_s=4)
        note = UndoJournal(self.places().undo_journals, section)
        note.write({"what": "it"})
        return note

    def test_one_that_was_only_found_is_left_out_while_it_is_undone(self) -> None:
        self.noted("shop", "discovered", hangs="undo", hang_s="3.5")
        scripted.RUNNING[:] = [Found("shop")]
        with mock.patch.object(holder, "_UNDO_S", 0.3):
            self.begin(section("one"))
            begin_s = time.monotonic()
            self.freeze()
        self.assertLess(time.monotonic() - begin_s, 3.5)
        self.assertEqual(self.held(), ("one",))
        client.thaw(self.places())
        told = {one.name: one.error for one in self.last().applications}
        self.assertIn("still being undone", told["shop"])

    def test_one_that_is_configured_is_not_held_before_it_is_undone(self) -> None:
        self.noted("shop", "guest.conf", hangs="undo", hang_s="3.5")
        with mock.patch.object(holder, "_UNDO_S", 0.3):
            self.begin(section("shop"))
            self.assertIn("shop: freeze: what was noted", self.refusal())
            self.until(lambda: not os.listdir(self.places().undo_journals))
            self.freeze()

    def test_a_thaw_answers_by_what_is_noted(self) -> None:
        self.begin(section("one"))
        kept = self.noted("shop", "guest.conf", fails="undo")
        self.noted("stranger", "discovered", fails="undo")
        with self.assertRaises(HoldLost) as caught:
            client.thaw(self.places())
        told = str(caught.exception)
        self.assertIn("shop: what was noted for a hold is not undone", told)
        self.assertNotIn("stranger", told)
        kept.drop()
        slow = self.noted("shop", "guest.conf", hangs="undo", hang_s="2.5")
        self.assertFalse(client.thaw(self.places()), "it is waited for")
        self.assertIsNone(slow.read())


class AbandonedDrivers(HolderCase):
    def test_one_that_was_only_found_keeps_no_later_freeze_from_the_others(self) -> None:
        hanging = {"hangs": "release", "hang_s": "3"}
        scripted.RUNNING[:] = [Found("shop", hanging)]
        normal = config.PROFILES["normal"]._replace(release_s=0.2)
        with mock.patch.dict(config.PROFILES, normal=normal):
            self.begin(section("one"))
            self.freeze()
            with self.assertRaises(HoldLost):
                client.thaw(self.places())
            self.freeze()
        self.assertEqual(self.held(), ("one",))
        self.assertTrue(client.thaw(self.places()))
        self.until(lambda: self.last().state == "released")
        told = {one.name: one for one in self.last().applications}
        self.assertIn("its driver still hangs", told["shop"].error)
        self.assertEqual(told["one"].level, "application")
