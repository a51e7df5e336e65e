"""A client program that executes one statement after the other."""

import contextlib
import os
import subprocess
from typing import List, NamedTuple, Sequence, Tuple

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import ApplicationError, CommandFailed, SessionLost
from stillpoint_guest.processes import family
from stillpoint_guest.processes.child_pipes import MOST_BYTES, Pipes
from stillpoint_guest.processes.children import CHILDREN, Child
from stillpoint_guest.processes.program import first_line, one_line, shorten

_ENDED_BY_ERROR = 3  # psql's exit status with ON_ERROR_STOP; a lost connection is 2


class Dialect(NamedTuple):
    """The client program's own way to mark the end of a statement's output."""

    marker: str  # a statement that prints what stands for {}: "SELECT '{}';"
    error_prefixes: Tuple[str, ...]  # how a line on stderr begins that means failure: "ERROR"
    ends_with_error: bool = False  # the client ends at the first one: the marker means success


class Session:
    """A client program on a pipe; a lock that it took lives as long as it does."""

    def __init__(self, subject: str, child: Child, dialect: Dialect) -> None:
        self._subject = subject
        self._child = child
        self._process = child.process
        self._dialect = dialect
        self._pipes = Pipes(child.process)
        self._given_up: List[str] = []  # markers whose statements may still be answered

    def ask(self, statement: str, deadline: Deadline) -> Sequence[str]:
        """Executes a statement.

        Returns:
            The lines of stdout.

        Raises:
            CommandFailed: the program printed an error, or more than any result can be.
            DeadlinePassed: no result in time; the statement may still be waiting in the server, so
                end it there.
            SessionLost: the program has ended.
        """
        marker = f"stillpoint {os.urandom(16).hex()}"  # no answer can have it: it is not said yet
        self._given_up.append(marker)
        request = f"{statement}\n{self._dialect.marker.format(marker)}\n"
        self._pipes.send(request.encode())
        lines = self._lines_before(marker, statement, deadline)
        self._given_up.clear()
        self._pipes.move_what_is_there()
        for line in self._pipes.errors.take_lines():
            if line.startswith(self._dialect.error_prefixes):
                raise CommandFailed(self._subject, one_line(statement), shorten(line))
        return lines

    def require_alive(self) -> None:
        """Goes on only if the program still runs; executes nothing.

        Raises:
            SessionLost: the program has ended.
        """
        if self._process.poll() is not None:
            raise self._loss("keep the session", self._first_error())

    def close(self, deadline: Deadline) -> None:
        """Ends the program: by the end of its input, or else by a signal. Never raises."""
        below = family.below(self._process.pid) if self._process.poll() is None else []
        self._pipes.send(b"", is_last=True)
        self._child.wait(self._pipes, deadline)
        if self._process.poll() is None:
            self._child.kill()
        for one in below:
            CHILDREN.end(one)
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
                raise CommandFailed(self._subject, one_line(statement), cause)
            if self._pipes.output.is_at_end:
                raise self._end_error(statement, deadline)
            deadline.require(self._subject, one_line(statement))
            self._pipes.move(deadline)

    def _end_error(self, attempt: str, deadline: Deadline) -> ApplicationError:
        """The error of the end: the server's own, or a lost session."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it has closed its output so far
            self._process.wait(deadline.remaining_s)
        said = self._first_error()
        is_by_error = self._process.returncode == _ENDED_BY_ERROR
        if self._dialect.ends_with_error and is_by_error and said:
            return CommandFailed(self._subject, one_line(attempt), shorten(said))
        return self._loss(attempt, said)

    def _loss(self, attempt: str, said: str) -> SessionLost:
        cause = f"its client program has ended{first_line([said])}"
        return SessionLost(self._subject, one_line(attempt), cause)

    def _first_error(self) -> str:
        """The first line of its errors."""
        self._pipes.move_what_is_there()
        errors = self._pipes.errors.take_lines()
        prefixes = self._dialect.error_prefixes
        said = [line for line in errors if line.startswith(prefixes)] or errors
        return next((line.strip() for line in said if line.strip()), "")
