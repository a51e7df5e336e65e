"""The single door for processes: argument lists, an explicit end, no shell.

`program` starts them; each ends with all that it started (`children`).
"""

import itertools
import os
import subprocess
import threading
from typing import Dict, List, Optional

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import CommandFailed, DeadlinePassed, Unreachable
from stillpoint_guest.processes import family
from stillpoint_guest.processes.child_pipes import Pipes
from stillpoint_guest.processes.child_register import Register
from stillpoint_guest.processes.children import CHILDREN, MARK, Child
from stillpoint_guest.processes.family import Member, Orphan
from stillpoint_guest.processes.program import (
    FOR_THE_HOLD,
    NOTHING,
    Output,
    Program,
    attempt,
    ending,
    first_line,
)
from stillpoint_guest.processes.secret_file import secret_file
from stillpoint_guest.processes.session import Dialect, Session

_NUMBERS = itertools.count()


class Commands:
    """Starts the programs of an application, and can end all of them."""

    def __init__(self, subject: str, folder: str = "") -> None:
        """Starts nothing yet.

        Args:
            subject: whose programs they are, for messages.
            folder: where they are registered while they run, so that none outlives us for long.
        """
        self.subject = subject
        self._register = Register(folder)
        self._forgetting = threading.Lock()
        self._started: List["subprocess.Popen[bytes]"] = []
        self._children: Dict[int, Child] = {}  # by number, of those
        self._left: List[Orphan] = []  # for the hold
        family.adopt()

    def run(
        self, program: Program, deadline: Deadline, standard_input: bytes = b"", check: bool = True
    ) -> Output:
        """Runs a program to its end.

        Background processes of the program are not waited for; see `Program.leaves`.

        Args:
            program: to start.
            deadline: of the program, which is killed then with all that it started.
            standard_input: of the program.
            check: true if an exit status other than 0 is an error.

        Raises:
            CommandFailed: the program cannot be started, or failed.
            DeadlinePassed: the program was killed.
        """
        mark = f"{os.getpid()}.{next(_NUMBERS)}"
        environment = {**program.environment, MARK: mark}
        child = self._start(program._replace(environment=environment))
        process = child.process
        pipes = Pipes(process)
        pipes.send(standard_input, is_last=True)
        child.wait(pipes, deadline)
        if process.poll() is None:
            child.kill()
            pipes.close()
            raise DeadlinePassed(self.subject, attempt(program), "not done in time, so killed")
        pipes.move_what_is_there()
        pipes.close()
        self._see_to_what_is_left(child.member, mark, program.leaves)
        self._forget_ended()
        output = Output(process.returncode, pipes.output.lines(), pipes.errors.lines())
        if check and output.status:
            cause = f"{ending(output.status)}{first_line(output.errors or output.lines)}"
            raise CommandFailed(self.subject, attempt(program), cause)
        return output

    def session(self, program: Program, dialect: Dialect) -> Session:
        """Starts a client program for one statement after the other.

        Raises:
            Unreachable: the program cannot be started.
        """
        try:
            child = self._start(program)
        except CommandFailed as error:
            raise Unreachable(error.subject, error.attempt, error.cause) from error
        return Session(self.subject, child, dialect)

    def end_all(self, deadline: Optional[Deadline] = None) -> None:
        """Kills all running programs; an abandoned driver may then start others to undo its work.

        Args:
            deadline: programs that began after it go on; a late driver undoes its work by them.
        """
        for process in list(self._started):
            child = self._children.get(process.pid)
            is_over = deadline is None or (child and child.begun_s <= deadline.at_s)
            if child and is_over and process.poll() is None:
                child.kill()
        self._forget_ended()

    def close(self) -> None:
        """Kills what still runs, and lets go of its pipes; in the thread that used them."""
        opened = list(self._started)
        self.end_all()
        self._end_what_is_left()
        for process in opened:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def _forget_ended(self) -> None:
        with self._forgetting:  # an abandoned driver's thread may be here too
            for one in [one for one in self._started if one.poll() is not None]:
                self._register.remove(one.pid)
                self._started.remove(one)
                self._children.pop(one.pid, None)

    def _see_to_what_is_left(self, ended: Member, mark: str, leaves: str) -> None:
        left = CHILDREN.claim(ended, mark, leaves)
        if leaves == NOTHING:
            for one in left:
                CHILDREN.end(one.member)
        if leaves == FOR_THE_HOLD:
            self._left += [Orphan(ended, ended.number), *left]
            for one in left:
                self._register.add(one.member)

    def _end_what_is_left(self) -> None:
        """Ends left processes and theirs in turn, unless they made sessions of their own."""
        left, self._left = self._left, []
        for one in left:
            CHILDREN.end(one.member)
            self._register.remove(one.member.number)
        for one in CHILDREN.of_sessions(left):
            CHILDREN.end(one.member)

    def _start(self, program: Program) -> Child:
        self._forget_ended()
        try:
            with secret_file(program.secret, program.user) as secret:
                child = CHILDREN.start(program, secret)
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise CommandFailed(self.subject, attempt(program), cause) from error
        self._children[child.process.pid] = child
        self._started.append(child.process)
        self._register.add(child.member)
        return child
