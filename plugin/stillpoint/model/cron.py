"""Times of schedules that Kubernetes and each Velero read: `0 1 * * *`, `@daily`, `@every 6h`.

Source: ParseStandard in parser.go of robfig/cron@v3.0.1, which Kubernetes calls, and older Veleros.
Velero v1.18.3 calls that of netresearch/go-cron@v0.15.0, which takes more: 7 for Sunday, `22-2`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stillpoint.model import duration

_EVERY = "@every "
_DESCRIPTORS = (
    "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
)  # fmt: skip
_ZONES = ("CRON_TZ=", "TZ=")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_DAYS = "sun mon tue wed thu fri sat"


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    words: Mapping[str, int] = field(default_factory=dict)

    def fault(self, text: str) -> str:
        """Of a list of ranges; empty if there is none."""
        return next(filter(None, map(self._fault_of_range, text.split(","))), "")

    def _fault_of_range(self, text: str) -> str:
        span, slash, step = text.partition("/")
        if slash and not (_is_number(step) and int(step)):
            return f"{self.name} {text!r}: no step from 1 on after the slash"
        if span in ("*", "?"):
            return ""
        ends = [self._number(each) for each in span.split("-", 1)]
        known = [each for each in ends if each is not None]
        if len(known) < len(ends) or not all(self.least <= each <= self.most for each in known):
            return f"{self.name} {text!r}: not within {self.least} to {self.most}"
        return f"{self.name} {text!r}: ends before it begins" if known != sorted(known) else ""

    def _number(self, text: str) -> int | None:
        return int(text) if _is_number(text) else self.words.get(text.lower())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _numbered(words: str, first: int) -> Mapping[str, int]:
    return {word: number for number, word in enumerate(words.split(), first)}


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _numbered(_MONTHS, 1)),
    _Field("day of week", 0, 6, _numbered(_DAYS, 0)),
)


def fault(text: str) -> str:
    """Why it is no time of a schedule that all of them read, in words; empty if it is one.

    A time zone before it, `CRON_TZ=Europe/Berlin 0 1 * * *`, is not looked up: those that count are
    the zones that Velero's image has.
    """
    if text.startswith(_ZONES):
        zone, _space, text = text.partition(" ")
        text = text.strip()
        if not zone.partition("=")[2] or not text:
            return "a time zone needs a name, and a time after it"
    if text.startswith(_EVERY):
        span = text.removeprefix(_EVERY)
        return "" if duration.parse(span) else f"{span!r} after @every is no duration such as 6h"
    if text.startswith("@"):
        return "" if text in _DESCRIPTORS else f"{text!r} is none of {', '.join(_DESCRIPTORS)}"
    parts = text.split()
    if len(parts) != len(_FIELDS):
        names = ", ".join(each.name for each in _FIELDS)
        return f"{len(parts)} fields, not five: {names}"
    faults = (one.fault(part) for one, part in zip(_FIELDS, parts, strict=True))
    return next(filter(None, faults), "")


def has_zone(text: str) -> bool:
    """True if it names a time zone, which a Schedule of Velero may and a CronJob may not."""
    return text.startswith(_ZONES)
