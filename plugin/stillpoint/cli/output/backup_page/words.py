"""Verdicts, levels, times and sizes as the page shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from stillpoint.cli.output.markup import Markup, element
from stillpoint.evidence.document import Span
from stillpoint.evidence.verified import Verification
from stillpoint.model.level import Level
from stillpoint.report.model import Verdict

STYLES = {
    Verdict.GOOD: ("good", "✓"),
    Verdict.BELOW: ("below", "▲"),
    Verdict.NOT_RESTORABLE: ("bad", "✕"),
    Verdict.UNKNOWN: ("unknown", "?"),
}
"""Class and sign of each: no verdict is a colour alone."""

_OF_LEVELS = {
    Level.APPLICATION: "good",
    Level.FILESYSTEM: "good",
    Level.STOPPED: "good",
    Level.UNKNOWN: "unknown",
}

NOT_KNOWN = "not known"

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def badge(verdict: Verdict) -> Markup:
    """The verdict, with its sign."""
    style, sign = STYLES[verdict]
    return element("span", f"{sign} {verdict}", class_=f"badge {style}")


def came_back(found: Verification | None) -> str | Markup:
    """How far a machine came back that was restored for a test, with a sign."""
    if found is None:
        return "not tried yet"
    style, sign = ("good", "✓") if found.is_good else ("unknown", "?")
    if found.is_bad:
        style, sign = "bad", "✕"
    return element("span", f"{sign} {found.summary}", class_=f"badge {style}")


def style_of(level: Level) -> str:
    """The class of what reached a level."""
    return _OF_LEVELS.get(level, "below")


def moment(at: datetime | None) -> str | Markup:
    """Date and time in UTC; if it is known."""
    if at is None:
        return NOT_KNOWN
    at = at.astimezone(UTC)
    return element("time", f"{at:%Y-%m-%d %H:%M:%S} UTC", datetime=f"{at:%Y-%m-%dT%H:%M:%SZ}")


def hour(at: datetime) -> str:
    """The time of the day in UTC, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[11:23]


def between(span: Span) -> str:
    """Both ends of a span, as far as they are known."""
    if span.start and span.end:
        return f"{hour(span.start)} to {hour(span.end)}"
    if span.start:
        return f"after {hour(span.start)}"
    return f"before {hour(span.end)}" if span.end else NOT_KNOWN


def seconds(length_s: float | None) -> str:
    """A length of time; if it is known."""
    if length_s is None:
        return NOT_KNOWN
    return f"{length_s:.2f} s" if length_s < 10 else f"{length_s:.1f} s"


def size(of_bytes: int | None) -> str:
    """Bytes in the largest unit of which there is one."""
    if of_bytes is None:
        return NOT_KNOWN
    number, unit = float(of_bytes), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.3g} {_UNITS[unit]}" if number < 1000 else f"{number:.0f} {_UNITS[unit]}"


def listed(names: Sequence[str]) -> str:
    """`root, data and logs`."""
    return " and ".join([*filter(None, [", ".join(names[:-1])]), *names[-1:]])
