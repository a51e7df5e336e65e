"""What `stillpoint-guest status` tells, as JSON (docs/guest/record.md) and as lines."""

from typing import Any, Dict, Iterator, Mapping, Sequence

from stillpoint_guest.errors import ConfigurationError
from stillpoint_guest.holder import plan
from stillpoint_guest.holder.plan import Kinds
from stillpoint_guest.hook import client
from stillpoint_guest.places import Places
from stillpoint_guest.state import freeze_record
from stillpoint_guest.state.freeze_record import Records
from stillpoint_guest.state.hold_marker import HoldMarker

_NO_HOLDER = "no holder"


def collect(places: Places, kinds: Kinds) -> Dict[str, Any]:
    """All that is known, by the holder if there is one."""
    records = Records(places.state)
    known: Dict[str, Any] = {
        "phase": _NO_HOLDER,
        "hold": HoldMarker(places.hold).read(),
        "last": records.last(),
        "origin": records.origin(),
        **client.status(places),
    }
    return {**known, **_plan(places, kinds)}


def lines(status: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    hold = status["hold"]
    if hold and hold["lost"]:
        yield f"LOST      what was held since {hold['since']}: {hold['lost']}"
    elif hold:
        yield f"held      since {hold['since']}: {', '.join(hold['applications'])}"
    else:
        yield f"idle      ({status['phase']})"
    yield from _last(status["last"])
    if status["origin"]:
        yield f"origin    {freeze_record.summary(status['origin'])}"
    for one in status["applications"]:
        yield f"rests     {one['name']} ({one['source']}; {one['method'] or 'default method'})"
    for warning in status["warnings"]:
        yield f"WARNING   {warning}"
    if not status["applications"]:
        yield "rests     no application: none is configured, and none was found"


def _last(last: Any) -> Iterator[str]:
    if not last:
        yield "last      no freeze yet"
        return
    how = last["refused"] or f"{last['verdict']}, ended by {last['ended_by'] or 'nothing yet'}"
    yield f"last      {last['began_at']}: {how}"
    for one in last["applications"]:
        position = ", ".join(f"{key} {value}" for key, value in one["position"].items())
        yield f"          {one['name']}: {one['error'] or one['method']} {position}".rstrip()
        for text in (*one["warnings"], *one["release_errors"]):
            yield f"          {one['name']}: {text}"


def _plan(places: Places, kinds: Kinds) -> Dict[str, Any]:
    try:
        found = plan.plan(places, kinds)
    except ConfigurationError as error:
        return {"applications": [], "warnings": [str(error)]}
    return {
        "applications": _sections([driver.section for driver in found.drivers]),
        "warnings": list(found.warnings),
    }


def _sections(sections: Sequence[Any]) -> Sequence[Dict[str, Any]]:
    kept = ("name", "kind", "order", "required", "method", "source")
    return [{key: getattr(section, key) for key in kept} for section in sections]
