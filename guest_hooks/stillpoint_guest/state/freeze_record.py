"""The freeze record: on the disk before a snapshot is taken, so that the copy has it.

`docs/guest/record.md` documents it as JSON. Its `state` distinguishes a copy from its original: a
disk that was taken in a hold says `held`, and the boot of that hold is not the boot of the reader.
"""

import itertools
import os
import time
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest.errors import GuestError
from stillpoint_guest.printable import printable
from stillpoint_guest.state import json_file
from stillpoint_guest.state.json_fields import Fields, plain

FORMAT = 1
HELD = "held"
RELEASED = "released"
_RECORD = "record.json"
_ORIGIN = "origin.json"
_MOST_BYTES = 500  # of a text in a record
_MOST_KEYS = 50
_MOST_TEXTS = 20  # in a list; many tables or scripts are reported by their number
_TIMES = ("began_at", "held_at", "held_until_at_most", "released_at")
_IDS = ("id", "machine")  # earlier records have none


class ApplicationRecord(NamedTuple):
    """An application in a freeze record; the names are the keys of its JSON."""

    name: str
    type: str
    required: bool
    source: str
    level: str
    method: str = ""
    position: Mapping[str, str] = {}
    guarantees: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    error: str = ""
    release_errors: Tuple[str, ...] = ()
    timings_s: Mapping[str, float] = {}


class FreezeRecord(NamedTuple):
    """The record of a freeze; the names are the keys of its JSON, empty times and ids have none."""

    state: str
    verdict: str
    boot_id: str
    version: str  # of the agent that wrote it
    applications: Tuple[ApplicationRecord, ...] = ()
    warnings: Tuple[str, ...] = ()
    ended_by: str = ""
    refused: str = ""
    freeze_s: float = 0.0
    began_at: str = ""
    held_at: str = ""
    held_until_at_most: str = ""
    released_at: str = ""
    id: str = ""  # of this freeze and no other
    machine: str = ""  # the firmware's UUID of the machine that was frozen

    @property
    def key(self) -> str:
        """The text by which a copy's files refer to the record that it carries."""
        return self.id or self.boot_id


def new_id() -> str:
    """An id that no other freeze of any guest has: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def boot_id() -> str:
    """A text that is different in every boot of every machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.readline().strip()


def stamp(seconds: Optional[float] = None) -> str:
    """A moment of the wall clock in UTC: 2026-11-24T18:21:51.123Z."""
    now = time.time() if seconds is None else seconds
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now % 1 * 1000):03}Z"


def bounded(record: FreezeRecord) -> FreezeRecord:
    """The record, of which all that others have said is printable and bounded."""
    applications = tuple(ApplicationRecord(*map(_bounded, one)) for one in record.applications)
    whole = FreezeRecord(*map(_bounded, record._replace(applications=())))
    return whole._replace(applications=applications)


def to_json(record: FreezeRecord) -> Dict[str, Any]:
    """The record as the object that docs/guest/record.md shows."""
    content = {"format": FORMAT, **plain(record)}
    return {key: value for key, value in content.items() if value or key not in (*_TIMES, *_IDS)}


def from_json(content: Any) -> FreezeRecord:
    """A record of this or an earlier version; keys of later versions are ignored.

    Raises:
        ValueError: the content is no record, and why.
    """
    fields = Fields(content)
    number = fields.optional("format")
    if number != FORMAT:
        raise ValueError(f"format {number!r} is not {FORMAT}, the one that this version reads")
    return FreezeRecord(
        state=fields.text("state"),
        verdict=fields.text("verdict"),
        boot_id=fields.text("boot_id"),
        version=fields.text("version", ""),
        applications=tuple(_application(one) for one in fields.several("applications")),
        warnings=fields.texts("warnings", ()),
        ended_by=fields.text("ended_by", ""),
        refused=fields.text("refused", ""),
        freeze_s=fields.number("freeze_s", 0.0),
        **{key: fields.text(key, "") for key in (*_TIMES, *_IDS)},
    )


def _application(content: Any) -> ApplicationRecord:
    fields = Fields(content)
    return ApplicationRecord(
        name=fields.text("name"),
        type=fields.text("type", ""),
        required=fields.truth("required", default=True),
        source=fields.text("source", ""),
        level=fields.text("level"),
        method=fields.text("method", ""),
        position=fields.pairs("position", {}),
        guarantees=fields.texts("guarantees", ()),
        warnings=fields.texts("warnings", ()),
        error=fields.text("error", ""),
        release_errors=fields.texts("release_errors", ()),
        timings_s=fields.numbers("timings_s"),
    )


class Records:
    """The record of the last freeze, and of the freeze in which this disk was taken."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def write(self, record: FreezeRecord) -> None:
        """Replaces the record; when this returns, the disk has it.

        Raises:
            OSError: not written; the previous record stays.
        """
        json_file.write(os.path.join(self._folder, _RECORD), to_json(record))

    def last(self) -> Optional[FreezeRecord]:
        """The record of the last freeze on this disk; None if there is none that can be read."""
        return self._readable(_RECORD)

    def origin(self) -> Optional[FreezeRecord]:
        """The record of the freeze in which this disk was taken; None for an original."""
        record = self.last()
        return record if is_copied(record) else self._readable(_ORIGIN)

    def faults(self) -> Sequence[GuestError]:
        """An error for each record that is there and cannot be read, or is none."""
        return [one for one in map(self._fault, (_RECORD, _ORIGIN)) if one]

    def recognise(self) -> Optional[FreezeRecord]:
        """Finds out, once, that this disk is a copy; the record is kept as its origin.

        Returns:
            The record, the first time; None otherwise.

        Raises:
            OSError: the disk cannot be written; then every start finds out again.
        """
        record = self.last()
        if not is_copied(record):
            return None
        path = os.path.join(self._folder, _RECORD)
        os.rename(path, os.path.join(self._folder, _ORIGIN))
        json_file.sync_folder(self._folder)
        return record

    def _fault(self, name: str) -> Optional[GuestError]:
        try:
            self._read(name)
        except GuestError as error:
            return error
        return None

    def _readable(self, name: str) -> Optional[FreezeRecord]:
        try:
            return self._read(name)
        except GuestError:
            return None  # `faults` has it

    def _read(self, name: str) -> Optional[FreezeRecord]:
        path = os.path.join(self._folder, name)
        try:
            return from_json(json_file.read(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            cause = f"no freeze record: {error}"
            raise GuestError(path, "read it", cause, "the next freeze writes a new one") from error


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value, _MOST_BYTES)
    if isinstance(value, dict):
        kept = itertools.islice(value.items(), _MOST_KEYS)
        return {_bounded(str(key)): _bounded(each) for key, each in kept}
    if isinstance(value, (list, tuple)):
        more = (f"and {len(value) - _MOST_TEXTS} more",) if len(value) > _MOST_TEXTS else ()
        return (*map(_bounded, value[:_MOST_TEXTS]), *more)
    return value


def is_copied(record: Optional[FreezeRecord]) -> bool:
    """True if the disk with this record was taken while held (or its guest was reset then)."""
    return bool(record and record.state == HELD and record.boot_id != boot_id())


def summary(record: FreezeRecord) -> str:
    """A line about a copy's origin."""
    names = ", ".join(f"{one.name} ({one.level}, {one.method})" for one in record.applications)
    return (
        f"this disk's snapshot was taken (or its guest reset) between {record.held_at} and "
        f"{record.held_until_at_most}, at rest: {names or 'no application'}; "
        f"consistency: {record.verdict}"
    )
