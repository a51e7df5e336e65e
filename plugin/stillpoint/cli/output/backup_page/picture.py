"""A picture of a machine's frozen window: each snapshot in it, as SVG within the page.

It has one clock, the plugin's, by which snapshots were cut; what other clocks say is in the
timeline below it, and not in here.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.cli.output.backup_page import words
from stillpoint.cli.output.markup import Markup, element
from stillpoint.evidence.document import Event, Span
from stillpoint.report.model import Disk, Machine

CLOCK = "plugin"

_SHOWN_AS_BARS = frozenset({"snapshot-asked", "snapshot-taken"})
_LEAST_REACH = timedelta(seconds=1)
"""Events further away than that, or than the picture is long, would make it all of nothing."""

_WIDTH = 960
_LEFT, _RIGHT = 190, 24  # for the names of disks, and for the last label of the axis
_TOP, _ROW, _BOTTOM = 44, 26, 46
_NARROWEST_CUT = 5
_LEVEL = 90  # for the word of a level
_LONGEST_NAME = 24  # characters
_STEPS = (1, 2, 5, 10)
_MOST_TICKS = 7
_DOT = 9
_HALF_DOTS = f"a{_DOT} {_DOT} 0 1 0 {2 * _DOT} 0a{_DOT} {_DOT} 0 1 0-{2 * _DOT} 0"


@dataclass(frozen=True, slots=True)
class _Axis:
    """Times as places in the picture.

    Attributes:
        zero: the moment that counts as 0 s.
        first: seconds after it at the left end; negative before it.
        last: at the right end.
    """

    zero: datetime
    first: float
    last: float

    def place(self, at: datetime) -> int:
        share = (self.seconds(at) - self.first) / (self.last - self.first)
        return round(_LEFT + max(0.0, min(1.0, share)) * (_WIDTH - _LEFT - _RIGHT))

    def seconds(self, at: datetime) -> float:
        return (at - self.zero).total_seconds()

    def ticks(self) -> Iterator[float]:
        """Round numbers of seconds."""
        rough = (self.last - self.first) / _MOST_TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = min(one * power for one in _STEPS if one * power >= rough)
        number = math.ceil(self.first / step)
        while number * step <= self.last:
            yield round(number * step, 6)
            number += 1


def numbered(machine: Machine) -> Sequence[tuple[int, Event]]:
    """The events of the timeline with the numbers that they have in picture and table."""
    return list(enumerate(machine.events, start=1))


def _drawn(machine: Machine) -> Iterator[tuple[int, Event]]:
    """The events that have a place in the picture; snapshots have bars there."""
    for number, event in numbered(machine):
        if event.clock == CLOCK and event.what not in _SHOWN_AS_BARS:
            yield number, event


def picture(machine: Machine, identifier: str) -> Markup | None:
    """The picture; None where no time of a snapshot or of the freeze is known.

    Args:
        identifier: of the machine within the page.
    """
    axis = _axis(machine)
    if axis is None:
        return None
    height = _TOP + _ROW * len(machine.disks) + _BOTTOM
    names = {"title": f"{identifier}t", "desc": f"{identifier}d"}
    return element(
        "svg",
        element("title", f"The freeze of {machine.title} and its snapshots", id=names["title"]),
        element("desc", description(machine), id=names["desc"]),
        *_ground(machine.frozen, axis, height),
        *_scale(axis, height),
        *_events(machine, axis, height),
        *(part for number, disk in enumerate(machine.disks) for part in _row(disk, number, axis)),
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_labelledby=" ".join(names.values()),
    )


def description(machine: Machine) -> str:
    """The picture in words, for who does not see it."""
    frozen = machine.frozen
    if frozen is None:
        said = ["No freeze is known."]
    else:
        length = f" ({words.seconds(frozen.seconds)})" if frozen.seconds is not None else ""
        said = [f"The guest stood still: {words.between(frozen)} UTC{length}."]
    for disk in machine.disks:
        if disk.cut.start or disk.cut.end:
            said.append(f"Snapshot of {disk.name}: {words.between(disk.cut)}, {disk.level}.")
        else:
            said.append(f"{disk.name}: no time of a snapshot is known, {disk.level}.")
    return " ".join(said)


def _axis(machine: Machine) -> _Axis | None:
    spans = [disk.cut for disk in machine.disks]
    frozen = machine.frozen or Span(None, None)
    decisive = [at for span in (frozen, *spans) for at in (span.start, span.end) if at]
    if not decisive:
        return None
    zero = frozen.start or min(decisive)
    first, last = min(decisive), max(decisive)
    reach = max(last - first, _LEAST_REACH)
    events = [event.at for _number, event in _drawn(machine)]
    near = [at for at in events if first - reach <= at <= last + reach]
    first, last = min([first, *near]), max([last, *near])
    margin = max((last - first).total_seconds() * 0.06, 0.05)
    return _Axis(
        zero,
        (first - zero).total_seconds() - margin,
        (last - zero).total_seconds() + margin,
    )


def _ground(frozen: Span | None, axis: _Axis, height: int) -> Iterator[Markup]:
    """The frozen window; an end that is not known is open."""
    if frozen is None or not (frozen.start or frozen.end):
        return
    left, right = _ends(frozen, axis)
    top, tall = _TOP - 8, height - _TOP - _BOTTOM + 14
    box = {"x": left, "y": top, "width": max(right - left, 1), "height": tall}
    yield element("rect", class_="frozen", **box)
    for place, end in ((left, frozen.start), (right, frozen.end)):
        style = "edge" if end else "edge open"
        yield element("path", class_=style, d=f"M{place} {top}v{tall}")


def _ends(span: Span, axis: _Axis) -> tuple[int, int]:
    """Places of both ends; an end that is not known is that of the picture."""
    left = axis.place(span.start) if span.start else _LEFT
    return left, axis.place(span.end) if span.end else _WIDTH - _RIGHT


def _scale(axis: _Axis, height: int) -> Iterator[Markup]:
    bottom = height - _BOTTOM + 8
    yield element("path", class_="axis", d=f"M{_LEFT} {bottom}H{_WIDTH - _RIGHT}")
    places = {second: axis.place(axis.zero + timedelta(seconds=second)) for second in axis.ticks()}
    lines = (f"M{place} {_TOP - 8}V{bottom}" for place in places.values())
    yield element("path", class_="tick", d="".join(lines))
    for second, place in places.items():
        yield element("text", f"{second:g} s", class_="s m", x=place, y=bottom + 16)
    zero = f"0 s is {words.hour(axis.zero)} UTC, by the plugin's clock"
    yield element("text", zero, class_="s", x=_LEFT, y=bottom + 34)


def _events(machine: Machine, axis: _Axis, height: int) -> Iterator[Markup]:
    """A number for each event, beside each other where their times are too close."""
    lines, dots, numbers, free_from = [], [], [], 0
    for number, event in _drawn(machine):
        if not axis.first <= axis.seconds(event.at) <= axis.last:
            continue
        place = axis.place(event.at)
        shown = max(place, free_from)
        free_from = shown + 2 * _DOT + 1
        lines.append(f"M{shown} {16 + _DOT}L{place} {_TOP - 8}V{height - _BOTTOM + 8}")
        dots.append(f"M{shown - _DOT} 16{_HALF_DOTS}")
        numbers.append(element("text", str(number), class_="n", x=shown, y=20))
    if lines:
        yield element("path", class_="event", d="".join(lines))
        yield element("path", class_="dot", d="".join(dots))
        yield from numbers


def _row(disk: Disk, number: int, axis: _Axis) -> Iterator[Markup]:
    top = _TOP + _ROW * number
    name = disk.name
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    yield element("text", shown, class_="e", x=_LEFT - 12, y=top + 14)
    yield from _cut(disk, top, axis)


def _cut(disk: Disk, top: int, axis: _Axis) -> Iterator[Markup]:
    start, end = disk.cut.start, disk.cut.end
    if not (start or end):
        yield element("text", f"no time known: {disk.method}", class_="s", x=_LEFT + 8, y=top + 14)
        return
    left, right = _ends(disk.cut, axis)
    wide = max(right - left, _NARROWEST_CUT)
    style = f"cut {words.style_of(disk.level)}{'' if start and end else ' open'}"
    box = {"x": left, "y": top + 3, "width": wide, "height": 14, "rx": 2}
    yield element("rect", class_=style, **box)
    is_at_end = left + wide > _WIDTH - _RIGHT - _LEVEL
    style, place = ("s e", left - 6) if is_at_end else ("s", left + wide + 6)
    yield element("text", str(disk.level), class_=style, x=place, y=top + 14)
