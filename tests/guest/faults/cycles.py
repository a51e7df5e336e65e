"""The fault campaign: cycles of freeze and thaw, in each of which something dies, hangs or fails.

    python -m tests.guest.faults.cycles --cycles 500 --folder FOLDER --disk PATH --seed 1

Runs in a lab as a process of its own, with real sockets, signals and children, and freezes the
disk for real, or fills it. `agent` is a process that runs the client as QEMU's agent does.
Beside them runs a crowd of strangers that look like servers, and to some of them a section leads.
After each cycle: nothing is frozen, no lock is held, no process is left; no thaw has vouched for a
hold that was broken, no record says that all was at rest, nothing was refused without a cause. The
last line is a summary in JSON.

Python 3.6, as what it tests.
"""

import argparse
import collections
import contextlib
import ctypes
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from typing import Callable, Counter, Dict, List, Sequence

from stillpoint_guest.drivers import DRIVERS
from stillpoint_guest.holder import holder
from stillpoint_guest.hook import client
from stillpoint_guest.places import Places

from tests.guest.faults import disk as disks
from tests.guest.faults.applications import (
    ANSWERS,
    CONFIGURATION,
    VOUCHED,
    VOUCHED_KINDS,
    Stage,
    is_session_locked,
)
from tests.guest.faults.names import every
from tests.guest.faults.processes import (
    NOTHING_WAS_HELD,
    children,
    forked,
    is_dead,
    told,
    waited_for,
)

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 60.0
LOOK_S = 0.002


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
        self.is_thawed_early = False

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
        if fault == "none" and not is_held:
            raise Broken("nothing was wrong, and it was refused")
        if is_held:
            self.strike_at("held")
            time.sleep(self.random.choice((0, 0, 0.01)))
        if fault == "watchdog":
            self.until("the watchdog", lambda: not self.is_locked())
        was_locked = self.is_locked()
        status = self.thaw()
        vouched = status == 0
        if vouched and not was_locked:
            raise Broken("the thaw vouched for a hold that was broken")
        if is_held and status == NOTHING_WAS_HELD and not self.is_thawed_early:
            raise Broken("the thaw knew of no hold")
        self.require_nothing_left()
        self.require_true_verdict()
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
            file.write(CONFIGURATION.format(**self.limits(fault)))
            if self.random.random() < 0.15:
                kind, answer = self.random.choice(VOUCHED_KINDS), self.random.choice(ANSWERS)
                file.write(VOUCHED.format(kind=kind, answer=answer))
        if fault == "disk-full":  # no record can be written
            disks.fill(self.disk)
        else:
            disks.empty(self.disk)

    def limits(self, fault: str) -> Dict[str, float]:
        """Where nothing is wrong, a machine that is as busy as it may must refuse nothing."""
        freeze_s, step_s = (20, 10) if fault == "none" else (2, 0.3)
        watchdog_s = 0.3 if fault == "watchdog" else 20
        return {"freeze_s": freeze_s, "step_s": step_s, "watchdog_s": watchdog_s}

    def freeze(self, freezes: bool) -> bool:
        question = {"filesystems": json.dumps([self.disk])} if freezes else {}

        def asked() -> None:
            client.freeze(self.places, **question)

        self.client = self.asking(asked)
        early = 0
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
        self.is_thawed_early = early != 0 and self.ended(early) == 0
        if self.fault[0] == "twice" and status == 0:
            if self.ended(forked(lambda: client.freeze(self.places))) == 0:
                raise Broken("a second freeze was let in")
        return status == 0

    def asking(self, client: Callable[[], object]) -> int:
        """The client, or else the agent that runs it if that is the victim."""
        return forked(lambda: waited_for(client)) if self.fault[0] == "agent" else forked(client)

    def thaw(self) -> int:
        """The exit status of the first one."""
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
        return status

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
        if victim == "agent" and act == "kill":  # until then its client sees that it has a parent
            self.until("the agent's end", lambda: is_dead(process))
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
        holder.run(self.places, DRIVERS, 0, threading.Event())

    def is_locked(self) -> bool:
        return is_session_locked() and os.path.exists(Stage.path("lasting-lock"))

    def require_nothing_left(self) -> None:
        self.until("the session's lock", lambda: not is_session_locked())
        gone = lambda: not os.path.exists(Stage.path("lasting-lock"))  # noqa: E731
        self.until("the lasting lock", gone)
        self.until("programs", lambda: self.reap() and not children(self.holder), self.left)
        if disks.thawed(self.disk):
            raise Broken("the disk was frozen")

    def require_true_verdict(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # of a disk that was full there is none
            with open(os.path.join(self.places.state, "record.json")) as file:
                if json.load(file)["verdict"] == "application":
                    raise Broken("strangers run, and the record says that all was at rest")

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
        end_s = time.monotonic() + 60
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
    try:
        for fault in itertools.islice(every(random.Random(given.seed)), given.cycles):
            cycles += 1
            try:
                campaign.cycle(fault)
            except Broken as error:
                broken.append("cycle %d, %s: %s" % (cycles, fault, error))
                if len(broken) > 10:
                    break
    finally:
        disks.thawed(given.disk)
        if campaign.holder:  # else it would live on, with our output open
            os.kill(campaign.holder, signal.SIGKILL)
    summary = {"cycles": cycles, "broken": broken, **campaign.counts}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
