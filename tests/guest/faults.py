"""The fault campaign: cycles of freeze and thaw, in each of which something dies, hangs or fails.

    faults.py --cycles 500 --folder FOLDER --disk PATH --seed 1

Runs in a lab as a process of its own, with real sockets, signals and children, and freezes the
disk for real, or fills it. `agent` is a process that runs the client as QEMU's agent does. The two
applications are scripted: `session` has a lock that lives as long as its client program, as
databases have; `lasting` has one that outlives everybody, as stopped services have.
After each cycle: nothing is frozen, no lock is held, no process is left; and no thaw has vouched
for a hold that was broken. The last line is a summary in JSON.

Python 3.6, as what it tests.
"""

import argparse
import collections
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import Callable, Counter, Iterator, List, Mapping, Sequence

from guest_hooks import client, holder
from guest_hooks.command import Dialect, Program
from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Report
from guest_hooks.errors import GuestError, Refused
from guest_hooks.filesystems import _FITHAW
from guest_hooks.places import Places

PR_SET_CHILD_SUBREAPER = 36
PHASES = ("prepare", "lock", "held", "release")
PATIENCE_S = 10.0
LOOK_S = 0.002
CONFIGURATION = """
[stillpoint-guest]
freeze_s = 2
watchdog_s = {watchdog_s}
discovery = no
[session]
type = session
prepare_s = 0.3
lock_s = 0.3
release_s = 0.3
[lasting]
type = lasting
order = 60
prepare_s = 0.3
lock_s = 0.3
release_s = 0.3
"""


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
    def held(self, deadline: Deadline) -> Iterator[Report]:
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

    def reconcile(self, noted: Mapping[str, str], deadline: Deadline) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(noted["lock"])

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        Stage.reach("lasting", "lock")
        lock = Stage.path("lasting-lock")
        self.note.write({"lock": lock})
        open(lock, "w").close()
        try:
            yield Report("file")
            Stage.reach("lasting", "release")
        finally:
            self.reconcile({"lock": lock}, deadline)
            self.note.drop()


class Broken(Exception):
    """What must hold after every cycle does not."""


class Campaign:
    def __init__(self, folder: str, disk: str, seed: int) -> None:
        self.places = Places(
            os.path.join(folder, "conf"), os.path.join(folder, "run"), os.path.join(disk, "state")
        )
        Stage.folder = os.environ["STAGE"] = folder
        self.disk = disk
        self.random = random.Random(seed)
        self.holder = 0
        self.counts: Counter[str] = collections.Counter()
        self.client = 0

    def faults(self) -> Iterator[str]:
        """Every fault as a name, in an order of its own for each seed; for ever."""
        known = ["none", "twice", "thaw-early", "watchdog", "socket-gone", "disk-full", "clock"]
        victims = ("agent", "client", "holder", "session")
        for victim, act in itertools.product(victims, ("kill", "stop")):
            known += ["%s-%s-%s" % (victim, act, phase) for phase in PHASES]
        for name, act in itertools.product(("session", "lasting"), ("fail", "fault", "hang")):
            known += ["%s-%s-%s" % (name, act, phase) for phase in PHASES if phase != "held"]
        while True:
            self.random.shuffle(known)
            for name in known:
                yield name

    def cycle(self, fault: str) -> None:
        """One freeze and thaw with that fault in it.

        Raises:
            Broken: something is left, or a thaw promised too much.
        """
        self.fault = fault.split("-") if fault.count("-") == 2 else [fault, "", ""]
        self.prepare_stage(fault)
        self.ensure_holder()
        freezes = self.random.random() < 0.35
        is_held = self.freeze(freezes)
        if is_held:
            self.strike_at("held")
            time.sleep(self.random.choice((0, 0, 0.01)))
        if fault == "watchdog":
            self.until("the watchdog", lambda: not self.is_locked())
        was_locked = self.is_locked()
        vouched = self.thaw()
        if is_held and vouched and not was_locked:
            raise Broken("the thaw vouched for a hold that was broken")
        self.require_nothing_left()
        self.counts["held" if is_held else "refused"] += 1
        self.counts["vouched" if vouched else "lost"] += 1 if is_held else 0
        self.counts["frozen"] += 1 if freezes and is_held else 0

    def prepare_stage(self, fault: str) -> None:
        for name in os.listdir(Stage.folder):
            if name.startswith("at-"):
                os.unlink(Stage.path(name))
        victim, act, phase = self.fault
        script = {}
        if victim in ("session", "lasting") and act in ("fail", "fault", "hang"):
            script["%s-%s" % (victim, phase)] = act
        elif phase or fault == "thaw-early":
            script["session-%s" % (phase or "prepare")] = "pause"
        with open(Stage.path("script"), "w") as file:
            json.dump(script, file)
        with open(self.places.configuration, "w") as file:
            file.write(CONFIGURATION.format(watchdog_s=0.3 if fault == "watchdog" else 20))
        if fault == "disk-full":  # no record can be written
            self.fill()
        else:
            self.empty()

    @property
    def ballast(self) -> str:
        return os.path.join(self.disk, "ballast")

    def empty(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.ballast)

    def fill(self) -> None:
        """Take the disk's last block."""
        piece = 1 << 30
        with open(self.ballast, "wb") as file:
            while piece >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, piece)
                except OSError:
                    piece //= 2
        with contextlib.suppress(OSError), open(self.disk + "/more", "wb") as file:
            file.write(bytes(8192))
            file.flush()
            raise Broken("the disk is not full")

    def freeze(self, freezes: bool) -> bool:
        question = {"filesystems": json.dumps([self.disk])} if freezes else {}

        def asked() -> None:
            client.freeze(self.places, **question)

        self.client = self.asking(asked)
        early = None
        if self.fault[0] == "thaw-early":
            self.until_reached("prepare")
            early = forked(lambda: client.thaw(self.places))
        for phase in ("prepare", "lock"):
            self.strike_at(phase)
        is_early = not os.path.exists(Stage.path("lasting-lock"))
        status = self.ended(self.client)
        if status < 0 and is_early and self.fault[0] == "agent":  # nobody will freeze, nor thaw
            self.until("the client of a dead agent", self.reap, self.left)
            self.until("its hold", lambda: not self.is_locked())
        if early:
            self.ended(early)
        if self.fault[0] == "twice" and status == 0 and self.ended(self.forked_freeze()) == 0:
            raise Broken("a second freeze was let in")
        return status == 0

    def asking(self, client: Callable[[], object]) -> int:
        """The client, or else the agent that runs it if that is the victim."""
        return forked(lambda: waited_for(client)) if self.fault[0] == "agent" else forked(client)

    def forked_freeze(self) -> int:
        return forked(lambda: client.freeze(self.places))

    def thaw(self) -> bool:
        self.ensure_holder()
        if self.fault[0] == "socket-gone":
            os.unlink(self.places.socket)
            self.until("the socket", lambda: os.path.exists(self.places.socket))
        thawing = self.client = self.asking(lambda: client.thaw(self.places))
        self.strike_at("release")
        status = self.ended(thawing)
        if status < 0 or self.fault[:2] == ["holder", "kill"]:
            self.ensure_holder()
            self.ended(forked(lambda: client.thaw(self.places)))  # somebody asks again
        return status == 0

    def strike_at(self, phase: str) -> None:
        victim, act, wanted = self.fault
        if wanted != phase or act not in ("kill", "stop"):
            return
        if phase != "held" and not self.until_reached(phase):
            return
        process = self.victim(victim)
        if not process:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL if act == "kill" else signal.SIGSTOP)
        if victim == "holder" and act == "kill":  # else the next client would start one of its own
            self.until("the holder's end", lambda: self.has_ended(process))
            self.holder = 0
        if act == "stop":
            time.sleep(self.random.choice((0.02, 0.5)))
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)

    def victim(self, name: str) -> int:
        if name == "session":
            with contextlib.suppress(OSError, ValueError):
                with open(Stage.path("session-pid")) as file:
                    return int(file.read())
            return 0
        return self.holder if name == "holder" else self.client

    def until_reached(self, phase: str) -> bool:
        end_s = time.monotonic() + 1
        while not os.path.exists(Stage.path("at-session-%s" % phase)):
            if time.monotonic() > end_s:
                return False
            time.sleep(LOOK_S)
        return True

    def ensure_holder(self) -> None:
        if self.holder and not self.has_ended(self.holder):
            return
        if self.adopt():
            return
        with contextlib.suppress(OSError):
            os.unlink(self.places.socket)
        is_stepping = self.fault[0] == "clock"
        self.holder = forked(lambda: self.be_holder(is_stepping))
        self.until("the holder", lambda: os.path.exists(self.places.socket))

    def adopt(self) -> bool:
        """Take over a holder that a client has started, because ours was killed just then."""
        for process in children(os.getpid()):
            if process != self.holder and " holder " in told(process):
                self.holder = process
                return True
        return False

    def be_holder(self, is_stepping: bool) -> None:
        if is_stepping:
            now = time.time
            time.time = lambda: now() + random.choice((-86400, 0, 86400))
        holder.run(self.places, (SessionLock, LastingLock), 0, threading.Event())

    def is_locked(self) -> bool:
        return self.is_session_locked() and os.path.exists(Stage.path("lasting-lock"))

    def is_session_locked(self) -> bool:
        with open(Stage.path("session-lock"), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def require_nothing_left(self) -> None:
        self.until("the session's lock", lambda: not self.is_session_locked())
        gone = lambda: not os.path.exists(Stage.path("lasting-lock"))  # noqa: E731
        self.until("the lasting lock", gone)
        self.until("programs", lambda: self.reap() and not children(self.holder), self.left)
        if thawed(self.disk):
            raise Broken("the disk was frozen")

    def reap(self) -> bool:
        """Whether the holder is the only child, once the dead are buried."""
        if self.has_ended(self.holder):
            self.adopt()
        for process in children(os.getpid()):
            if process != self.holder:
                self.has_ended(process)
        return set(children(os.getpid())) <= {self.holder}

    def left(self) -> List[str]:
        own = set(children(os.getpid())) - {self.holder}
        return [told(process) for process in (*own, *children(self.holder))]

    def until(self, what: str, is_so: Callable[[], bool], left: Callable[[], object] = str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not is_so():
            if time.monotonic() > end_s:
                raise Broken("%s: not after %g s %s" % (what, PATIENCE_S, left()))
            time.sleep(LOOK_S)

    def ended(self, process: int) -> int:
        """The exit status of a client; negative if a signal ended it."""
        end_s = time.monotonic() + 25
        while True:
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if time.monotonic() > end_s:
                raise Broken("a client hangs")
            time.sleep(LOOK_S)

    def has_ended(self, process: int) -> bool:
        try:
            return os.waitpid(process, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True


def forked(action: Callable[[], object]) -> int:
    process = os.fork()
    if process:
        return process
    status = 3
    try:
        action()
        status = 0
    except GuestError:
        status = 1
    except BaseException as error:
        sys.stderr.write("%r\n" % error)
    finally:
        os._exit(status)


def waited_for(action: Callable[[], object]) -> None:
    status = os.waitpid(forked(action), 0)[1]
    if status:
        raise GuestError("hook", "run", "status %d" % status)


def children(process: int) -> List[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/%d/task" % process):
            with open("/proc/%d/task/%s/children" % (process, task)) as file:
                found += [int(word) for word in file.read().split()]
    return found


def told(process: int) -> str:
    with contextlib.suppress(OSError):
        with open("/proc/%d/cmdline" % process) as words, open("/proc/%d/stat" % process) as state:
            return words.read().replace("\0", " ") + state.read()[:60]
    return str(process)


def thawed(path: str) -> bool:
    """Whether it had been frozen; it is not any more."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _FITHAW, 0)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disk", required=True)
    given = parser.parse_args(arguments)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.makedirs(given.folder, exist_ok=True)
    campaign = Campaign(given.folder, given.disk, given.seed)
    broken: List[str] = []
    cycles = 0
    for fault in itertools.islice(campaign.faults(), given.cycles):
        cycles += 1
        try:
            campaign.cycle(fault)
        except Broken as error:
            broken.append("cycle %d, %s: %s" % (cycles, fault, error))
            if len(broken) > 10:
                break
    os.kill(campaign.holder, signal.SIGKILL)
    thawed(given.disk)
    summary = {"cycles": cycles, "broken": broken, **campaign.counts}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
