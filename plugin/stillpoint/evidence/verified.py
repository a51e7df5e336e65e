"""Verifications of a backup: what became of its machines when they were restored for a test.

They are kept as an annotation of the Backup, where a report and the history of a machine read them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from stillpoint.evidence import sealed
from stillpoint.evidence.sealed import Key
from stillpoint.model import item as it
from stillpoint.model import json_text
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item

ANNOTATION = "stillpoint.dev/verified"

MOST_BYTES = 65_536
"""Of the annotation; all annotations of an object have room for 262,144."""

_CLOCKS_DIFFER = timedelta(minutes=1)
_MOST_LETTERS = 200  # of a reason
_MOST_SECONDS = 604_800.0


class CameBack(StrEnum):
    """How far a machine came back; best first."""

    APPLICATION = "application"
    """The guest runs from the very record of the evidence, and what was quiesced answers again."""
    GUEST = "guest"
    """Its guest agent is connected: the system inside has started."""
    BOOTED = "booted"
    """All disks are there and the guest runs; what it does is not known."""
    NOT = "not"
    """It was tried, and does not run; or its backup does not hold what it needs."""
    UNTRIED = "not tried"
    """It was not started, for a reason that says nothing of the backup."""

    def is_at_least(self, other: "CameBack") -> bool:
        """True if a machine came back so far, or farther."""
        order = tuple(CameBack)
        return order.index(self) <= order.index(other)


class Agreement(StrEnum):
    """The word of the restored guest on the level in the backup's evidence."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    OPEN = "not confirmed"
    """A word of the guest that the evidence lets expect is missing."""
    NONE = "nothing to confirm"
    """The evidence names no record of the guest, and claims no level that takes one."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The verification of one machine.

    Attributes:
        at: the moment at which the look at it ended.
        expected: what the evidence let expect at least.
        took_s: seconds from the begin of the restore.
        why: a contradiction, or why it came no further; empty if it came back as expected.
    """

    at: datetime
    came_back: CameBack
    expected: CameBack
    agreement: Agreement
    took_s: float = 0.0
    why: str = ""

    @property
    def summary(self) -> str:
        """`application`, `guest, contradicted`."""
        is_more = self.agreement in (Agreement.CONTRADICTED, Agreement.OPEN)
        return f"{self.came_back}, {self.agreement}" if is_more else self.came_back

    @property
    def is_bad(self) -> bool:
        """True if the machine did not come back, or its guest contradicts the evidence."""
        return self.came_back is CameBack.NOT or self.agreement is Agreement.CONTRADICTED

    @property
    def is_good(self) -> bool:
        """True if the machine came back as expected, and said what was to be expected."""
        is_open = self.agreement is Agreement.OPEN
        return not self.is_bad and not is_open and self.came_back.is_at_least(self.expected)


def of(backup: Item) -> Mapping[str, Verification]:
    """The verifications on a Backup, by machine: `shop/db`; empty if there are none.

    Raises:
        MalformedItem: the annotation is none of a version that is known, or does not bear the seal
            of this Backup.
    """
    return sealed.read(ANNOTATION, backup, _key(backup), _from_document) or {}


def annotation(backup: Item, found: Mapping[str, Verification], now: datetime) -> str:
    """The value of the annotation that adds these to those that the Backup has.

    Of each machine the newest stays; one of the future is of a clock that was wrong. If there is no
    room for all, those that are bad stay first, then the newest. A value that cannot be read is
    replaced.

    Args:
        now: by the clock that these verifications have their moments from.
    """
    merged = dict(_readable(backup))
    for title, one in found.items():
        known = merged.get(title)
        if known is None or known.at <= one.at or known.at > now + _CLOCKS_DIFFER:
            merged[title] = one
    machines = dict(_with_room(merged.items()))
    more = len(merged) - len(machines)
    document = {"machines": machines, **({"more": more} if more else {})}
    return sealed.text(ANNOTATION, document, _key(backup))


def _key(backup: Item) -> Key:
    """The Backup's uid: whoever may write to a Backup may read its secret as well."""
    return Key(it.uid(backup), is_uid=True)


def _readable(backup: Item) -> Mapping[str, Verification]:
    try:
        return of(backup)
    except MalformedItem:
        return {}


def _with_room(found: Iterable[tuple[str, Verification]]) -> Iterable[tuple[str, Item]]:
    room = MOST_BYTES - len(ANNOTATION) - 256  # version, seal, the number of the others
    for title, one in sorted(found, key=lambda each: (each[1].is_bad, each[1].at), reverse=True):
        entry = _to_document(one)
        room -= len(json_text.encode({title: entry}))
        if room < 0:
            return
        yield title, entry


def _to_document(one: Verification) -> Item:
    document: dict[str, Any] = {
        "at": one.at.astimezone(UTC).isoformat(timespec="seconds"),
        "cameBack": one.came_back,
        "expected": one.expected,
        "agreement": one.agreement,
        "seconds": round(one.took_s, 1),
        "why": _bounded(one.why),
    }
    return {key: value for key, value in document.items() if value != ""}


def _bounded(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def _from_document(document: Item) -> Mapping[str, Verification]:
    return {str(title): _verification(one) for title, one in document["machines"].items()}


def _verification(document: Item) -> Verification:
    at = datetime.fromisoformat(document["at"])
    took_s = float(document["seconds"])
    if at.tzinfo is None or not 0 <= took_s <= _MOST_SECONDS:
        raise ValueError(document)
    return Verification(
        at=at,
        came_back=CameBack(document["cameBack"]),
        expected=CameBack(document["expected"]),
        agreement=Agreement(document["agreement"]),
        took_s=took_s,
        why=_bounded(str(document.get("why", ""))),
    )
