import os
import time
import unittest
from typing import List

from guest_hooks.child_register import Register
from guest_hooks.command import SECRET, Commands, Dialect, Program, Session
from guest_hooks.deadline import Deadline
from guest_hooks.errors import CommandFailed, DeadlinePassed, SessionLost
from tests.guest.unit.folders import FolderCase

SHELL = Dialect("echo {}", ("ERROR",))


def soon() -> Deadline:
    return Deadline.after(20)


def has_ended(process: int) -> bool:
    end_s = time.monotonic() + 5
    while time.monotonic() < end_s:
        try:
            with open("/proc/%d/stat" % process, "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] == b"Z":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


class ProgramsEndInTime(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.commands = Commands("app", self.folder)
        self.addCleanup(self.commands.close)

    def run_shell(self, script: str, seconds: float = 20) -> "List[str]":
        output = self.commands.run(Program(("sh", "-c", script)), Deadline.after(seconds))
        return list(output.lines)

    def test_output_comes_back_by_lines(self) -> None:
        self.assertEqual(self.run_shell("echo one; echo two"), ["one", "two"])

    def test_input_is_given(self) -> None:
        output = self.commands.run(Program(("wc", "-c")), soon(), b"x" * 300000)
        self.assertEqual(list(output.lines), ["300000"])

    def test_a_program_that_hangs_is_killed_with_all_that_it_started(self) -> None:
        path = self.path("pid")
        with self.assertRaises(DeadlinePassed):
            self.run_shell("sleep 100 & echo $! > " + path + "; sleep 100", 0.3)
        with open(path) as file:
            self.assertTrue(has_ended(int(file.read())))

    def test_what_stays_in_the_background_is_not_waited_for(self) -> None:
        self.assertEqual(self.run_shell("sleep 5 & echo started", 4), ["started"])

    def test_megabytes_are_read_and_dropped(self) -> None:
        lines = self.run_shell("head -c 5000000 /dev/zero | tr '\\0' x")
        self.assertLess(len(lines[0]), 1300000)

    def test_a_failure_is_told_with_the_first_line_of_error_output(self) -> None:
        with self.assertRaises(CommandFailed) as caught:
            self.run_shell("echo no such database >&2; echo more >&2; exit 3")
        self.assertEqual(caught.exception.cause, "exit status 3: no such database")
        with self.assertRaises(CommandFailed) as caught:
            self.run_shell("kill -9 $$")
        self.assertEqual(caught.exception.cause, "killed by SIGKILL")
        with self.assertRaises(CommandFailed) as caught:
            self.commands.run(Program(("no-such-program",)), soon())
        self.assertIn("No such file", caught.exception.cause)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_another_user_can_read_the_secret_and_nothing_shows_it(self) -> None:
        script = "id -un; cat " + SECRET + "; echo; tr '\\0' ' ' < /proc/$$/cmdline; env"
        program = Program(("sh", "-c", script), user="nobody", secret=b"hidden")
        lines = list(self.commands.run(program, soon()).lines)
        self.assertEqual(lines[:2], ["nobody", "hidden"])
        self.assertNotIn("hidden", "".join(lines[2:]))

    def test_nothing_of_ours_is_inherited(self) -> None:
        with open(self.path("ours"), "w"):
            lines = self.run_shell("ls -l /proc/$$/fd")
        self.assertNotIn(self.path("ours"), "".join(lines))

    def session(self) -> Session:
        return self.commands.session(Program(("sh",)), SHELL)

    def test_a_session_answers_one_statement_after_the_other(self) -> None:
        session = self.session()
        self.assertEqual(session.ask("echo one; echo two", soon()), ["one", "two"])
        self.assertEqual(session.ask(":", soon()), [])

    def test_a_statement_that_fails_does_not_end_the_session(self) -> None:
        session = self.session()
        with self.assertRaises(CommandFailed) as caught:
            session.ask("echo ERROR: busy >&2", soon())
        self.assertEqual(caught.exception.cause, "ERROR: busy")
        self.assertEqual(session.ask("echo next", soon()), ["next"])

    def test_a_late_answer_is_not_taken_for_the_next(self) -> None:
        session = self.session()
        with self.assertRaises(DeadlinePassed):
            session.ask("sleep 0.5; echo late", Deadline.after(0.1))
        self.assertEqual(session.ask("echo next", soon()), ["next"])

    def test_a_session_that_ended_is_lost(self) -> None:
        session = self.session()
        with self.assertRaises(SessionLost) as caught:
            session.ask("echo FATAL: shutting down >&2; exit", soon())
        self.assertIn("FATAL: shutting down", caught.exception.cause)
        self.commands._started[0].wait(20)
        with self.assertRaises(SessionLost):
            session.require_alive()

    def test_what_a_killed_holder_started_is_ended_by_the_next(self) -> None:
        self.session()
        process = self.commands._started[0].pid
        self.assertEqual(Register(self.folder).end_left_over(), 1)
        self.assertTrue(has_ended(process))
        self.assertEqual(Register(self.folder).end_left_over(), 0)

    def test_another_process_with_an_old_number_is_not_ended(self) -> None:
        self.session()
        process = self.commands._started[0]
        for name in os.listdir(self.folder):
            os.unlink(self.path(name))
        self.write("%d-1.child" % process.pid, "")
        self.assertEqual(Register(self.folder).end_left_over(), 0)
        self.assertIsNone(process.poll())
