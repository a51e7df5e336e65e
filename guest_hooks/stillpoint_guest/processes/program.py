"""A program to run, and its description in messages.

Every program runs in a session of its own, in `/`, with an environment that has nothing of ours.
Secrets go in by its standard input, or by a file that has no name (`SECRET`).
"""

import signal
import subprocess
from typing import IO, Mapping, NamedTuple, Optional, Sequence

from stillpoint_guest.printable import printable
from stillpoint_guest.processes import family

SECRET = "{secret}"  # noqa: S105  in an argument or variable: where the program reads `secret`
UNPRIVILEGED = "60991"  # nobody's number: `nobody` is many; systemd's UIDS-GIDS.md has it unused
NOTHING = "nothing"  # what a program leaves is ended with it
FOR_THE_HOLD = "for the hold"  # or with all of its application's programs
FOR_GOOD = "for good"  # or is none of ours: a server that a script has started again
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "LC_ALL": "C", "HOME": "/"}
_LONGEST_CAUSE = 300
_LONGEST_ATTEMPT_BYTES = 200


class Program(NamedTuple):
    """The program's arguments, user and surroundings."""

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


def spawn(program: Program, secret: Optional[IO[bytes]]) -> "subprocess.Popen[bytes]":
    """Starts a program; `secret` is the file with its secret.

    Raises:
        OSError, KeyError, subprocess.SubprocessError: the program cannot be started.
    """
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


def attempt(program: Program) -> str:
    """The attempt of an error: run these arguments."""
    return f"run {one_line(' '.join(program.arguments))}"


def one_line(statement: str) -> str:
    """A statement in one line, shortened for an error."""
    return printable(" ".join(statement.split()), _LONGEST_ATTEMPT_BYTES)


def ending(status: int) -> str:
    """The end of a program in words, by its status."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def first_line(lines: Sequence[str]) -> str:
    """The first line that says something, behind a colon; "" if none does."""
    said = next((line.strip() for line in lines if line.strip()), "")
    return f": {shorten(said)}" if said else ""


def shorten(line: str) -> str:
    """A line of bounded length."""
    return line if len(line) <= _LONGEST_CAUSE else line[: _LONGEST_CAUSE - 3] + "..."
