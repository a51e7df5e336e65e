"""Runs the on-copy steps once on each copy, before its applications start.

The first boot of a copy is one whose disk carries a record that another boot holds: the holder,
which starts later, moves that record away, and not before an outcome is on the disk. That is there
before the first step is run and after the last, so a boot that ended between is known, and the
steps run again; so they do if it cannot be read.
"""

from typing import NamedTuple, Optional, Sequence, Tuple, Type

from stillpoint_guest.errors import ConfigurationError, GuestError
from stillpoint_guest.on_copy import steps
from stillpoint_guest.options import config
from stillpoint_guest.options.config import Configuration
from stillpoint_guest.options.kind import Kind
from stillpoint_guest.places import Places
from stillpoint_guest.printable import printable
from stillpoint_guest.state import copy_run, freeze_record, machine
from stillpoint_guest.state.copy_run import CopyRun, CopyRuns, Step
from stillpoint_guest.state.freeze_record import FreezeRecord, Records

_MOST_BYTES = 500  # of a text of the record, or of errors


class Due(NamedTuple):
    """A copy whose steps are to run."""

    origin: FreezeRecord
    unfinished: int = 0  # runs before that did not come to their end
    fault: str = ""  # why the outcome of an earlier run is not known


def due(places: Places) -> Optional[Due]:
    """The copy that this disk is, if its steps are to run in this boot; None otherwise."""
    records = Records(places.state)
    origin = records.origin()
    if origin is None:
        return None
    try:
        last = CopyRuns(places.state).last(origin.key)
    except GuestError as error:
        return Due(origin, fault=str(error))
    if last is None:
        return Due(origin) if freeze_record.is_copied(records.last()) else None
    unfinished = last.unfinished + (last.state == copy_run.RUNNING)
    return Due(origin, unfinished) if last.is_to_run_again else None


def load(places: Places, kinds: Sequence[Type[Kind]]) -> Tuple[Configuration, str]:
    """The configuration, or the defaults and why it cannot be read."""
    try:
        return config.load(places, kinds), ""
    except ConfigurationError as error:
        return Configuration(), str(error)


def run(places: Places, copy: Due, known: Configuration, unread: str = "") -> CopyRun:
    """Runs the steps of a copy, and keeps the outcome on the disk.

    Args:
        places: of the steps and the outcome.
        copy: is due.
        known: the configuration.
        unread: why it cannot be read; then no step is run, and whatever needs them is kept back.
    """
    begun = _begun(copy, known, bool(unread))
    if begun.machine == machine.SAME and not known.on_copy.has_same_machine:
        return _end(places, begun._replace(state=copy_run.LEFT_OUT), copy.fault)
    errors = [unread] if unread else [_write(places, begun)]
    if not unread:
        done, why = _run(places, copy, begun, known.on_copy.step_s)
        begun = begun._replace(steps=done)
        errors.append(why)
    is_whole = not any(errors) and not begun.failed
    ended = begun._replace(state=copy_run.DONE if is_whole else copy_run.FAILED)
    return _end(places, ended, *errors, copy.fault)


def _begun(copy: Due, known: Configuration, is_unread: bool) -> CopyRun:
    return CopyRun(
        of=copy.origin.key,
        boot_id=freeze_record.boot_id(),
        state=copy_run.RUNNING,
        machine=machine.compared(copy.origin.machine, machine.identity()),
        required=known.on_copy.required or is_unread,
        began_at=freeze_record.stamp(),
        unfinished=copy.unfinished,
    )


def _run(places: Places, copy: Due, begun: CopyRun, step_s: float) -> Tuple[Tuple[Step, ...], str]:
    """Runs the steps; gives those that were run, and why none could be."""
    environment = {
        "STILLPOINT_RECORD": copy.origin.id,
        "STILLPOINT_HELD_AT": copy.origin.held_at,
        "STILLPOINT_MACHINE": begun.machine,
        "STILLPOINT_SECONDS": str(int(step_s)),
    }
    shown = {key: printable(text, _MOST_BYTES) for key, text in environment.items()}
    try:
        return tuple(steps.run(steps.found(places.on_copy), shown, step_s)), ""
    except ConfigurationError as error:
        return (), str(error)


def _end(places: Places, run: CopyRun, *errors: str) -> CopyRun:
    error = printable("; ".join(filter(None, errors)), _MOST_BYTES)
    ended = run._replace(ended_at=freeze_record.stamp(), error=error)
    why = _write(places, ended)
    return ended._replace(state=copy_run.FAILED, error=error or why) if why else ended


def _write(places: Places, run: CopyRun) -> str:
    """Keeps the outcome; why that failed, else nothing."""
    try:
        CopyRuns(places.state).write(run)
    except GuestError as error:
        return str(error)
    return ""
