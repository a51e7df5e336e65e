"""The timeline of a guest around its freeze, in what was observed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from stillpoint.evidence import hold as holds
from stillpoint.evidence.console import ConsoleLine
from stillpoint.evidence.console import State as Moment
from stillpoint.evidence.document import Event, Span
from stillpoint.evidence.observations import Cut, Look, Observations, State

_MOST_EVENTS = 40

_LINES = {
    Moment.HELD: "its applications are at rest",
    Moment.RELEASED: "it releases its applications",
    Moment.OVER: "its applications are released",
    Moment.COPIED: "it runs from a disk that is a copy",
}


def frozen(seen: Observations) -> Span | None:
    """The time for which the guest stood still, as far as it is known; None if not at all.

    By the guest's word, and up to the way of its lines; else by KubeVirt's status, each end up to
    six seconds late, or to the plugin's own thaw.
    """
    hold, clock = holds.of(seen), holds.node_clock(seen)
    answered = next((thaw.answered for thaw in seen.thaws if thaw.answered), None)
    if hold and hold.is_new:
        start = min(hold.held.received, clock.latest(hold.held.line.stamped)) if clock else None
        return Span(start, hold.ended or answered)
    is_frozen = [look for look in seen.looks if look.state.is_frozen]
    if not is_frozen:
        return Span(None, answered) if answered else None
    thawed = (look.received for look in seen.looks if look.received > is_frozen[-1].received)
    return Span(is_frozen[0].received, answered or next(thawed, None))


def events(seen: Observations, cuts: Sequence[Cut]) -> tuple[Event, ...]:
    """All events, in the order of their times by whichever clock; the first forty."""
    every = [*_of_looks(seen.looks), *_of_lines(seen), *_of_thaws(seen)]
    for cut in cuts:
        every += _of_cut(cut)
    return tuple(sorted(every, key=lambda event: event.at)[:_MOST_EVENTS])


def _of_looks(looks: Sequence[Look]) -> Iterator[Event]:
    for look in looks[:1]:
        yield Event(
            look.received, "plugin", "seen", f"the guest is first seen: {_words(look.state)}"
        )
    for before, after in pairwise(looks):
        if _words(before.state) != _words(after.state):
            text = f"KubeVirt's status changes: {_words(after.state)}"
            yield Event(after.received, "plugin", "status-changed", text)


def _words(state: State) -> str:
    if state.is_off:
        return "no guest runs"
    words = [state.phase.lower() or "in no phase", f"on {state.node}" if state.node else ""]
    words.append("agent connected" if state.agent_since else "no agent")
    words += ["paused"] * bool(state.paused_since) + ["migrating"] * state.is_migrating
    return ", ".join(filter(None, [*words, "frozen" if state.is_frozen else ""]))


def _of_lines(seen: Observations) -> Iterator[Event]:
    for heard in seen.lines:
        line = heard.line
        text = f"the guest says: {_LINES[line.state]}{_of_release(line)}"
        yield Event(line.stamped, "node", f"guest-{line.state}", text)


def _of_release(line: ConsoleLine) -> str:
    lost = ", not all were until then" if line.is_lost else ""
    return f" after {line.held_s:g} s, by {line.by}{lost}" if line.by else lost


def _of_thaws(seen: Observations) -> Iterator[Event]:
    for stamped in seen.safety_thaws or ():
        yield Event(stamped, "node", "safety-thaw", "KubeVirt thaws the guest by itself")
    for thaw in seen.thaws:
        yield Event(thaw.sent, "plugin", "thaw-sent", "this plugin has the guest thawed")
        if thaw.answered:
            yield Event(thaw.answered, "plugin", "thawed", "KubeVirt answers that it is thawed")


def _of_cut(cut: Cut) -> Iterator[Event]:
    name = cut.claim.name
    times: Iterable[tuple[datetime | None, str, str, str]] = (
        (cut.not_before, "plugin", "snapshot-asked", f"the snapshot of {name} is asked for"),
        (cut.created, "driver", "snapshot-created", f"the storage says it takes that of {name}"),
        (cut.not_after, "plugin", "snapshot-taken", f"the storage has the snapshot of {name}"),
    )
    for at, clock, what, text in times:
        if at:
            yield Event(at, clock, what, text)
