"""The one door for processes: argument lists, an explicit end, no shell.

Every program runs in a session (process group) of its own, in `/`, with a small environment, so
that it and what it started can be ended together. Secrets go in by its standard input, or by a
file that has no name (`SECRET`).
"""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from guest_hooks.child_pipes import Pipes
from guest_hooks.child_register import Register
from guest_hooks.deadline import Deadline
from guest_hooks.errors import CommandFailed, DeadlinePassed, SessionLost, Unreachable

SECRET = "{secret}"  # noqa: S105  in an argument or variable: where the program reads `secret`
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "LC_ALL": "C", "HOME": "/"}
_MEMORY = "/run"  # a secret must not reach a disk, and a frozen disk could not take it
_LONGEST_CAUSE = 300
_POPEN_SETS_USER = sys.version_info >= (3, 9)  # what is done without it ends with Python 3.8
_KILLED_S = 1.0  # until a killed program is gone; one that waits for a frozen disk stays


class Program(NamedTuple):
    """How a program is to be started."""

    arguments: Sequence[str]  # the first one is looked for in PATH
    user: str = ""  # runs as this user with all its groups; "" as we do
    environment: Mapping[str, str] = {}  # beside `ENVIRONMENT`
    secret: Optional[bytes] = None  # readable at the path that takes the place of `SECRET`


class Output(NamedTuple):
    """What a program printed (of megabytes, the beginning), and how it ended."""

    status: int  # of the process; negative: by that signal
    lines: Sequence[str]  # of stdout
    errors: Sequence[str]  # of stderr


class Dialect(NamedTuple):
    """How a client program is made to say that it is done with a statement."""

    marker: str  # a statement that prints what stands for {}: "SELECT '{}';"
    error_prefixes: Tuple[str, ...]  # how a line on stderr begins that means failure: "ERROR"


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
        self._begun_s: Dict[int, float] = {}  # by number, of those

    def run(
        self, program: Program, deadline: Deadline, standard_input: bytes = b"", check: bool = True
    ) -> Output:
        """Run a program to its end.

        What it leaves running in the background is left alone, and not waited for.

        Args:
            program: what to start.
            deadline: when it is killed, with all that it started.
            standard_input: what it reads.
            check: whether an exit status other than 0 is an error.

        Raises:
            CommandFailed: it cannot be started, or failed.
            DeadlinePassed: it was killed.
        """
        process = self._start(program)
        pipes = Pipes(process)
        pipes.send(standard_input, is_last=True)
        while process.poll() is None and not deadline.has_passed:
            _move_or_wait(process, pipes, deadline)
        if process.poll() is None:
            kill(process)
            pipes.close()
            raise DeadlinePassed(self.subject, _attempt(program), "not done in time, so killed")
        pipes.move_what_is_there()
        pipes.close()
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
            process = self._start(program)
        except CommandFailed as error:
            raise Unreachable(error.subject, error.attempt, error.cause) from error
        return Session(self.subject, process, dialect)

    def end_all(self, deadline: Optional[Deadline] = None) -> None:
        """Kill what still runs; a driver that is abandoned may then start what sets it right.

        Args:
            deadline: what was begun behind it goes on; a driver that was late sets it right.
        """
        for process in list(self._started):
            is_late = deadline is not None and self._begun_s.get(process.pid, 0) > deadline.at_s
            if process.poll() is None and not is_late:
                kill(process)
        self._forget_ended()

    def close(self) -> None:
        """Kill what still runs, and let go of its pipes; in the thread that used them."""
        opened = list(self._started)
        self.end_all()
        for process in opened:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def _forget_ended(self) -> None:
        with self._forgetting:  # an abandoned driver's thread may be here too
            for one in [one for one in self._started if one.poll() is not None]:
                self._register.remove(one.pid)
                self._started.remove(one)
                self._begun_s.pop(one.pid, None)

    def _start(self, program: Program) -> "subprocess.Popen[bytes]":
        try:
            with _secret_file(program) as secret:
                process = _popen(program, secret)
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            raise CommandFailed(self.subject, _attempt(program), cause) from error
        self._begun_s[process.pid] = time.monotonic()
        self._started.append(process)
        self._register.add(process.pid)
        self._forget_ended()
        return process


class Session:
    """A client program held on a pipe; a lock that it took lives as long as it does."""

    def __init__(self, subject: str, process: "subprocess.Popen[bytes]", dialect: Dialect) -> None:
        self._subject = subject
        self._process = process
        self._dialect = dialect
        self._pipes = Pipes(process)
        self._asked = 0

    def ask(self, statement: str, deadline: Deadline) -> Sequence[str]:
        """Let it execute a statement.

        Returns:
            The lines that it printed on stdout.

        Raises:
            CommandFailed: it printed an error.
            DeadlinePassed: no answer in time; the statement may still be waiting in the server, so
                end it there.
            SessionLost: the program has ended.
        """
        self._asked += 1
        marker = _marker(self._asked)
        question = f"{statement}\n{self._dialect.marker.format(marker)}\n"
        self._pipes.send(question.encode())
        lines = self._lines_before(marker, statement, deadline)
        self._pipes.move_what_is_there()
        for line in self._pipes.errors.take_lines():
            if line.startswith(self._dialect.error_prefixes):
                raise CommandFailed(self._subject, statement, _shortened(line))
        return lines

    def require_alive(self) -> None:
        """Go on only if it still runs; it is not asked anything.

        Raises:
            SessionLost: it has ended.
        """
        if self._process.poll() is not None:
            raise self._lost("keep the session")

    def close(self, deadline: Deadline) -> None:
        """End it: by the end of its input, or else by a signal. Never raises."""
        self._pipes.send(b"", is_last=True)
        while self._process.poll() is None and not deadline.has_passed:
            _move_or_wait(self._process, self._pipes, deadline)
        if self._process.poll() is None:
            kill(self._process)
        self._pipes.close()

    def _lines_before(self, marker: str, statement: str, deadline: Deadline) -> Sequence[str]:
        lines: List[str] = []
        while True:
            for line in self._pipes.output.take_lines():
                if line.strip() == marker:
                    return lines
                lines.append(line)
                if line.strip() in map(_marker, range(1, self._asked)):
                    lines.clear()  # the late answer to a statement that was given up
            if self._pipes.output.is_at_end:
                raise self._lost(statement)
            deadline.require(self._subject, statement)
            self._pipes.move(deadline)

    def _lost(self, attempt: str) -> SessionLost:
        self._pipes.move_what_is_there()
        errors = self._pipes.errors.take_lines()
        prefixes = self._dialect.error_prefixes
        said = [line for line in errors if line.startswith(prefixes)] or errors
        cause = f"its client program has ended{_first(said)}"
        return SessionLost(self._subject, attempt, cause)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program and all that it started; what cannot die now is left to itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILLED_S)


def _move_or_wait(process: "subprocess.Popen[bytes]", pipes: Pipes, deadline: Deadline) -> None:
    if pipes.output.is_at_end and pipes.errors.is_at_end:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(deadline.left_s)
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
        cwd="/",
        env=environment,
        pass_fds=[secret.fileno()] if secret else [],
        start_new_session=True,
        **_as_user(program.user),
    )


@contextlib.contextmanager
def _secret_file(program: Program) -> Iterator[Optional[IO[bytes]]]:
    if program.secret is None:
        yield None
        return
    with tempfile.TemporaryFile(dir=_MEMORY) as file:
        file.write(program.secret)
        file.flush()
        if program.user:
            os.fchown(file.fileno(), pwd.getpwnam(program.user).pw_uid, -1)
        yield file


def _as_user(name: str) -> Dict[str, Any]:
    if not name:
        return {}
    account = pwd.getpwnam(name)
    groups = os.getgrouplist(name, account.pw_gid)
    if _POPEN_SETS_USER:
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}

    def become() -> None:
        os.setgroups(groups)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)

    return {"preexec_fn": become}


def _marker(number: int) -> str:
    return f"stillpoint {number} done"


def _attempt(program: Program) -> str:
    return f"run {' '.join(program.arguments)}"


def _ending(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def _first(lines: Sequence[str]) -> str:
    said = next((line.strip() for line in lines if line.strip()), "")
    return f": {_shortened(said)}" if said else ""


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST_CAUSE else line[: _LONGEST_CAUSE - 3] + "..."
