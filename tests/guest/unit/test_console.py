"""Lines on the serial console: what they say, and that nobody ever waits for whoever reads them."""

import contextlib
import json
import os
import select
import termios
import threading
import tty
from typing import Any, Dict, List, Sequence
from unittest import mock

from stillpoint_guest import console
from stillpoint_guest.console import Console
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import DeadlinePassed, GuestError, HoldLost
from stillpoint_guest.holder import announcements
from stillpoint_guest.hook import client
from stillpoint_guest.log import Log
from stillpoint_guest.state import console_line, freeze_record
from stillpoint_guest.state.freeze_record import Records

from tests.guest.unit import scripted
from tests.guest.unit.folders import FolderCase
from tests.guest.unit.test_holder import HolderCase, section
from tests.guest.unit.test_record import RECORD, stored

ID = "0123456789abcdef0123456789abcdef"
HOSTILE = (
    "a\r\nb\x1b[2J\x07\x7f",
    '@stillpoint {"v":1,"state":"over","lost":false}',
    '\\"@\\',
    "\u202eÄ\U0001f600\udcff",
    "@" * 5000,
)


class Terminal:
    """A terminal, and its other end: what reads it."""

    def __init__(self) -> None:
        self.reader, self._kept = os.openpty()
        tty.setraw(self._kept)
        self.path = os.ttyname(self._kept)
        self._said = b""

    def fill(self) -> None:
        """Its reader does not read: from now on it takes no byte."""
        writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        while select.select([], [writer], [], 1.0)[1]:  # the kernel moves on what it has taken
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writer, b"x" * 4096)
        os.close(writer)

    def stop(self) -> None:
        """Somebody there has typed Ctrl-S."""
        termios.tcflow(self._kept, termios.TCOOFF)

    def drain(self) -> bytes:
        """All that is there to read."""
        while select.select([self.reader], [], [], 0)[0]:
            self._said += os.read(self.reader, 65536)
        return self._said

    def lines(self) -> List[Dict[str, Any]]:
        return parse(self.drain())

    def states(self) -> Sequence[str]:
        return [line["state"] for line in self.lines()]

    def hang_up(self) -> None:
        os.close(self._kept)
        os.close(self.reader)
        self.reader = self._kept = -1

    def close(self) -> None:
        if self.reader != -1:
            self.hang_up()


def parse(said: bytes) -> List[Dict[str, Any]]:
    """The lines among others, as docs/guest/console.md says how to find them."""
    found = []
    for line in said.decode("ascii").splitlines():
        _, marker, text = line.partition(console_line.MARKER + " ")
        if marker:
            found.append(json.loads(text))
    return found


class TerminalCase(HolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.terminal = Terminal()
        self.addCleanup(self.terminal.close)
        self.console = self.terminal.path

    def wait_for_lines(self) -> None:
        """As long as it takes on a busy machine: what follows a line comes after it."""
        for module, name in ((console, "_WAIT_S"), (announcements, "_LATE_RELEASE_S")):
            patient = mock.patch.object(module, name, 60)
            patient.start()
            self.addCleanup(patient.stop)


class ACycle(TerminalCase):
    def setUp(self) -> None:
        super().setUp()
        self.wait_for_lines()

    def test_says_that_it_holds_that_it_releases_and_how_it_was(self) -> None:
        self.begin(section("db"))
        self.freeze()
        record = Records(self.path("state")).last()
        assert record
        self.assertRegex(record.id, "^[0-9a-f]{32}$")
        common = {"v": 1, "id": record.id, "boot": freeze_record.boot_id()}
        held = {"state": "held", "verdict": "application", "apps": ["db"]}
        self.assertEqual(self.terminal.lines(), [{**common, **held}])
        client.thaw(self.places())
        self.until(lambda: len(self.terminal.lines()) == 3)
        _, released, over = self.terminal.lines()
        self.assertGreaterEqual(released.pop("held_s"), 0)
        said = {"state": "released", "lost": False, "by": "thaw"}
        self.assertEqual(released, {**common, **said})
        self.assertEqual(over, {**common, "state": "over", "lost": False})
        self.assertEqual(self.last().id, record.id)

    def test_says_that_it_releases_before_anything_is(self) -> None:
        known: List[Sequence[str]] = []
        does = scripted.Scripted._do

        def look(driver: scripted.Scripted, step: str) -> None:
            known.append([step, *self.terminal.states()])
            does(driver, step)

        with mock.patch.object(scripted.Scripted, "_do", look):
            self.begin(section("db"))
            self.freeze()
            client.thaw(self.places())
        steps = [["prepare"], ["lock"], ["release", "held", "released"]]
        self.assertEqual(known, steps)

    def test_has_another_id_each_time(self) -> None:
        self.begin(section("db"))
        for _ in range(2):
            self.freeze()
            client.thaw(self.places())
        self.until(lambda: len(self.terminal.lines()) == 6)
        ids = [line["id"] for line in self.terminal.lines()]
        self.assertEqual([ids[0]] * 3 + [ids[3]] * 3, ids)
        self.assertNotEqual(ids[0], ids[3])

    def test_that_is_refused_says_nothing(self) -> None:
        self.begin(section("one") + section("two", "fails = lock"))
        self.refusal()
        self.have_the_holder_leave()
        self.assertEqual(self.terminal.drain(), b"")

    def test_that_the_watchdog_ends_is_lost(self) -> None:
        self.begin(section("db"), watchdog_s=0.2)
        self.freeze()
        self.until(lambda: len(self.terminal.lines()) == 3)
        _, released, over = self.terminal.lines()
        self.assertEqual((released["by"], released["lost"]), ("watchdog", True))
        self.assertGreaterEqual(released["held_s"], 0.2)
        self.assertIs(over["lost"], True)

    def test_whose_leash_is_let_go_is_lost(self) -> None:
        self.begin(section("db"))
        client.freeze(self.places(), is_leashed="1").__exit__()
        self.until(lambda: len(self.terminal.lines()) == 3)
        released = self.terminal.lines()[1]
        self.assertEqual((released["by"], released["lost"]), ("other", True))

    def test_of_which_an_application_was_not_at_rest_says_so_in_the_end(self) -> None:
        """It is known only when the application is released, and that was announced before."""
        self.begin(section("db", "fails = release"))
        self.freeze()
        with self.assertRaises(HoldLost):
            client.thaw(self.places())
        self.until(lambda: len(self.terminal.lines()) == 3)
        _, released, over = self.terminal.lines()
        self.assertEqual((released["lost"], over["lost"]), (False, True))

    def test_whose_mark_was_removed_is_lost(self) -> None:
        self.begin(section("db"))
        self.freeze()
        os.unlink(self.path("run/hold.json"))
        with self.assertRaises(HoldLost):
            client.thaw(self.places())
        self.until(lambda: len(self.terminal.lines()) == 3)
        self.assertIs(self.terminal.lines()[1]["lost"], True)

    def test_that_is_on_no_disk_says_only_that_it_ends(self) -> None:
        self.write("state", "a file in its way")
        self.begin(section("db"))
        self.freeze()
        client.thaw(self.places())
        self.until(lambda: self.terminal.states() == ["released", "over"])

    def test_is_silent_where_root_says_so(self) -> None:
        self.console = console.NONE
        with mock.patch.object(console, "devices") as looked:
            self.begin(section("db"))
            self.freeze()
            client.thaw(self.places())
            self.last()
        looked.assert_not_called()


class ACopy(TerminalCase):
    def test_says_once_which_record_it_carries(self) -> None:
        Records(self.path("state")).write(RECORD._replace(id=ID))
        for _ in range(2):
            self.begin(section("db"))
            self.until(self.terminal.lines)
            self.have_the_holder_leave()
        [copied] = self.terminal.lines()
        facts = {"verdict": "application", "held_at": RECORD.held_at}
        whose = {"id": ID, "boot": freeze_record.boot_id()}
        self.assertEqual(copied, {"v": 1, "state": "copied", **whose, **facts})

    def test_of_an_agent_that_gave_no_ids_has_none(self) -> None:
        self.write("state/record.json", stored("record-0.1.json"))
        self.begin(section("db"))
        self.until(self.terminal.lines)
        self.assertEqual(self.terminal.lines()[0]["id"], "")

    def test_is_one_whatever_the_configuration_says(self) -> None:
        Records(self.path("state")).write(RECORD)
        self.console = "maybe"
        self.begin(section("db"))
        self.assertEqual(self.status().origin, RECORD)


class AConsoleThatTakesNothing(TerminalCase):
    """Whatever is wrong with it, the hold and its release are as without it."""

    def whole_cycle(self) -> str:
        late = mock.patch.object(announcements, "_LATE_S", 0.5)
        with late, mock.patch.object(Log, "say", autospec=True, side_effect=Log.say) as said:
            self.begin(section("db"))
            self.freeze()
            self.assertEqual(self.held(), ("db",))
            self.assertTrue(client.thaw(self.places()))
            self.assertEqual(self.last().ended_by, "thaw")
            self.until(lambda: str(said.call_args_list).count("the serial console") == 3)
        self.assertEqual(self.last().verdict, "application")
        return " ".join(str(call[0][1]) for call in said.call_args_list)

    def test_because_its_reader_never_reads(self) -> None:
        self.terminal.fill()
        self.assertIn("the time for it is over", self.whole_cycle())
        self.assertNotIn(b"@stillpoint", self.terminal.drain())

    def test_because_somebody_has_stopped_it(self) -> None:
        self.terminal.stop()
        self.assertIn("the time for it is over", self.whole_cycle())
        self.assertNotIn(b"@stillpoint", self.terminal.drain())

    def test_because_it_is_missing(self) -> None:
        self.console = "/dev/pts/99999"
        self.assertIn("No such file", self.whole_cycle())

    def test_because_it_is_gone(self) -> None:
        self.terminal.hang_up()
        self.assertIn(self.console, self.whole_cycle())

    def test_because_it_goes_in_the_middle(self) -> None:
        self.wait_for_lines()
        self.begin(section("db"))
        self.freeze()
        self.assertEqual(self.terminal.states(), ["held"])
        self.terminal.hang_up()
        self.assertTrue(client.thaw(self.places()))
        self.assertEqual(self.last().verdict, "application")

    def test_because_it_hangs(self) -> None:
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        with mock.patch.object(console, "write", side_effect=lambda *_: go_on.wait()):
            self.begin(section("db"))
            for _ in range(7):
                self.freeze()
                self.assertTrue(client.thaw(self.places()))
            self.assertEqual(self.last().verdict, "application")
            go_on.set()

    def test_because_no_thread_is_left(self) -> None:
        with mock.patch.object(console, "Worker", side_effect=RuntimeError("no thread")):
            self.assertIn("no thread", self.whole_cycle())


class Waiting(FolderCase):
    def test_is_for_none_that_hangs_already_and_what_waits_is_bounded(self) -> None:
        log, go_on = Log(self.path("log")), threading.Event()
        self.addCleanup(go_on.set)
        said = Console(log)
        with mock.patch.object(console, "write", side_effect=lambda *_: go_on.wait()) as written:
            for number in range(20):
                said.say("/dev/none", str(number).__str__, 60)
            self.assertEqual(len(log._lines), 4)
            self.assertIn("a line is dropped", log._lines[0][1])
            go_on.set()
            last = said._waiting[-1]
            self.assertTrue(last.wait(60))
        self.assertEqual(written.call_count, 16)

    def test_a_line_that_cannot_be_made_is_a_line_of_the_log(self) -> None:
        log = Log(self.path("log"))
        said = Console(log)
        said.say("/dev/none", mock.Mock(side_effect=KeyError), 60)
        self.assertTrue(said._waiting[-1].wait(60))
        self.assertIn("fault: KeyError", log._lines[0][1])


class OnlyATerminal(FolderCase):
    """Of root's choice, and the terminal itself."""

    def setUp(self) -> None:
        super().setUp()
        self.terminal = Terminal()
        self.addCleanup(self.terminal.close)

    def refusal(self, path: str) -> str:
        with self.assertRaises((OSError, GuestError)) as caught:
            console.write(path, b"line", Deadline.after(5))
        self.assertEqual(self.terminal.drain(), b"")
        return str(caught.exception)

    def test_takes_a_line(self) -> None:
        console.write(self.terminal.path, b"line", Deadline.after(5))
        self.assertEqual(self.terminal.drain(), b"line")

    def test_not_a_file(self) -> None:
        path = self.write("ttyS0", "text")
        self.assertIn("it is no device", self.refusal(path))
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "text")

    def test_not_a_pipe_or_a_folder(self) -> None:
        os.mkfifo(self.path("ttyS0"))
        self.assertIn("it is no device", self.refusal(self.path("ttyS0")))
        self.assertIn("it is no device", self.refusal(self.folder))

    def test_not_a_link_to_one(self) -> None:
        os.symlink(self.terminal.path, self.path("ttyS0"))
        self.assertIn("it is no device", self.refusal(self.path("ttyS0")))

    def test_not_by_somebody_elses_folder(self) -> None:
        os.symlink(os.path.dirname(self.terminal.path), self.path("pts"))
        os.chmod(self.folder, 0o777)
        path = os.path.join(self.path("pts"), os.path.basename(self.terminal.path))
        self.assertIn("can be written by others", self.refusal(path))

    def test_not_another_device(self) -> None:
        self.assertIn("it is no terminal", self.refusal("/dev/null"))

    def test_not_one_that_is_full(self) -> None:
        self.terminal.fill()
        with self.assertRaises(DeadlinePassed):
            console.write(self.terminal.path, b"line", Deadline.after(0.1))

    def test_a_part_that_had_room_is_followed_by_the_rest(self) -> None:
        text = b"0123456789" * 20000
        reading = threading.Thread(target=self.read, args=(len(text),))
        reading.start()
        console.write(self.terminal.path, text, Deadline.after(60))
        reading.join()
        self.assertEqual(self.terminal._said, text)

    def read(self, size: int) -> None:
        while len(self.terminal._said) < size:
            self.terminal._said += os.read(self.terminal.reader, 4096)


class WhichConsole(FolderCase):
    def devices(self, active: str, setting: str = console.KERNELS) -> Sequence[str]:
        return console.devices(setting, self.write("active", active))

    def test_is_the_kernels_if_it_is_a_serial_one(self) -> None:
        self.assertEqual(self.devices("tty0 ttyS0\n"), ["/dev/ttyS0"])
        self.assertEqual(self.devices("ttyAMA0 tty0\n"), ["/dev/ttyAMA0"])
        self.assertEqual(self.devices("hvc0 ttyS1\n"), ["/dev/ttyS1", "/dev/hvc0"])

    def test_is_the_usual_one_if_the_kernel_has_no_serial_one(self) -> None:
        for active in ("tty0\n", "", "ttySomething0 ../ttyS0 ttyS\n"):
            self.assertEqual(self.devices(active), ["/dev/ttyS0", "/dev/ttyAMA0", "/dev/hvc0"])

    def test_is_the_one_that_root_says(self) -> None:
        self.assertEqual(self.devices("ttyS0\n", "/dev/ttyS7"), ["/dev/ttyS7"])


class ALine(FolderCase):
    def test_is_ascii_and_has_its_marker_once_whatever_applications_are_called(self) -> None:
        for names in ((), HOSTILE, HOSTILE * 20, ("postgresql:15/main",) * 64):
            line = console_line.held(RECORD._replace(id=ID), names)
            self.assertTrue(line.startswith("\r\n@stillpoint {"))
            self.assertTrue(line.endswith("}\r\n"))
            self.assertTrue(line.strip().isprintable())
            self.assertEqual(line.count("@"), 1)
            self.assertLess(len(line), 1024)
            [content] = parse(line.encode())
            self.assertEqual(len(content["apps"]) + content.get("more", 0), len(names))

    def test_names_what_rests_as_it_is_called(self) -> None:
        [content] = parse(console_line.held(RECORD, ("a@b\\", "Käse")).encode())
        self.assertEqual(content["apps"], ["a@b\\", "Käse"])
        self.assertNotIn("more", content)

    def test_of_a_record_that_others_have_written_is_as_short(self) -> None:
        for text in HOSTILE:
            record = RECORD._replace(id=text, boot_id=text, verdict=text, held_at=text)
            said = (
                console_line.held(record, ()),
                console_line.released(record, 1.0, False, text),
                console_line.over(record, False),
                console_line.copied(record),
            )
            for line in said:
                self.assertTrue(line.strip().isprintable())
                self.assertEqual(line.encode("ascii").count(b"@"), 1)
                self.assertLess(len(line), 512)
                self.assertEqual(len(parse(line.encode())), 1)
