"""The children of this process, and what they leave: they end with all that they started."""

import contextlib
import subprocess
import threading
import time
from typing import IO, Dict, List, NamedTuple, Optional, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.processes import family
from stillpoint_guest.processes.child_pipes import Pipes
from stillpoint_guest.processes.family import Member, Orphan
from stillpoint_guest.processes.program import FOR_GOOD, Program, spawn

MARK = "STILLPOINT_PROGRAM"  # in the environment of what is run, with a value of its own
_KILLED_S = 1.0  # until a killed program is gone; one that waits for a frozen disk stays


class Child(NamedTuple):
    """A started program, with its process's start time: numbers are used again."""

    process: "subprocess.Popen[bytes]"
    member: Member
    begun_s: float

    def kill(self) -> None:
        """Kills the program with all that it started; processes that cannot die now are left."""
        CHILDREN.end(self.member)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_KILLED_S)

    def wait(self, pipes: Pipes, deadline: Deadline) -> None:
        """Waits until the program has ended, or the deadline; takes its output meanwhile."""
        process = self.process
        while process.poll() is None and not deadline.has_passed:
            if pipes.output.is_at_end and pipes.errors.is_at_end:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(deadline.remaining_s)
            else:
                pipes.move(deadline)


class Children:
    """The children of this process: another thread's programs are not what a program has left."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._known: Dict[int, Member] = {}
        self._let_go: List[Member] = []
        self._dying: List[Member] = []
        self._ending = threading.Lock()

    def start(self, program: Program, secret: Optional[IO[bytes]]) -> Child:
        """Starts a program; see `spawn` for arguments and errors."""
        with self._changing:  # it is a child before it is known, and there as long as nobody waits
            process = spawn(program, secret)
            member = family.member(process.pid)
            self._known[member.number] = member
            return Child(process, member, time.monotonic())

    def claim(self, ended: Member, mark: str, leaves: str) -> List[Orphan]:
        """Claims what a program that has ended by itself left, in whatever sessions.

        Once a process was let go for good, a process with neither the session nor the mark of the
        program may be of that one, and goes on.
        """
        with self._changing:
            self._dying = [each for each in self._dying if not family.is_gone(each)]
            self._let_go = [each for each in self._let_go if not family.is_gone(each)]
            left = [
                one
                for one in self._unknown(ended)
                if one.session == ended.number
                or not self._let_go
                or family.is_marked(one.member, f"{MARK}={mark}")
            ]
            members = [one.member for one in left]
            self._known.update((one.number, one) for one in members)
            if leaves == FOR_GOOD:
                self._let_go += members
        return left

    def of_sessions(self, left: Sequence[Orphan]) -> List[Orphan]:
        """The processes in the sessions of what was left."""
        if not left:
            return []
        sessions = {one.session for one in left}
        with self._changing:
            unknown = self._unknown(min((one.member for one in left), key=lambda one: one.started))
        return [one for one in unknown if one.session in sessions]

    def _unknown(self, since: Member) -> List[Orphan]:
        self._known = {key: one for key, one in self._known.items() if family.lives(one)}
        known = set(self._known.values())
        return [one for one in family.orphans(since) if one.member not in known]

    def end(self, one: Member) -> None:
        """Kills a process, with all that it started."""
        with self._ending:
            dying = family.end(one)
        with self._changing:
            self._dying += dying

    def reap(self) -> None:
        """Reaps ended processes that programs have left to this process."""
        with self._ending:  # as long as nobody has taken leave of it, its number is its own
            family.reap()


CHILDREN = Children()
