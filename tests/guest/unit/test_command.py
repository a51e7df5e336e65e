import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from typing import Callable, List
from unittest import mock

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import CommandFailed, DeadlinePassed, SessionLost
from stillpoint_guest.processes import family, secret_file
from stillpoint_guest.processes.child_register import Register
from stillpoint_guest.processes.command import Commands
from stillpoint_guest.processes.program import (
    FOR_GOOD,
    FOR_THE_HOLD,
    NOTHING,
    SECRET,
    UNPRIVILEGED,
    Program,
)
from stillpoint_guest.processes.session import Dialect, Session

from tests.guest.unit.folders import FolderCase

SHELL = Dialect("echo {}", ("ERROR",))
STRICT_SHELL = Dialect("echo {}", ("ERROR",), ends_with_error=True)
WAYS_OUT = (  # of what is written for {}, by somebody who does not want to be found
    "{} &",
    "setsid {} &",
    "setsid sh -c '{} & sleep 0.1' ; sleep 0.1",
    "env -i setsid sh -c 'cd /tmp; setsid {} &' ; sleep 0.1",
)
WITHOUT_FIRST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=[100]).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def soon() -> Deadline:
    return Deadline.after(20)


def has_ended(process: int) -> bool:
    end_s = time.monotonic() + 60
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
            self.run_shell("sleep 100 & echo $! > " + path + "; sleep 100", 3)
        with open(path) as file:
            self.assertTrue(has_ended(int(file.read())))

    def left_by(self, way: str, ending: str, seconds: float = 20, leaves: str = NOTHING) -> int:
        """The number of a process that a program started in some way."""
        path = self.path("pid")
        self.write(
            "left.sh",
            "echo $$ > " + path + ".new; mv " + path + ".new " + path + "; exec sleep 100",
        )
        script = way.format("/bin/sh " + self.path("left.sh")) + " >/dev/null 2>&1 </dev/null\n"
        script += "while [ ! -e " + path + " ]; do sleep 0.01; done; " + ending
        with contextlib.suppress(DeadlinePassed):
            self.commands.run(Program(("sh", "-c", script), leaves=leaves), Deadline.after(seconds))
        with open(path) as file:
            number = int(file.read())
        os.unlink(path)
        return number

    def test_nothing_outlives_a_program_that_is_killed(self) -> None:
        for way in WAYS_OUT:
            with self.subTest(way):
                self.assertTrue(has_ended(self.left_by(way, "sleep 100", 3)))

    def test_nothing_outlives_a_program_that_ends(self) -> None:
        for way in WAYS_OUT:
            with self.subTest(way):
                self.assertTrue(has_ended(self.left_by(way, "exit 0")))

    def test_what_is_never_long_the_same_process_is_ended(self) -> None:
        path = self.path("hop.sh")
        count = self.path("count")
        self.write("hop.sh", "echo >> " + count + "; sleep 0.01; setsid sh " + path + " &")
        with self.assertRaises(DeadlinePassed):
            self.run_shell("sh " + path + "; sleep 100", 3)
        before = os.path.getsize(count)
        self.assertGreater(before, 0)
        time.sleep(0.2)
        self.assertEqual(os.path.getsize(count), before)

    def test_whoever_started_another_just_before_it_ended_hides_nobody(self) -> None:
        """As two looks can fall: the first finds a process that has ended when it is stopped."""
        script = "sleep 100 & echo $!; wait"
        parent = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE)
        self.addCleanup(parent.wait)
        assert parent.stdout is not None
        with parent.stdout:
            child = int(parent.stdout.readline())
        ended = subprocess.Popen(["/bin/true"])
        while not has_ended(ended.pid):
            pass
        self.addCleanup(ended.wait)
        looks, see = iter([[ended.pid]]), family._children
        with mock.patch.object(family, "_children", lambda number: next(looks, see(number))):
            family.end(family.member(parent.pid))
        self.assertTrue(has_ended(child))

    def test_whoever_has_the_number_of_one_that_ended_is_left_alone_with_all_below(self) -> None:
        """A killed holder's register outlives its programs, whose numbers are used again."""
        script = "sleep 100 & echo $!; wait"
        stranger = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE)
        self.addCleanup(stranger.wait)
        self.addCleanup(lambda: family.end(family.member(stranger.pid)))
        assert stranger.stdout is not None
        with stranger.stdout:
            child = family.member(int(stranger.stdout.readline()))
        former = family.Member(stranger.pid, family.member(stranger.pid).started - 1)
        self.assertEqual(family.end(former), [])
        self.assertTrue(family.lives(family.member(stranger.pid)))
        self.assertTrue(family.lives(child))

    def test_a_process_whose_first_thread_has_ended_is_ended(self) -> None:
        """The kernel shows it as a zombie, while its other threads go on."""
        process = subprocess.Popen([sys.executable, "-c", WITHOUT_FIRST_THREAD])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        while family._fields(process.pid).state != "Z":
            self.assertIsNone(process.poll())
        one = family.member(process.pid)
        self.assertTrue(family.lives(one))
        self.assertEqual(family.end(one), [one])
        self.assertEqual(process.wait(20), -signal.SIGKILL)

    def test_what_a_script_leaves_for_the_hold_ends_with_it(self) -> None:
        for way in WAYS_OUT:
            with self.subTest(way):
                left = self.left_by(way, "exit 0", leaves=FOR_THE_HOLD)
                self.run_shell("sleep 0.1")  # another one of the same application
                other = Commands("other")
                other.run(Program(("true",)), soon())
                other.close()
                os.kill(left, 0)
                self.commands.close()
                self.assertTrue(has_ended(left))

    def test_what_a_script_leaves_for_good_goes_on(self) -> None:
        left = self.left_by(WAYS_OUT[1], "exit 0", leaves=FOR_GOOD)
        self.run_shell("true")
        self.commands.close()
        os.kill(left, 0)
        os.kill(left, 9)

    def test_what_the_left_one_leaves_ends_with_the_hold(self) -> None:
        """A client that holds a lock, below a shell which a thaw script ends."""
        shell, client = self.path("shell"), self.path("client")
        script = "(sleep 0.2; sleep 100 & echo $! > {}.new; mv {}.new {}; wait) &\necho $! > {}"
        script = "exec >/dev/null 2>&1 </dev/null\n" + script.format(client, client, client, shell)
        self.commands.run(Program(("sh", "-c", script), leaves=FOR_THE_HOLD), soon())
        while not os.path.exists(client):
            time.sleep(0.01)
        with open(shell) as file:
            os.kill(int(file.read()), 9)
        with open(client) as file:
            number = int(file.read())
        os.kill(number, 0)
        self.commands.close()
        self.assertTrue(has_ended(number))

    def test_what_was_let_go_may_start_more_beside_other_programs(self) -> None:
        path, hop = self.path("count"), self.path("hop.sh")
        self.write("hop.sh", "echo >> " + path + "; sleep 0.02; setsid sh " + hop + " &")
        way = "setsid env -i sh " + hop + " & {} &"
        daemon = self.left_by(way, "exit 0", leaves=FOR_GOOD)
        self.run_shell("sleep 0.3")
        before, end_s = os.path.getsize(path), time.monotonic() + 20
        while os.path.getsize(path) == before:
            self.assertLess(time.monotonic(), end_s)
            self.run_shell("sleep 0.1")
        left = self.left_by(WAYS_OUT[1], "exit 0")
        self.assertTrue(has_ended(left))
        os.unlink(hop)
        os.kill(daemon, 9)

    def test_what_was_not_let_go_is_ended_beside_what_was(self) -> None:
        daemon = self.left_by(WAYS_OUT[1], "exit 0", leaves=FOR_GOOD)
        for way in WAYS_OUT[:3]:
            with self.subTest(way):
                self.assertTrue(has_ended(self.left_by(way, "exit 0")))
        os.kill(daemon, 9)

    def test_what_a_script_left_is_ended_by_the_next_holder(self) -> None:
        left = self.left_by(WAYS_OUT[1], "exit 0", leaves=FOR_THE_HOLD)
        self.assertEqual(Register(self.folder).end_left_over(), 1)
        self.assertTrue(has_ended(left))

    def test_children_that_are_no_programs_of_ours_go_on(self) -> None:
        """However quickly a program ends: what was there before it is not what it left."""
        other = subprocess.Popen(("/bin/sleep", "100"), start_new_session=True)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        time.sleep(0.05)
        for _ in range(100):
            self.commands.run(Program(("true",)), soon())
        self.assertIsNone(other.poll())

    def test_programs_of_others_that_began_meanwhile_go_on(self) -> None:
        other = Commands("other")
        self.addCleanup(other.close)
        answers = []
        ended = threading.Event()

        def begin() -> None:
            time.sleep(0.2)
            session = other.session(Program(("sh",)), SHELL)
            ended.wait()
            answers.append(session.ask("echo there", soon()))

        beginning = threading.Thread(target=begin)
        beginning.start()
        self.run_shell("sleep 0.5")
        ended.set()
        beginning.join()
        self.assertEqual(answers, [["there"]])

    @unittest.skipUnless(os.geteuid() == 0, "only root may lower a score again")
    def test_the_kernel_spares_us_and_not_what_we_start(self) -> None:
        with open("/proc/self/oom_score_adj") as file:
            before = file.read()
        self.addCleanup(lambda: self.set_score(before))
        self.set_score("500")
        for user in ("", "nobody"):
            with self.subTest(user):
                program = Program(("cat", "/proc/self/oom_score_adj"), user)
                self.assertEqual(list(self.commands.run(program, soon()).lines), ["0"])

    def set_score(self, score: str) -> None:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(score)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_an_identity_of_ours_is_nobodys_and_in_no_group(self) -> None:
        program = Program(("sh", "-c", "id -u; id -g; id -G"), UNPRIVILEGED)
        lines = list(self.commands.run(program, soon()).lines)
        self.assertEqual(lines, [UNPRIVILEGED] * 3)

    def test_nothing_of_our_environment_is_inherited(self) -> None:
        names = {"PGOPTIONS": "-c search_path=theirs", "MYSQL_HOME": "/tmp", "LANG": "de_DE.UTF-8"}
        with mock.patch.dict(os.environ, names):
            lines = self.run_shell("env")
        said = dict(line.split("=", 1) for line in lines)
        self.assertEqual(said["LC_ALL"], "C")
        self.assertLess(
            set(said),
            {"STILLPOINT_PROGRAM", "PATH", "LC_ALL", "HOME", "PWD", "OLDPWD", "SHLVL", "_"},
        )

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

    def test_an_error_is_one_line_whatever_was_asked(self) -> None:
        acts: List[Callable[[], object]] = [
            lambda: self.run_shell("# a\n# b " + "x" * 1000 + "\nexit 3"),
            lambda: self.session().ask("true\n\n echo ERROR: no >&2", soon()),
            lambda: self.session().ask("true\n exit", soon()),
        ]
        for act in acts:
            with self.assertRaises((CommandFailed, SessionLost)) as caught:
                act()
            self.assertNotIn("\n", str(caught.exception))
            self.assertLess(len(str(caught.exception)), 600)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_another_user_can_read_the_secret_and_nothing_shows_it(self) -> None:
        script = "id -un; cat " + SECRET + "; echo; tr '\\0' ' ' < /proc/$$/cmdline; env"
        program = Program(("sh", "-c", script), user="nobody", secret=b"hidden")
        lines = list(self.commands.run(program, soon()).lines)
        self.assertEqual(lines[:2], ["nobody", "hidden"])
        self.assertNotIn("hidden", "".join(lines[2:]))

    def test_a_secret_needs_no_room_in_run(self) -> None:
        script = "stat -Lc '%a %s' " + SECRET + "; readlink " + SECRET
        program = Program(("sh", "-c", script), secret=b"hidden")
        (told, place) = self.commands.run(program, soon()).lines
        self.assertEqual(told, "600 6")
        self.assertTrue(place.startswith("/memfd:secret"), place)
        with mock.patch.object(secret_file, "_LIBC", object()):  # an older one
            (told, place) = self.commands.run(program, soon()).lines
        self.assertEqual(told, "600 6")
        self.assertTrue(place.startswith("/run/"), place)

    def test_nothing_of_ours_is_inherited(self) -> None:
        with open(self.path("ours"), "w"):
            lines = self.run_shell("ls -l /proc/$$/fd")
        self.assertNotIn(self.path("ours"), "".join(lines))

    def session(self, dialect: Dialect = SHELL) -> Session:
        return self.commands.session(Program(("sh",)), dialect)

    def test_an_answer_cannot_say_that_it_is_over(self) -> None:
        session = self.session()
        forged = ["stillpoint %d done" % number for number in range(5)]
        answer = "\n".join([*forged, "true"])
        self.assertEqual(session.ask("printf '%s\\n' '" + answer + "'", soon()), [*forged, "true"])
        self.assertEqual(session.ask("echo next", soon()), ["next"])

    def test_letters_that_python_takes_for_line_ends_are_letters(self) -> None:
        answer = "one\x0b\x0c\x1c\u2028two"
        self.assertEqual(self.session().ask("echo '" + answer + "'", soon()), [answer])

    def test_an_answer_without_end_ends_the_session(self) -> None:
        for answer in ("yes", "yes | tr -d '\\n'"):
            with self.subTest(answer):
                session = self.session()
                begin_s = time.monotonic()
                with self.assertRaises(CommandFailed) as caught:
                    session.ask(answer, soon())
                self.assertIn("longer than 1048576 bytes", caught.exception.cause)
                self.assertLess(time.monotonic() - begin_s, 30)
                with self.assertRaises(SessionLost):
                    session.require_alive()
                session.close(soon())

    def test_a_client_that_ends_with_an_error_has_failed_whatever_the_language(self) -> None:
        session = self.session(STRICT_SHELL)
        with self.assertRaises(CommandFailed) as caught:
            session.ask("echo 'FEHLER:  42501: keine Berechtigung' >&2; exit 3", soon())
        self.assertEqual(caught.exception.cause, "FEHLER:  42501: keine Berechtigung")

    def test_a_client_that_loses_its_connection_is_lost(self) -> None:
        session = self.session(STRICT_SHELL)
        with self.assertRaises(SessionLost):
            session.ask("echo 'connection to server was lost' >&2; exit 2", soon())

    def test_what_a_session_started_ends_with_it(self) -> None:
        session = self.session()
        (number,) = session.ask("setsid sleep 100 >/dev/null 2>&1 & echo $!", soon())
        session.close(soon())
        self.assertTrue(has_ended(int(number)))

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

    def test_what_hangs_outlives_no_holder_that_was_killed_before_it_was_noted(self) -> None:
        code = (
            "from stillpoint_guest.processes.command import Commands;"
            "from stillpoint_guest.processes.program import Program;"
            "from stillpoint_guest.processes.session import Dialect;"
            "started = Commands('app').session(Program(('sleep', '300')), Dialect('{}', ()));"
            "print(started._child.process.pid, flush=True);"
            "import time; time.sleep(300)"
        )
        holder = subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE)
        assert holder.stdout
        number = int(holder.stdout.readline())
        holder.kill()
        holder.wait()
        holder.stdout.close()
        self.assertTrue(has_ended(number))

    def test_another_process_with_an_old_number_is_not_ended(self) -> None:
        self.session()
        process = self.commands._started[0]
        for name in os.listdir(self.folder):
            os.unlink(self.path(name))
        self.write("%d-1.child" % process.pid, "")
        self.assertEqual(Register(self.folder).end_left_over(), 0)
        self.assertIsNone(process.poll())
