"""The status of the holder: the request `status` and its reply."""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from stillpoint_guest.errors import GuestError, HolderUnreachable
from stillpoint_guest.hook import client
from stillpoint_guest.hook.connection import Connection, connect
from stillpoint_guest.places import Places
from stillpoint_guest.state import freeze_record, hold_marker
from stillpoint_guest.state.freeze_record import FreezeRecord
from stillpoint_guest.state.hold_marker import Hold
from stillpoint_guest.state.json_fields import Fields, plain


class HolderStatus(NamedTuple):
    """All that a holder knows; the names are the keys of its JSON."""

    phase: str
    hold: Optional[Hold] = None
    last: Optional[FreezeRecord] = None  # of the last freeze
    origin: Optional[FreezeRecord] = None  # of the freeze in which this disk was taken
    unread: Tuple[str, ...] = ()  # a warning for each record that another version wrote otherwise

    def fields(self) -> Dict[str, str]:
        """The line of the reply."""
        return {"status": json.dumps(to_json(self))}


def to_json(status: HolderStatus) -> Dict[str, Any]:
    """The status as the object that docs/guest/record.md shows."""
    records = {"last": status.last, "origin": status.origin}
    shown = {key: one and freeze_record.to_json(one) for key, one in records.items()}
    return {"phase": status.phase, "hold": plain(status.hold), **shown}


def from_json(content: Any) -> HolderStatus:
    """The status that a holder of this version, or of a version near it, has sent.

    A record that cannot be read is a warning and not the end.

    Raises:
        ValueError: the content is no status, and why.
    """
    fields = Fields(content)
    hold = fields.optional("hold")
    unread: List[str] = []
    return HolderStatus(
        fields.text("phase"),
        hold and hold_marker.from_json(hold),
        _record("last", fields, unread),
        _record("origin", fields, unread),
        tuple(unread),
    )


def _record(key: str, fields: Fields, unread: List[str]) -> Optional[FreezeRecord]:
    content = fields.optional(key)
    try:
        return None if content is None else freeze_record.from_json(content)
    except ValueError as error:
        unread.append(f"the holder's record {key} is none of this version: {error}")
        return None


def ask(places: Places) -> Optional[HolderStatus]:
    """Requests the holder's status; None without a holder, which is not started.

    Raises:
        HolderUnreachable: no reply, or none that is a status.
    """
    try:
        connection = Connection(connect(places))
    except OSError:
        return None
    with connection:
        return _parse(client.request(connection, "status", verb="status"))


def _parse(reply: Dict[str, str]) -> HolderStatus:
    if "error" in reply:
        raise GuestError(*client.error_of(reply))
    try:
        return from_json(json.loads(reply["status"]))
    except (ValueError, RecursionError) as error:
        raise HolderUnreachable("holder", "ask it for its status", str(error)) from error
