"""Requests and replies on the holder's socket as records; `connection` shows their lines.

For the holder and the verbs. The hook's `client` writes its few keys by hand: this module's imports
would double its start.
"""

import json
from typing import Dict, Mapping, NamedTuple, Optional, Tuple, Union

from stillpoint_guest.errors import GuestError
from stillpoint_guest.printable import printable

_MOST_BYTES = 4096  # of each part of an error


class FreezeRequest(NamedTuple):
    """Quiesce and hold everything, until a thaw."""

    is_leashed: bool = False  # or until the connection ends
    filesystems: Optional[Tuple[str, ...]] = None  # to freeze as well, () for all; None: no others'

    def options(self) -> Dict[str, str]:
        """Its keys besides the verb."""
        options = {"is_leashed": "1"} if self.is_leashed else {}
        if self.filesystems is not None:
            options["filesystems"] = json.dumps(self.filesystems)
        return options


class ThawRequest(NamedTuple):
    """Release everything."""


class StatusRequest(NamedTuple):
    """Say what is held; see `holder_status`."""


Request = Union[FreezeRequest, ThawRequest, StatusRequest]


class Wait(NamedTuple):
    """The time that a reply may take, sent before the reply."""

    wait_s: float

    def fields(self) -> Dict[str, str]:
        """Its line."""
        return {"wait_s": str(self.wait_s)}


class Held(NamedTuple):
    """The reply to a freeze."""

    def fields(self) -> Dict[str, str]:
        """Its line."""
        return {"is_held": "1"}


class Thawed(NamedTuple):
    """The reply to a thaw."""

    was_held: bool

    def fields(self) -> Dict[str, str]:
        """Its line."""
        return {"was_held": "1" if self.was_held else ""}


class Failure(NamedTuple):
    """The reply to any request that failed, as `GuestError` has it."""

    subject: str
    attempt: str
    error: str
    hint: str

    def fields(self) -> Dict[str, str]:
        """The fields of its line; texts of others are printable and bounded."""
        return {key: printable(text, _MOST_BYTES) for key, text in self._asdict().items()}


def parse(fields: Mapping[str, str]) -> Request:
    """The request of a line; keys of later versions are ignored.

    Raises:
        GuestError: this version has no such request.
    """
    verb = fields.get("verb")
    if verb == "freeze":
        return FreezeRequest(bool(fields.get("is_leashed")), _filesystems(fields))
    if verb == "thaw":
        return ThawRequest()
    if verb == "status":
        return StatusRequest()
    raise _unknown(fields)


def _filesystems(fields: Mapping[str, str]) -> Optional[Tuple[str, ...]]:
    if "filesystems" not in fields:
        return None
    try:
        paths = json.loads(fields["filesystems"])
    except (ValueError, RecursionError) as error:
        raise _unknown(fields) from error
    if not isinstance(paths, list) or not all(isinstance(one, str) for one in paths):
        raise _unknown(fields)
    return tuple(paths)


def _unknown(fields: Mapping[str, str]) -> GuestError:
    return GuestError("holder", f"serve {dict(fields)!r}", "not a request of this version")
