"""The hold of the guest's applications in one backup, by the word of its lines on the console.

A line says nothing of when it was written but that this was before its receipt; the node's stamp is
of another clock. So the clocks are compared by the lines that were received as they were written:
`received - stamped` is the difference of the clocks and the way of the line together, and its least
value is hardly more than the former.

With that, the hold's end is known up to the way of its lines: never too early, and too late by no
more than both lines were late, in the guest or on their way here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.evidence.console import State
from stillpoint.evidence.observations import Heard, Observations

LATE = timedelta(seconds=2)
"""A line is no later: the agent writes that of a release within one second, or not at all."""

ENDS = (State.RELEASED, State.OVER)
"""Of a line that is written when a hold has ended."""

_APART, _WAY = timedelta(seconds=0.1), timedelta(seconds=0.05)
"""Lines that are so far apart tell how they came; the way of one differs so much from another's."""

_LATE_HELD = timedelta(seconds=10)
"""The agent writes the line of a hold so late at most."""


@dataclass(frozen=True, slots=True)
class NodeClock:
    """The node's clock, compared with the plugin's.

    Attributes:
        ahead: what to add to a stamp; at least the difference of both clocks, and too much by less
            than `LATE`.
    """

    ahead: timedelta

    def latest(self, stamped: datetime) -> datetime:
        """Plugin's clock, not before that moment."""
        return stamped + self.ahead

    def earliest(self, stamped: datetime) -> datetime:
        """Plugin's clock, not after that moment."""
        return stamped + self.ahead - LATE

    def is_late(self, heard: Heard) -> bool:
        """True if the line was received later than others: held up, or the node's clock was set."""
        return heard.received > self.latest(heard.line.stamped) + LATE


@dataclass(frozen=True, slots=True)
class Hold:
    """The only hold that the console had in this backup.

    Attributes:
        held: the first line of its begin.
        released: the first line of its release; None if that is missing.
        is_over: true if there is a line of its end.
        is_lost: true if a line says that not all was at rest.
        said: plugin's clock, not before the line of its begin was written.
        begun: plugin's clock, not after its begin; None if not known.
        ended: plugin's clock, not before its release; None if not known.
        is_new: true if it surely began in this backup. One that did not matters only if it lasted.
        is_said_again: true if its lines follow each other sooner than they did: KubeVirt says the
            whole log again when its container is started again.
    """

    held: Heard
    released: Heard | None
    is_over: bool
    is_lost: bool
    said: datetime
    begun: datetime | None
    ended: datetime | None
    is_new: bool
    is_said_again: bool


def node_clock(seen: Observations) -> NodeClock | None:
    """The node's clock; None without a line that was received as it was written."""
    if not any(_is_live(one, seen) for one in seen.lines):
        return None
    return NodeClock(min(one.received - one.line.stamped for one in seen.lines))


def of(seen: Observations) -> Hold | None:
    """The hold of this backup; None if there is none that counts."""
    clock = node_clock(seen)
    lines = not_older(seen, clock)
    held, released, over = (_first(lines, one) for one in (State.HELD, State.RELEASED, State.OVER))
    if not held or is_contradictory(seen):
        return None
    return Hold(
        held,
        released,
        is_over=over is not None,
        is_lost=any(one.line.is_lost for one in lines),
        said=_said(held, clock),
        begun=clock.earliest(held.line.stamped) - _LATE_HELD if clock else None,
        ended=_end(held, released if released and _is_live(released, seen) else None, clock),
        is_new=_is_new(held, seen, clock),
        is_said_again=_is_said_again(held, released),
    )


def is_contradictory(seen: Observations) -> bool:
    """True if there are lines of two holds or of two boots, or more than were kept."""
    lines = not_older(seen, node_clock(seen))
    ids = {one.line.id for one in lines if one.line.state is not State.COPIED}
    return bool(seen.dropped) or len(ids) > 1 or len({one.line.boot for one in lines}) > 1


def not_older(seen: Observations, clock: NodeClock | None) -> Sequence[Heard]:
    """Lines, without those of holds that were surely over before the backup came to the guest."""
    if not clock:
        return seen.lines
    first = seen.began if seen.is_before_hook else seen.started
    over = {
        one.line.id
        for one in seen.lines
        if one.line.state in ENDS and clock.latest(one.line.stamped) < first
    }
    return [
        one
        for one in seen.lines
        if one.line.id not in over and clock.latest(one.line.stamped) >= seen.started
    ]


def _is_new(held: Heard, seen: Observations, clock: NodeClock | None) -> bool:
    return held.is_live or bool(clock and clock.earliest(held.line.stamped) >= seen.started)


def _first(lines: Sequence[Heard], state: State) -> Heard | None:
    return next((one for one in lines if one.line.state is state), None)


def _is_said_again(held: Heard, released: Heard | None) -> bool:
    if not released:
        return False
    return (released.line.stamped - held.line.stamped).total_seconds() < released.line.held_s / 2


def _said(held: Heard, clock: NodeClock | None) -> datetime:
    if clock is None or clock.is_late(held):
        return held.received
    return clock.latest(held.line.stamped)


def _is_live(one: Heard, seen: Observations) -> bool:
    """True if a line was received as it was written.

    A log's older lines come at once: lines that come as far apart as the node read them are new.
    """
    return one.is_live or any(
        _APART <= one.line.stamped - earlier.line.stamped <= one.received - earlier.received + _WAY
        for earlier in seen.lines
    )


def _end(held: Heard, released: Heard | None, clock: NodeClock | None) -> datetime | None:
    """The end of a hold by the node's clock or by the guest's own, whichever is earlier.

    Args:
        released: a live line.
    """
    if not released or not clock or clock.is_late(released):
        return None
    by_guest = timedelta(seconds=released.line.held_s)
    by_node = released.line.stamped - held.line.stamped
    return clock.latest(held.line.stamped) + min(by_guest, by_node)
