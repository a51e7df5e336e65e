"""The record of a freeze: written to the disk that is about to be cut, so that the copy has it.

`docs/guest/record.md` documents it as JSON. Its `state` tells a copy from its original: a disk that
was cut in a hold says `held`, and the boot of that hold is not the one that reads it.
"""

import itertools
import json
import os
import time
from typing import Any, Dict, Mapping, Optional

from stillpoint_guest import __version__
from stillpoint_guest.printable import printable

FORMAT = 1
HELD = "held"
RELEASED = "released"
_RECORD = "record.json"
_ORIGIN = "origin.json"
_MOST_BYTES = 500  # of a text in a record
_MOST_KEYS = 50
_MOST_TEXTS = 20  # in a list; many tables or scripts are told by their number
_MOST_READ_BYTES = 16 * 1024 * 1024
Record = Dict[str, Any]


def boot_id() -> str:
    """What is different in every boot of every machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.readline().strip()


def stamp(seconds: Optional[float] = None) -> str:
    """A moment of the wall clock in UTC: 2026-11-24T18:21:51.123Z."""
    now = time.time() if seconds is None else seconds
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now % 1 * 1000):03}Z"


def new(**facts: Any) -> Record:
    """A record of this boot and version; what others have said in it is printable and bounded."""
    applications = [_truncate(one) for one in facts.pop("applications", ())]
    head = {"format": FORMAT, "version": __version__, "boot_id": boot_id()}
    return {**head, **_truncate(facts), "applications": applications}


class Records:
    """The record of the last freeze, and of the freeze in which this disk was cut."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def write(self, record: Mapping[str, Any]) -> None:
        """Replace the record; when this returns it is on the disk.

        Raises:
            OSError: the disk does not take it; what was there before still is.
        """
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        path = os.path.join(self._folder, _RECORD)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + ".new", path)
        self._sync_folder()

    def last(self) -> Optional[Record]:
        """The record of the last freeze on this disk; None if there was none."""
        return self._read(_RECORD)

    def origin(self) -> Optional[Record]:
        """The record of the freeze in which this disk was cut; None for an original."""
        record = self.last()
        return record if is_copied(record) else self._read(_ORIGIN)

    def recognise(self) -> Optional[Record]:
        """Find out, once, that this disk is a copy; the record is kept as its origin.

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
        self._sync_folder()
        return record

    def _read(self, name: str) -> Optional[Record]:
        try:
            with open(os.path.join(self._folder, name), "rb") as file:
                record = json.loads(file.read(_MOST_READ_BYTES).decode())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and record.get("format") == FORMAT else None

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _truncate(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value, _MOST_BYTES)
    if isinstance(value, dict):
        kept = itertools.islice(value.items(), _MOST_KEYS)
        return {_truncate(str(key)): _truncate(each) for key, each in kept}
    if isinstance(value, (list, tuple)):
        more = [f"and {len(value) - _MOST_TEXTS} more"] if len(value) > _MOST_TEXTS else []
        return [_truncate(each) for each in value[:_MOST_TEXTS]] + more
    return value


def is_copied(record: Optional[Record]) -> bool:
    """Whether the disk with this record was cut while held (or its guest was reset then)."""
    return bool(record and record["state"] == HELD and record["boot_id"] != boot_id())


def summary(record: Mapping[str, Any]) -> str:
    """One line about a copy's origin."""
    names = ", ".join(
        f"{one['name']} ({one['level']}, {one['method']})" for one in record["applications"]
    )
    return (
        f"this disk was cut (or its guest reset) between {record['held_at']} and "
        f"{record['held_until_at_most']}, at rest: {names or 'no application'}; "
        f"consistency: {record['verdict']}"
    )
