"""`stillpoint-guest on-copy`: runs root's steps at the first boot of a copy, and says so."""

import os
from functools import partial
from typing import Callable, Iterator, NamedTuple, Optional, Sequence

from stillpoint_guest import trust
from stillpoint_guest.console import Console
from stillpoint_guest.driver import Finding
from stillpoint_guest.errors import GuestError
from stillpoint_guest.holder.plan import Kinds
from stillpoint_guest.log import Log
from stillpoint_guest.on_copy import first_boot, steps
from stillpoint_guest.places import Places
from stillpoint_guest.state import console_line, copy_run
from stillpoint_guest.state.copy_run import CopyRun
from stillpoint_guest.state.freeze_record import FreezeRecord, Records

_CONSOLE_S = 5.0  # for a line to be written: the process ends after it


class Boot(NamedTuple):
    """The outcome of this boot."""

    run: Optional[CopyRun] = None  # None if no steps were due
    faults: Sequence[str] = ()  # why it is not known if this disk is a copy
    is_good: bool = True  # else what needs the steps is kept back


def run(places: Places, kinds: Callable[[], Kinds]) -> Boot:
    """Runs the steps if they are due in this boot, and announces the outcome.

    Args:
        places: of the agent's files.
        kinds: gives the drivers, whose imports most boots do without.
    """
    copy = first_boot.due(places)
    faults = [str(fault) for fault in Records(places.state).faults()]
    if copy is None and not faults:
        return Boot()
    known, unread = first_boot.load(places, kinds())
    if copy is None:
        return Boot(None, faults, not (known.on_copy.required or unread))
    done = first_boot.run(places, copy, known, unread)
    _announce(done, copy.origin, known.console)
    return Boot(done, faults, not (done.required and done.state == copy_run.FAILED))


def _announce(done: CopyRun, origin: FreezeRecord, setting: str) -> None:
    log = Log()
    console = Console(log)
    console.say(setting, partial(console_line.on_copy, done, origin), _CONSOLE_S)
    console.finish(_CONSOLE_S)
    log.flush()


def boot_lines(boot: Boot) -> Iterator[str]:
    """The outcome of this boot for people."""
    yield from boot.faults
    if boot.run:
        yield from lines(boot.run)
    else:
        yield "on-copy   nothing to do: no copy, or not its first boot"


def lines(run: CopyRun) -> Iterator[str]:
    """A run for people."""
    again = f", begun {run.unfinished + 1} times" if run.unfinished else ""
    yield f"on-copy   {run.state}: {len(run.steps)} steps, machine: {run.machine}{again}"
    if run.error:
        yield f"          {run.error}"
    for one in run.steps:
        yield f"          {one.error or one.name + ': done'} ({one.took_s:g} s)"


def findings(places: Places) -> Iterator[Finding]:
    """The findings of `stillpoint-guest check` on the steps; none has to do with a freeze."""
    folder = places.on_copy
    try:
        paths = steps.found(folder)
    except GuestError as error:
        yield _fault(str(error))
        return
    names = sorted(os.listdir(folder)) if os.path.lexists(folder) else ()
    for path in (os.path.join(folder, name) for name in names):
        if path in paths:
            yield _step(path)
        else:
            yield _fault(f"{path} is no step of a copy: not executable, or a leftover by its name")


def _step(path: str) -> Finding:
    try:
        trust.require(path)
    except GuestError as error:
        return _fault(str(error))
    return Finding(is_good=True, text=f"{path} runs at the first boot of a copy")


def _fault(text: str) -> Finding:
    return Finding(is_good=False, text=text, is_blocking=False)
