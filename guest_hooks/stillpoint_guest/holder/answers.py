"""The applications of a copy that answer again, after its first boot.

They are those that were at rest in the freeze of which this disk is. Each is asked as `check` asks
it, again and again until it answers, within a bound; no question begins while anything is held.
"""

import contextlib
import re
import threading
import time
from collections import Counter
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver
from stillpoint_guest.errors import GuestError, Refused
from stillpoint_guest.state.freeze_record import FreezeRecord
from stillpoint_guest.worker import within

_LOOK_S = 2.0
_ASK_S = 20.0  # a client takes long on a guest that boots
_PROCESS = re.compile(r"@[0-9]+$")  # of a name that several have: another one after each start


class Answers(NamedTuple):
    """Names of applications; of those that are called the same, each has to answer."""

    yes: Tuple[str, ...]
    no: Tuple[str, ...]
    unasked: Tuple[str, ...]  # such as scripts: nobody can ask them
    took_s: float


def collect(
    origin: FreezeRecord,
    drivers: Callable[[], Sequence[Driver]],
    wait_s: float,
    is_free: Callable[[], bool],
    stop: threading.Event,
) -> Optional[Answers]:
    """Waits until all of them answer, or the time is over; None if stopped.

    Args:
        origin: the record that this disk carries.
        drivers: makes those of what a freeze would quiesce now.
        wait_s: for all together.
        is_free: true while nothing is held, nor about to be.
        stop: set when nobody wants the answers any more.

    Raises:
        ConfigurationError: the configuration cannot be used.
    """
    begin_s, deadline = time.monotonic(), Deadline.after(wait_s)
    left = Counter(_common(one.name) for one in origin.applications if not one.error)
    settled: Dict[Optional[bool], List[str]] = {True: [], None: []}
    while left and not deadline.has_passed:
        for name, answer in _round(left, drivers, is_free).items():
            settled[answer].append(name)
            del left[name]
        if left and stop.wait(min(_LOOK_S, deadline.remaining_s)):
            return None
    took_s = round(time.monotonic() - begin_s, 3)
    yes, unasked = (tuple(sorted(settled[key])) for key in (True, None))
    return Answers(yes, tuple(sorted(left)), unasked, took_s)


def _round(
    left: "Counter[str]", drivers: Callable[[], Sequence[Driver]], is_free: Callable[[], bool]
) -> Dict[str, Optional[bool]]:
    """Asks all that are left once; gives those that answer, and those that nobody can ask."""
    found: Dict[str, List[Optional[bool]]] = {}
    for driver in drivers() if is_free() else ():
        name = _common(driver.section.name)
        if name in left and is_free():
            found.setdefault(name, []).append(_ask(driver))
    settled: Dict[str, Optional[bool]] = {}
    for name, answers in found.items():
        if answers.count(True) >= left[name]:
            settled[name] = True
        elif None in answers:
            settled[name] = None
    return settled


def _ask(driver: Driver) -> Optional[bool]:
    """The answer of an application, see `Driver.answers`; a refusal is one, too."""
    deadline = Deadline.after(_ASK_S)
    try:
        return within(deadline, driver.section.name, "ask", lambda: driver.answers(deadline))
    except Refused:
        return True
    except GuestError:
        return False
    finally:
        with contextlib.suppress(OSError):
            driver.commands.close()


def _common(name: str) -> str:
    """A name without the number of a process."""
    return _PROCESS.sub("", name)


def summary(answers: Answers) -> str:
    """A line for the log."""
    several: Sequence[Tuple[str, Sequence[str]]] = (
        ("answer again", answers.yes),
        ("do not answer", answers.no),
        ("were not asked", answers.unasked),
    )
    said = "; ".join(f"{', '.join(names)} {what}" for what, names in several if names)
    return f"after {answers.took_s:g} s: {said or 'no application was at rest'}"
