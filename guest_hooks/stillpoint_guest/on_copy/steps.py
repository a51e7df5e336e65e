"""The on-copy steps: root's executables in one folder, run one after the other.

A step that fails does not keep the next one: each is there to keep a copy from doing what the
original does, and one that is not done is no reason to leave out the others.
"""

import os
import time
from typing import Iterator, Mapping, Sequence

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import GuestError
from stillpoint_guest.printable import printable
from stillpoint_guest.processes.command import Commands
from stillpoint_guest.processes.hook_folder import executables
from stillpoint_guest.processes.program import Program
from stillpoint_guest.state.copy_run import Step

_MOST_BYTES = 500  # of an error


def found(folder: str) -> Sequence[str]:
    """The paths of the steps, in order; none without the folder.

    Raises:
        ConfigurationError: others than root could have put something there, or it cannot be read.
    """
    if not os.path.lexists(folder):
        return ()
    trust.require(folder)
    return executables(folder)


def run(paths: Sequence[str], environment: Mapping[str, str], step_s: float) -> Iterator[Step]:
    """Runs the steps; each ends in time, with all that it started.

    Args:
        paths: of the steps.
        environment: of each, beside the fixed one of every program.
        step_s: the longest that one may take.
    """
    for path in paths:
        begin_s = time.monotonic()
        error = _failure(path, environment, step_s)
        took_s = round(time.monotonic() - begin_s, 3)
        yield Step(printable(os.path.basename(path), _MOST_BYTES), error, took_s)


def _failure(path: str, environment: Mapping[str, str], step_s: float) -> str:
    commands = Commands(os.path.basename(path))
    try:
        trust.require(path)
        commands.run(Program((path,), environment=environment), Deadline.after(step_s))
    except GuestError as error:
        return printable(str(error), _MOST_BYTES)
    finally:
        commands.close()
    return ""
