"""The two applications of the campaign: scripted, with locks that are real.

`session` has a lock that lives as long as its client program, as databases have; `lasting` has one
that outlives everybody, as stopped services have. What they are to do in a cycle is in files.
"""

import contextlib
import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import Iterator, Mapping

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Report
from stillpoint_guest.errors import Refused
from stillpoint_guest.processes.program import Program
from stillpoint_guest.processes.session import Dialect

CONFIGURATION = """
[stillpoint-guest]
freeze_s = {freeze_s}
watchdog_s = {watchdog_s}
discovery = yes
console = no
[session]
type = session
prepare_s = {step_s}
lock_s = {step_s}
release_s = {step_s}
[lasting]
type = lasting
order = 60
prepare_s = {step_s}
lock_s = {step_s}
release_s = {step_s}
"""

VOUCHED = """
[vouched]
type = {kind}
socket = /run/crowd/vouched/{answer}.sock
system_user = nobody
required = no
prepare_s = 0.3
lock_s = 0.3
release_s = 0.3
"""
VOUCHED_KINDS = ("redis", "mariadb", "mysql")
ANSWERS = ("nonsense", "a-byte-a-second", "silence", "a-farewell")


class Stage:
    """What is written to tell drivers what to do, and where they are; files in memory."""

    folder = os.environ.get("STAGE", "")  # for a holder that a client has started

    @classmethod
    def path(cls, name: str) -> str:
        return os.path.join(cls.folder, name)

    @classmethod
    def reach(cls, name: str, phase: str) -> None:
        """A driver is at a phase: say so, and do what this cycle wants there."""
        open(cls.path("at-%s-%s" % (name, phase)), "w").close()
        with open(cls.path("script")) as file:
            act = json.load(file).get("%s-%s" % (name, phase))
        if act == "fail":
            raise Refused(name, phase, "scripted")
        if act == "fault":
            raise ZeroDivisionError("scripted")
        if act == "hang":
            time.sleep(0.9)
        if act == "pause":
            time.sleep(0.08)


class SessionLock(Driver):
    KIND = "session"

    def prepare(self, deadline: Deadline) -> None:
        Stage.reach("session", "prepare")
        self.session = self.commands.session(Program(("sh",)), Dialect("echo {}", ("ERROR",)))
        with open(Stage.path("session-pid"), "w") as file:
            file.write(self.session.ask("echo $$", deadline)[0])

    @contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        Stage.reach("session", "lock")
        lock = "exec 9>%s; flock -n 9 || echo ERROR: busy >&2" % Stage.path("session-lock")
        self.session.ask(lock, deadline)
        yield Report("flock", {"asked": "1"})
        Stage.reach("session", "release")
        self.session.ask("flock -u 9", Deadline.after(self.section.release_s))
        self.session.close(Deadline.after(self.section.release_s))


class LastingLock(Driver):
    KIND = "lasting"

    def prepare(self, deadline: Deadline) -> None:
        Stage.reach("lasting", "prepare")

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(undo["lock"])

    @contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        Stage.reach("lasting", "lock")
        lock = Stage.path("lasting-lock")
        self.journal.write({"lock": lock})
        open(lock, "w").close()
        try:
            yield Report("file")
            Stage.reach("lasting", "release")
        finally:
            self.reconcile({"lock": lock}, deadline)
            self.journal.drop()


def is_session_locked() -> bool:
    with open(Stage.path("session-lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
