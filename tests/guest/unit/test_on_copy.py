"""Root's steps at the first boot of a copy: once, before all else, and what is said of them."""

import contextlib
import io
import json
import os
from typing import Any, List, Optional, Sequence
from unittest import mock

from stillpoint_guest.console import Console
from stillpoint_guest.errors import GuestError
from stillpoint_guest.on_copy import first_boot
from stillpoint_guest.options import config
from stillpoint_guest.options.on_copy import OnCopy
from stillpoint_guest.places import Places
from stillpoint_guest.state import console_line, copy_run, freeze_record, machine, recognition
from stillpoint_guest.state.copy_run import CopyRun, CopyRuns
from stillpoint_guest.state.freeze_record import Records
from stillpoint_guest.verbs import check, command_line, on_copy, status

from tests.guest.unit.folders import FolderCase
from tests.guest.unit.test_command import has_ended
from tests.guest.unit.test_console import HOSTILE, ID, Terminal, parse
from tests.guest.unit.test_holder import HolderCase, section
from tests.guest.unit.test_record import RECORD

HERE, ELSEWHERE = "4c4c4544-0051-3610-8056-b4c04f4d4e32", "c0ffee00-0051-3610-8056-b4c04f4d4e32"
COPIED = RECORD._replace(id=ID, machine=HERE)


class CopyCase(FolderCase):
    """Of a disk that carries a record, with the steps that a test writes."""

    def setUp(self) -> None:
        super().setUp()
        self.write("guest.conf", "[stillpoint-guest]\nconsole = no\n")
        self.records = Records(self.path("state"))
        self.records.write(COPIED)
        self.machine = mock.patch.object(machine, "identity", return_value=ELSEWHERE)
        self.machine.start()
        self.addCleanup(self.machine.stop)

    def step(self, name: str, body: str) -> None:
        self.write(f"guest/on-copy.d/{name}", f"#!/bin/sh\n{body}\n", 0o700)

    def log(self, line: str) -> str:
        """A step's body, which says that it was run."""
        return f"echo {line} >>{self.path('log')}"

    def configure(self, *lines: str) -> None:
        content = "\n".join(("[stillpoint-guest]", "console = no", "[on-copy]", *lines))
        self.write("guest.conf", content + "\n")

    def boot(self) -> int:
        """The exit status of the unit's command."""
        places = self.places()
        folders = ("--configuration", places.configuration, "--run", places.run)
        with contextlib.redirect_stdout(io.StringIO()):
            return command_line.run([*folders, "--state", places.state, "on-copy"], [])

    def start_holder(self) -> None:
        """What it does of it: the record is an origin's from here on."""
        required = config.load(self.places(), []).on_copy.required
        recognition.recognise(self.path("state"), lambda: required)

    def ran(self) -> List[str]:
        try:
            with open(self.path("log"), encoding="utf-8") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def outcome(self) -> CopyRun:
        found = CopyRuns(self.path("state")).last(ID)
        assert found
        return found


class TheStepsOfACopy(CopyCase):
    def test_run_in_order_at_its_first_boot_and_never_again(self) -> None:
        self.step("20-second", self.log("second"))
        self.step("10-first", self.log("first"))
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["first", "second"])
        run = self.outcome()
        self.assertEqual((run.state, run.machine, run.unfinished), ("done", "other", 0))
        self.assertEqual([one.name for one in run.steps], ["10-first", "20-second"])
        self.assertEqual(self.boot(), 0)
        self.start_holder()  # later in that boot
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["first", "second"])

    def test_run_on_no_original(self) -> None:
        self.step("step", self.log("ran"))
        for original in (
            COPIED._replace(boot_id=freeze_record.boot_id()),  # it holds just now
            COPIED._replace(state=freeze_record.RELEASED),
        ):
            self.records.write(original)
            self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), [])
        self.assertFalse(os.path.exists(self.path("state/on-copy.json")))

    def test_run_on_no_copy_that_an_earlier_version_has_started(self) -> None:
        """It has served for long, maybe, when this version is installed."""
        self.configure("required = yes")
        self.records.recognise()
        self.step("step", self.log("ran"))
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), [])

    def test_run_again_on_a_copy_of_the_copy(self) -> None:
        self.step("step", self.log("ran"))
        self.boot()
        self.start_holder()
        self.records.write(COPIED._replace(id="another"))
        self.boot()
        self.assertEqual(self.ran(), ["ran", "ran"])

    def test_of_a_record_without_an_id_run_once_too(self) -> None:
        self.records.write(COPIED._replace(id=""))
        self.step("step", self.log("ran"))
        for _ in range(2):
            self.boot()
        self.assertEqual(self.ran(), ["ran"])

    def test_run_again_if_the_boot_ended_among_them_and_it_is_said(self) -> None:
        self.step("10-first", self.log("first"))
        self.step("20-second", self.log("second"))
        with mock.patch.object(first_boot, "_end", side_effect=KeyboardInterrupt):
            for _ in range(2):
                with self.assertRaises(KeyboardInterrupt):
                    self.boot()
        self.assertEqual(self.outcome().state, "running")
        self.start_holder()  # that boot went on all the same
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["first", "second"] * 3)
        self.assertEqual((self.outcome().state, self.outcome().unfinished), ("done", 2))
        self.assertIn("begun 3 times", "\n".join(status.lines(self.status())))

    def status(self) -> status.Status:
        return status.collect(self.places(), [])

    def test_are_told_what_is_known_and_nothing_of_our_environment(self) -> None:
        self.step("step", f"env >{self.path('log')}")
        with mock.patch.dict(os.environ, {"OURS": "secret"}):
            self.boot()
        told = dict(line.split("=", 1) for line in self.ran())
        said = {key: told[key] for key in told if key.startswith("STILLPOINT_")}
        said.pop("STILLPOINT_PROGRAM")
        self.assertEqual(
            said,
            {
                "STILLPOINT_RECORD": ID,
                "STILLPOINT_HELD_AT": RECORD.held_at,
                "STILLPOINT_MACHINE": "other",
                "STILLPOINT_SECONDS": "60",
            },
        )
        self.assertNotIn("OURS", told)

    def test_are_none_by_default_and_the_copy_is_known_all_the_same(self) -> None:
        self.assertEqual(self.boot(), 0)
        self.assertEqual((self.outcome().state, self.outcome().steps), ("done", ()))


class AStepThatFails(CopyCase):
    def setUp(self) -> None:
        super().setUp()
        self.step("10-fails", f"{self.log('fails')}; echo no such host >&2; exit 3")
        self.step("20-works", self.log("works"))

    def test_keeps_no_other_and_is_told(self) -> None:
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["fails", "works"])
        run = self.outcome()
        self.assertEqual((run.state, run.failed), ("failed", ("10-fails",)))
        self.assertIn("exit status 3: no such host", run.steps[0].error)
        shown = status.collect(self.places(), [])
        self.assertEqual(status.to_json(shown)["on_copy"]["state"], "failed")
        self.assertIn("no such host", "\n".join(status.lines(shown)))

    def test_is_not_run_again_where_the_boot_may_go_on(self) -> None:
        self.boot()
        self.boot()
        self.assertEqual(self.ran(), ["fails", "works"])

    def test_fails_the_unit_and_runs_again_where_it_is_required(self) -> None:
        self.configure("required = yes")
        self.assertEqual(self.boot(), 1)
        self.start_holder()
        self.assertEqual(self.boot(), 1)
        self.step("10-fails", self.log("mended"))
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["fails", "works"] * 2 + ["mended", "works"])

    def test_because_it_hangs_is_ended_with_all_that_it_started(self) -> None:
        self.configure("step_s = 3")
        self.step("10-fails", f"sleep 1000 & {self.log('$!')}; wait")
        self.boot()
        self.assertIn("not done in time", self.outcome().steps[0].error)
        self.assertEqual(self.outcome().steps[1].error, "")
        self.assertTrue(has_ended(int(self.ran()[0])))

    def test_because_others_can_write_it_is_not_run(self) -> None:
        os.chmod(self.path("guest/on-copy.d/10-fails"), 0o722)
        self.boot()
        self.assertEqual(self.ran(), ["works"])
        self.assertIn("can be written by others", self.outcome().steps[0].error)

    def test_because_others_can_write_to_their_folder_none_is_run(self) -> None:
        os.chmod(self.path("guest/on-copy.d"), 0o777)
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), [])
        self.assertEqual(self.outcome().state, "failed")
        self.assertIn("can be written by others", self.outcome().error)


class TheConfiguration(CopyCase):
    def load(self) -> OnCopy:
        return config.load(self.places(), []).on_copy

    def test_has_defaults(self) -> None:
        self.assertEqual(self.load(), OnCopy(60, False, True, 300))

    def test_is_read(self) -> None:
        self.configure("step_s = 5", "required = yes", "same_machine = no", "answers_s = 7")
        self.assertEqual(self.load(), OnCopy(5, True, False, 7))

    def test_that_cannot_be_read_runs_nothing_and_keeps_back_what_needs_the_steps(self) -> None:
        """Whether they are required, or wanted here, is not known then."""
        self.step("step", self.log("ran"))
        self.configure("requierd = yes")
        self.assertEqual(self.boot(), 1)
        self.assertEqual(self.ran(), [])
        self.assertIn("the nearest is 'required'", self.outcome().error)
        self.configure("required = yes")
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["ran"])

    def test_can_leave_the_machine_alone_that_was_frozen(self) -> None:
        """After a reset while it was held, or a restore in its place."""
        self.step("step", self.log("ran"))
        self.configure("same_machine = no")
        self.machine.stop()
        for here, state in ((HERE, "left-out"), (ELSEWHERE, "done"), ("", "done")):
            self.records.write(COPIED._replace(id=here or "none"))
            with mock.patch.object(machine, "identity", return_value=here):
                self.boot()
            run = CopyRuns(self.path("state")).last(here or "none")
            assert run
            self.assertEqual(run.state, state)
        self.machine.start()
        self.assertEqual(self.ran(), ["ran", "ran"])


class TheIdentityOfAMachine(FolderCase):
    def identity(self, content: str) -> str:
        return machine.identity(self.write("product_uuid", content))

    def test_is_the_uuid_of_its_firmware(self) -> None:
        self.assertEqual(self.identity(HERE.upper() + "\n"), HERE)

    def test_is_none_where_none_is_set(self) -> None:
        for content in ("", "00000000-0000-0000-0000-000000000000\n", "FFFFFFFF-FFFF\n", "\xff\n"):
            self.assertEqual(self.identity(content), "")
        self.assertEqual(machine.identity(self.path("missing")), "")

    def test_without_both_decides_nothing(self) -> None:
        for frozen, here in (("", ""), (HERE, ""), ("", HERE)):
            self.assertEqual(machine.compared(frozen, here), "unknown")


class TheOutcome(CopyCase):
    def test_that_cannot_be_kept_is_a_failure(self) -> None:
        self.configure("required = yes")
        self.step("step", self.log("ran"))
        os.mkdir(self.path("state/on-copy.json.new"))
        self.assertEqual(self.boot(), 1)
        self.assertEqual(self.ran(), ["ran"])

    def test_that_could_not_be_kept_has_them_run_again_at_the_next_boot(self) -> None:
        """The disk was full at the first one, and has room when the holder starts."""
        self.configure("required = yes")
        self.step("step", f"{self.log('ran')}; exit 1")
        os.mkdir(self.path("state/on-copy.json.new"))
        self.assertEqual(self.boot(), 1)
        os.rmdir(self.path("state/on-copy.json.new"))
        self.start_holder()
        self.assertIsNone(self.records.last())
        self.assertEqual((self.outcome().state, self.outcome().machine), ("missed", "other"))
        self.assertIn("their outcome was not kept", "\n".join(on_copy.lines(self.outcome())))
        self.assertEqual(self.boot(), 1)
        self.step("step", self.log("mended"))
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["ran", "ran", "mended"])

    def test_that_no_start_of_the_holder_can_keep_leaves_the_record_where_it_is(self) -> None:
        self.configure("required = yes")
        self.step("step", f"{self.log('ran')}; exit 1")
        os.mkdir(self.path("state/on-copy.json.new"))
        for _ in range(2):
            self.assertEqual(self.boot(), 1)
            with self.assertRaises(GuestError):
                self.start_holder()
            self.assertEqual(self.records.last(), COPIED)
        self.assertEqual(self.ran(), ["ran", "ran"])

    def test_that_was_missed_has_only_required_steps_run_later(self) -> None:
        """Others may be unwanted by then: of a unit that was off, or not there, in that boot."""
        self.step("step", self.log("ran"))
        self.start_holder()
        self.assertEqual(self.outcome().state, "missed")
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), [])

    def test_that_is_there_stays_as_it_is_when_the_holder_starts(self) -> None:
        self.boot()
        before = self.outcome()
        self.start_holder()
        self.assertEqual(self.outcome(), before)

    def test_that_was_torn_later_has_the_steps_run_again(self) -> None:
        self.step("step", self.log("ran"))
        self.boot()
        self.write("state/on-copy.json", "{")
        self.start_holder()
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.boot(), 0)
        self.assertEqual(self.ran(), ["ran", "ran"])
        self.assertEqual(self.outcome().state, "done")
        self.assertIn("on-copy.json: read it", self.outcome().error)

    def test_that_is_torn_counts_as_none_and_is_told(self) -> None:
        self.step("step", self.log("ran"))
        for content in ("{", "[]", '{"format": 2}', "[" * 100000):
            self.write("state/on-copy.json", content)
            told = "\n".join(status.lines(status.collect(self.places(), [])))
            self.assertIn("on-copy.json", told)
            self.assertEqual(self.boot(), 0)
            self.assertEqual(self.outcome().state, "done")
        self.assertEqual(self.ran(), ["ran"] * 4)

    def test_where_no_record_can_be_read_is_told_and_keeps_back_what_needs_the_steps(self) -> None:
        """Whether this disk is a copy is not known then."""
        self.step("step", self.log("ran"))
        self.write("state/record.json", "{")
        self.assertEqual(self.boot(), 0)
        self.configure("required = yes")
        self.assertEqual(self.boot(), 1)
        self.assertEqual(self.ran(), [])

    def test_is_read_as_it_was_written(self) -> None:
        self.step("step", "exit 1")
        self.boot()
        content = copy_run.to_json(self.outcome())
        later = {**json.loads(json.dumps(content)), "later": 1}
        self.assertEqual(copy_run.from_json(later), self.outcome())

    def test_of_another_copy_is_none_of_this_one(self) -> None:
        self.boot()
        self.assertIsNone(CopyRuns(self.path("state")).last("another"))


class TheHolderOfACopy(HolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.records = Records(self.path("state"))
        self.records.write(COPIED)

    def missed(self) -> Optional[CopyRun]:
        return CopyRuns(self.path("state")).last(ID)

    def test_notes_that_no_steps_were_run_and_if_they_are_required(self) -> None:
        """As they are taken for where the configuration cannot be read."""
        for lines, is_required in (("", False), ("required = yes\n", True), ("no key\n", True)):
            self.records.write(COPIED)
            self.begin(f"[on-copy]\n{lines}")
            self.have_the_holder_leave()
            missed = self.missed()
            assert missed
            self.assertEqual((missed.state, missed.required), ("missed", is_required))
            os.unlink(self.path("state/on-copy.json"))

    def test_that_could_not_note_it_does_so_before_a_freeze_replaces_the_record(self) -> None:
        os.mkdir(self.path("state/on-copy.json.new"))
        self.begin(section("db"))
        self.assertEqual((self.records.last(), self.missed()), (COPIED, None))
        os.rmdir(self.path("state/on-copy.json.new"))
        self.freeze()
        self.assertEqual(self.records.origin(), COPIED)
        self.assertTrue(self.missed())

    def test_freezes_though_it_cannot_note_it(self) -> None:
        os.mkdir(self.path("state/on-copy.json.new"))
        self.begin(section("db"))
        self.freeze()
        self.assertEqual(self.held(), ("db",))


class ItsLineOnTheConsole(CopyCase):
    def line(self, run: Optional[CopyRun] = None) -> "dict[str, Any]":
        [said] = parse(console_line.on_copy(run or self.outcome(), COPIED).encode("ascii"))
        return said

    def test_says_how_the_steps_ended(self) -> None:
        self.step("10-fails", "exit 1")
        self.step("20-works", "exit 0")
        self.boot()
        head = {"v": 1, "id": ID, "boot": freeze_record.boot_id(), "state": "on-copy"}
        said = {"outcome": "failed", "machine": "other", "steps": 2, "failed": ["10-fails"]}
        self.assertEqual(self.line(), {**head, **said})
        self.assertEqual(self.line(self.outcome()._replace(unfinished=1))["unfinished"], 1)

    def test_is_one_line_whatever_steps_are_called(self) -> None:
        steps = tuple(copy_run.Step(name, "failed") for name in HOSTILE * 20)
        run = CopyRun(ID, "boot", copy_run.FAILED, machine.OTHER, steps=steps)
        text = console_line.on_copy(run, COPIED)
        self.assertLess(len(text), 1024)
        self.assertEqual(text.count("@stillpoint"), 1)
        self.assertEqual(len(self.line(run)["failed"]) + self.line(run)["more"], len(steps))

    def test_is_written_before_the_command_ends(self) -> None:
        terminal = Terminal()
        self.addCleanup(terminal.close)
        self.write("guest.conf", f"[stillpoint-guest]\nconsole = {terminal.path}\n")
        self.boot()
        [said] = terminal.lines()
        self.assertEqual((said["state"], said["outcome"]), ("on-copy", "done"))

    def test_is_waited_for_no_longer_than_it_may_be_late(self) -> None:
        waited: List[float] = []
        with mock.patch.object(Console, "finish", lambda _, wait_s: waited.append(wait_s)):
            self.boot()
        self.assertEqual(waited, [5.0])


class TheCheck(CopyCase):
    def found(self, places: Places) -> Sequence[str]:
        lines = check.lines(list(check.findings(places, [])))
        return [line.replace(self.path(""), "") for line in lines if "on-copy.d" in line]

    def test_names_the_steps_and_what_would_not_run(self) -> None:
        self.step("10-works", "exit 0")
        self.step("20-open", "exit 0")
        os.chmod(self.path("guest/on-copy.d/20-open"), 0o777)
        self.write("guest/on-copy.d/30-forgotten", "#!/bin/sh\n", 0o600)
        works, others, forgotten = self.found(self.places())
        self.assertIn("good     guest/on-copy.d/10-works runs at the first boot", works)
        self.assertIn("warning  guest/on-copy.d/20-open: trust it: ", others)
        self.assertIn("warning  guest/on-copy.d/30-forgotten is no step of a copy", forgotten)

    def test_is_silent_without_the_folder(self) -> None:
        self.assertEqual(self.found(self.places()), [])
