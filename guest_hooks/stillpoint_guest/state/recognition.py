"""Recognises, once, that this disk is a copy.

Only the record that the holder moves away says that a boot is the first of a copy. So before it is
moved there is an outcome of the on-copy steps for that record on the disk: a copy whose steps could
not keep one, or were not run at all, would be none that has missed them in its next boot.
"""

from typing import Callable, Optional

from stillpoint_guest.errors import GuestError
from stillpoint_guest.state import copy_run, freeze_record, machine
from stillpoint_guest.state.copy_run import CopyRun, CopyRuns
from stillpoint_guest.state.freeze_record import FreezeRecord, Records

_NO_OUTCOME = "the steps were not run before the holder started, or their outcome was not kept"


def recognise(folder: str, is_required: Callable[[], bool]) -> Optional[FreezeRecord]:
    """Keeps the record that this disk carries as its origin, and that its steps were missed.

    Args:
        folder: of the records and the outcome.
        is_required: says if the steps are; asked only where they were missed.

    Returns:
        The record, the first time; None otherwise.

    Raises:
        OSError, GuestError: the disk cannot be written; then every start finds out again.
    """
    records, runs = Records(folder), CopyRuns(folder)
    origin = records.last()
    if origin and freeze_record.is_copied(origin) and not _has_outcome(runs, origin):
        runs.write(_missed(origin, is_required()))
    return records.recognise()


def _has_outcome(runs: CopyRuns, origin: FreezeRecord) -> bool:
    try:
        return runs.last(origin.key) is not None
    except GuestError:
        return True  # `status` tells it, and the next boot runs the steps


def _missed(origin: FreezeRecord, is_required: bool) -> CopyRun:
    return CopyRun(
        of=origin.key,
        boot_id=freeze_record.boot_id(),
        state=copy_run.MISSED,
        machine=machine.compared(origin.machine, machine.identity()),
        required=is_required,
        error=_NO_OUTCOME,
    )
