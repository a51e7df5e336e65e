"""`stillpoint-guest status`, as JSON (docs/guest/record.md) and as lines."""

from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest.errors import ConfigurationError, GuestError
from stillpoint_guest.holder import plan
from stillpoint_guest.holder.plan import Kinds
from stillpoint_guest.hook import holder_status
from stillpoint_guest.hook.holder_status import HolderStatus
from stillpoint_guest.options.section import Section
from stillpoint_guest.places import Places
from stillpoint_guest.state import freeze_record
from stillpoint_guest.state.copy_run import CopyRun, CopyRuns
from stillpoint_guest.state.freeze_record import FreezeRecord, Records
from stillpoint_guest.state.hold_marker import HoldMarker
from stillpoint_guest.state.json_fields import plain
from stillpoint_guest.verbs import on_copy

_NO_HOLDER = "no holder"
_SHOWN = ("name", "kind", "order", "required", "method", "source")


class Status(NamedTuple):
    """All that is known, by the holder if there is one, and the effect of a freeze."""

    holder: HolderStatus
    applications: Sequence[Section]
    warnings: Sequence[str]
    on_copy: Optional[CopyRun] = None  # of a copy; None if its steps were not run


def collect(places: Places, kinds: Kinds) -> Status:
    """Collects the holder's status, the records on the disk, and a plan."""
    records = Records(places.state)
    known = holder_status.ask(places) or HolderStatus(
        _NO_HOLDER, HoldMarker(places.hold).read(), records.last(), records.origin()
    )
    faults = [str(fault) for fault in records.faults()]
    applications, warnings = _plan(places, kinds)
    run, fault = _on_copy(places, known.origin)
    return Status(known, applications, [*known.unread, *faults, *fault, *warnings], run)


def to_json(status: Status) -> Dict[str, Any]:
    """The status as the object that docs/guest/record.md shows."""
    return {
        **holder_status.to_json(status.holder),
        "on_copy": plain(status.on_copy),
        "applications": [
            {key: getattr(section, key) for key in _SHOWN} for section in status.applications
        ],
        "warnings": list(status.warnings),
    }


def lines(status: Status) -> Iterator[str]:
    """The same for people."""
    hold = status.holder.hold
    if hold and hold.lost:
        yield f"LOST      what was held since {hold.since}: {hold.lost}"
    elif hold:
        yield f"held      since {hold.since}: {', '.join(hold.applications)}"
    else:
        yield f"idle      ({status.holder.phase})"
    yield from _last(status.holder.last)
    if status.holder.origin:
        yield f"origin    {freeze_record.summary(status.holder.origin)}"
    if status.on_copy:
        yield from on_copy.lines(status.on_copy)
    for one in status.applications:
        yield f"rests     {one.name} ({one.source}; {one.method or 'default method'})"
    for warning in status.warnings:
        yield f"WARNING   {warning}"
    if not status.applications:
        yield "rests     no application: none is configured, and none was found"


def _last(last: Optional[FreezeRecord]) -> Iterator[str]:
    if last is None:
        yield "last      no freeze yet"
        return
    how = last.refused or f"{last.verdict}, ended by {last.ended_by or 'nothing yet'}"
    yield f"last      {last.began_at}: {how}"
    for one in last.applications:
        position = ", ".join(f"{key} {value}" for key, value in one.position.items())
        yield f"          {one.name}: {one.error or one.method} {position}".rstrip()
        for text in (*one.warnings, *one.release_errors):
            yield f"          {one.name}: {text}"


def _on_copy(
    places: Places, origin: Optional[FreezeRecord]
) -> Tuple[Optional[CopyRun], Sequence[str]]:
    """The run of the steps of this copy, and a warning if that is not known."""
    try:
        return (origin and CopyRuns(places.state).last(origin.key)), ()
    except GuestError as error:
        return None, [str(error)]


def _plan(places: Places, kinds: Kinds) -> Tuple[Sequence[Section], Sequence[str]]:
    try:
        found = plan.plan(places, kinds)
    except ConfigurationError as error:
        return [], [str(error)]
    return [driver.section for driver in found.drivers], found.warnings
