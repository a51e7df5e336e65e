"""The one door for processes: argument lists, an explicit end, no shell.

Every program runs in a session of its own, in `/`, with an environment that has nothing of ours,
and ends with all that it started (`family`). Secrets go in by its standard input, or by a file that
has no name (`SECRET`).
"""

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time
from typing import IO, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import (
    ApplicationError,
    CommandFailed,
    DeadlinePassed,
    SessionLost,
    Unreachable,
)
from stillpoint_guest.printable import printable
from stillpoint_guest.processes import family
from stillpoint_guest.processes.child_pipes import MOST_BYTES, Pipes
from stillpoint_guest.processes.child_register import Register
from stillpoint_guest.processes.family import Member, Orphan
from stillpoint_guest.processes.secret_file import secret_file

SECRET = "{secret}"  # noqa: S105  in an argument or variable: where the program reads `secret`
UNPRIVILEGED = "60991"  # nobody's number: `nobody` is many; systemd's UIDS-GIDS.md has it unused
NOTHING = "nothing"  # what a program leaves is ended with it
FOR_THE_HOLD = "for the hold"  # or with all of its application's programs
FOR_GOOD = "for good"  # or is none of ours: a server that a script has started again
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "LC_ALL": "C", "HOME": "/"}
_MARK = "STILLPOINT_PROGRAM"  # in the environment of what is run, with a value of its own
_NUMBERS = itertools.count()
_LONGEST_CAUSE = 300
_LONGEST_ATTEMPT_BYTES = 200
_ENDED_BY_ERROR = 3  # psql's exit status with ON_ERROR_STOP; a lost connection is 2
_KILLED_S = 1.0  # until a killed program is gone; one that waits for a frozen disk stays


class Program(NamedTuple):
    """How a program is to be started."""

    arguments: Sequence[str]  # the first one is looked for in PATH
    user: str = ""  # runs as this user, see `family.entrance`; "" as we do
    environment: Mapping[str, str] = {}  # beside `ENVIRONMENT`
    secret: Optional[bytes] = None  # readable at the path that takes the place of `SECRET`
    folder: str = "/"  # where it is; also one that root alone reaches, as in another's mounts
    leaves: str = NOTHING  # running, when it has ended by itself: `FOR_THE_HOLD`, `FOR_GOOD`


class Output(NamedTuple):
    """The output of a program (of megabytes, the beginning), and how it ended."""

    status: int  # of the process; negative: by that signal
    lines: Sequence[str]  # of stdout
    errors: Sequence[str]  # of stderr


class Dialect(NamedTuple):
    """How a client program is made to say that it is done with a statement."""

    marker: str  # a statement that prints what stands for {}: "SELECT '{}';"
    error_prefixes: Tuple[str, ...]  # how a line on stderr begins that means failure: "ERROR"
    ends_with_error: bool = False  # the client ends at the first one: the marker means success


class Commands:
    """Starts the programs of one application, and can end all of them."""

    def __init__(self, subject: str, folder: str = "") -> None:
        """Start nothing yet.

        Args:
            subject: whose programs they are, for messages.
            folder: where they are registered while they run, so that none outlives us for long.
        """
        self.subject = subject
        self._register = Register(folder)
        self._forgetting = threading.Lock()
        self._started: List["subprocess.Popen[bytes]"] = []
        self._children: Dict[int, _Child] = {}  # by number, of those
        self._left: List[Orphan] = []  # for the hold
        family.adopt()

    def run(
        self, program: Program, deadline: Deadline, standard_input: bytes = b"", check: bool = True
    ) -> Output:
        """Run a program to its end.

        What it leaves running in the background is not waited for; see `Program.leaves`.

        Args:
            program: what to start.
            deadline: when it is killed, with all that it started.
            standard_input: what it reads.
            check: whether an exit status other than 0 is an error.

        Raises:
            CommandFailed: it cannot be started, or failed.
            DeadlinePassed: it was killed.
        """
        mark = f"{os.getpid()}.{next(_NUMBERS)}"
        environment = {**program.environment, _MARK: mark}
        child = self._start(program._replace(environment=environment))
        process = child.process
        pipes = Pipes(process)
        pipes.send(standard_input, is_last=True)
        _wait(process, pipes, deadline)
        if process.poll() is None:
            child.kill()
            pipes.close()
            raise DeadlinePassed(self.subject, _attempt(program), "not done in time, so killed")
        pipes.move_what_is_there()
        pipes.close()
        self._see_to_what_is_left(child.member, mark, program.leaves)
        self._forget_ended()
        output = Output(process.returncode, pipes.output.lines(), pipes.errors.lines())
        if check and output.status:
            cause = f"{_ending(output.status)}{_first(output.errors or output.lines)}"
            raise CommandFailed(self.subject, _attempt(program), cause)
        return output

    def session(self, program: Program, dialect: Dialect) -> "Session":
        """Start a client program that is to be asked one statement after the other.

        Raises:
            Unreachable: it cannot be started.
        """
        try:
            child = self._start(program)
        except CommandFailed as error:
            raise Unreachable(error.subject, error.attempt, error.cause) from error
        return Session(self.subject, child, dialect)

    def end_all(self, deadline: Optional[Deadline] = None) -> None:
        """Kill what still runs; a driver that is abandoned may then start what sets it right.

        Args:
            deadline: what was begun behind it goes on; a driver that was late sets it right.
        """
        for process in list(self._started):
            child = self._children.get(process.pid)
            is_over = deadline is None or (child and child.begun_s <= deadline.at_s)
            if child and is_over and process.poll() is None:
                child.kill()
        self._forget_ended()

    def close(self) -> None:
        """Kill what still runs, and let go of its pipes; in the thread that used them."""
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
        left = _CHILDREN.claim(ended, mark, leaves)
        if leaves == NOTHING:
            for one in left:
                _CHILDREN.end(one.member)
        if leaves == FOR_THE_HOLD:
            self._left += [Orphan(ended, ended.number), *left]
            for one in left:
                self._register.add(one.member)

    def _end_what_is_left(self) -> None:
        """With what that has left in turn, if it made no session of its own meanwhile."""
        left, self._left = self._left, []
        for one in left:
            _CHILDREN.end(one.member)
            self._register.remove(one.member.number)
        for one in _CHILDREN.of_sessions(left):
            _CHILDREN.end(one.member)

    def _start(self, program: Program) -> "_Child":
        try:
            with secret_file(program.secret, program.user) as secret:
                child = _CHILDREN.start(program, secret)
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise CommandFailed(self.subject, _attempt(program), cause) from error
        self._children[child.process.pid] = child
        self._started.append(child.process)
        self._register.add(child.member)
        self._forget_ended()
        return child


class _Child(NamedTuple):
    """A program that was started, and which process that was: its number is not it for ever."""

    process: "subprocess.Popen[bytes]"
    member: Member
    begun_s: float

    def kill(self) -> None:
        """With all that it started; what cannot die now is left to itself."""
        _CHILDREN.end(self.member)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_KILLED_S)


class _Children:
    """The children of this process: another thread's programs are not what a program has left."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._known: Dict[int, Member] = {}
        self._let_go: List[Member] = []
        self._dying: List[Member] = []
        self._ending = threading.Lock()

    def start(self, program: Program, secret: Optional[IO[bytes]]) -> _Child:
        with self._changing:  # it is a child before it is known, and there as long as nobody waits
            process = _popen(program, secret)
            member = family.member(process.pid)
            self._known[member.number] = member
            return _Child(process, member, time.monotonic())

    def claim(self, ended: Member, mark: str, leaves: str) -> List[Orphan]:
        """Claim what a program that has ended by itself left, in whatever sessions.

        Once something was let go for good, what has neither the session nor the mark of the
        program can be that one's, and goes on.
        """
        with self._changing:
            self._dying = [each for each in self._dying if not family.is_gone(each)]
            self._let_go = [each for each in self._let_go if not family.is_gone(each)]
            left = [
                one
                for one in self._unknown(ended)
                if one.session == ended.number
                or not self._let_go
                or family.is_marked(one.member, f"{_MARK}={mark}")
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
        with self._ending:
            dying = family.end(one)
        with self._changing:
            self._dying += dying

    def reap(self) -> None:
        with self._ending:  # as long as nobody has taken leave of it, its number is its own
            family.reap()


_CHILDREN = _Children()


class Session:
    """A client program held on a pipe; a lock that it took lives as long as it does."""

    def __init__(self, subject: str, child: _Child, dialect: Dialect) -> None:
        self._subject = subject
        self._child = child
        self._process = child.process
        self._dialect = dialect
        self._pipes = Pipes(child.process)
        self._given_up: List[str] = []  # markers whose statements may still be answered

    def ask(self, statement: str, deadline: Deadline) -> Sequence[str]:
        """Let it execute a statement.

        Returns:
            The lines that it printed on stdout.

        Raises:
            CommandFailed: it printed an error, or more than any answer can be.
            DeadlinePassed: no answer in time; the statement may still be waiting in the server, so
                end it there.
            SessionLost: the program has ended.
        """
        marker = f"stillpoint {os.urandom(16).hex()}"  # no answer can have it: it is not said yet
        self._given_up.append(marker)
        question = f"{statement}\n{self._dialect.marker.format(marker)}\n"
        self._pipes.send(question.encode())
        lines = self._lines_before(marker, statement, deadline)
        self._given_up.clear()
        self._pipes.move_what_is_there()
        for line in self._pipes.errors.take_lines():
            if line.startswith(self._dialect.error_prefixes):
                raise CommandFailed(self._subject, _one_line(statement), _shorten(line))
        return lines

    def require_alive(self) -> None:
        """Go on only if it still runs; it is not asked anything.

        Raises:
            SessionLost: it has ended.
        """
        if self._process.poll() is not None:
            raise self._loss("keep the session", self._first_error())

    def close(self, deadline: Deadline) -> None:
        """End it: by the end of its input, or else by a signal. Never raises."""
        below = family.below(self._process.pid) if self._process.poll() is None else []
        self._pipes.send(b"", is_last=True)
        _wait(self._process, self._pipes, deadline)
        if self._process.poll() is None:
            self._child.kill()
        for one in below:
            _CHILDREN.end(one)
        self._pipes.close()

    def _lines_before(self, marker: str, statement: str, deadline: Deadline) -> Sequence[str]:
        lines: List[str] = []
        size_bytes = 0
        while True:
            for line in self._pipes.output.take_lines():
                if line.strip() == marker:
                    return lines
                lines.append(line)
                size_bytes += len(line)
                if line.strip() in self._given_up:
                    lines.clear()  # the late answer to a statement that was given up
                    size_bytes = 0
            if size_bytes > MOST_BYTES or self._pipes.output.is_full:
                self._child.kill()
                cause = f"its answer is longer than {MOST_BYTES} bytes"
                raise CommandFailed(self._subject, _one_line(statement), cause)
            if self._pipes.output.is_at_end:
                raise self._end_error(statement, deadline)
            deadline.require(self._subject, _one_line(statement))
            self._pipes.move(deadline)

    def _end_error(self, attempt: str, deadline: Deadline) -> ApplicationError:
        """Why: by an error that the server told, or with its connection."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it has closed its output so far
            self._process.wait(deadline.remaining_s)
        said = self._first_error()
        is_by_error = self._process.returncode == _ENDED_BY_ERROR
        if self._dialect.ends_with_error and is_by_error and said:
            return CommandFailed(self._subject, _one_line(attempt), _shorten(said))
        return self._loss(attempt, said)

    def _loss(self, attempt: str, said: str) -> SessionLost:
        cause = f"its client program has ended{_first([said])}"
        return SessionLost(self._subject, _one_line(attempt), cause)

    def _first_error(self) -> str:
        """The first line of its errors."""
        self._pipes.move_what_is_there()
        errors = self._pipes.errors.take_lines()
        prefixes = self._dialect.error_prefixes
        said = [line for line in errors if line.startswith(prefixes)] or errors
        return next((line.strip() for line in said if line.strip()), "")


def reap() -> None:
    """Take leave of what programs left to this process and has ended; to be called at times."""
    _CHILDREN.reap()


def _wait(process: "subprocess.Popen[bytes]", pipes: Pipes, deadline: Deadline) -> None:
    """Until it has ended, or the time is over; what it prints is taken meanwhile."""
    while process.poll() is None and not deadline.has_passed:
        if pipes.output.is_at_end and pipes.errors.is_at_end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(deadline.remaining_s)
        else:
            pipes.move(deadline)


def _popen(program: Program, secret: Optional[IO[bytes]]) -> "subprocess.Popen[bytes]":
    path = f"/dev/fd/{secret.fileno()}" if secret else SECRET
    environment = dict(ENVIRONMENT)
    for name, value in program.environment.items():
        environment[name] = value.replace(SECRET, path)
    return subprocess.Popen(
        [argument.replace(SECRET, path) for argument in program.arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=program.folder,
        env=environment,
        pass_fds=[secret.fileno()] if secret else [],
        start_new_session=True,
        preexec_fn=family.entrance(program.user),  # noqa: PLW1509  system calls only
    )


def _attempt(program: Program) -> str:
    return f"run {_one_line(' '.join(program.arguments))}"


def _one_line(statement: str) -> str:
    """In one line, without what an error has no use for."""
    return printable(" ".join(statement.split()), _LONGEST_ATTEMPT_BYTES)


def _ending(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def _first(lines: Sequence[str]) -> str:
    said = next((line.strip() for line in lines if line.strip()), "")
    return f": {_shorten(said)}" if said else ""


def _shorten(line: str) -> str:
    return line if len(line) <= _LONGEST_CAUSE else line[: _LONGEST_CAUSE - 3] + "..."
