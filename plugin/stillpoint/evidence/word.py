"""Facts of a case by the guest's own word, on its console; see `facts`."""

from datetime import datetime

from stillpoint.evidence import facts
from stillpoint.evidence import hold as holds
from stillpoint.evidence.case import Case
from stillpoint.evidence.console import State as Moment
from stillpoint.evidence.hold import ENDS, LATE
from stillpoint.model.level import Level


def held(case: Case) -> datetime | None:
    """The guest had said before the cuts that it holds its applications."""
    moment = case.hold.said if case.hold else None
    return moment if moment and moment <= case.start else None


def held_by_hook(case: Case) -> datetime | None:
    """The hook brought the hold about, and so before the cuts, whenever its line was written."""
    hold = case.hold
    if not hold or hold.is_said_again or hold.said > case.end:
        return None
    is_of_hook = facts.hook_froze(case) and facts.has_agent(case) and facts.is_alone(case)
    return hold.said if is_of_hook else None


def is_at_rest(case: Case) -> bool:
    """True if the hold is of all applications that keep data."""
    return case.hold is not None and case.hold.held.line.verdict is Level.APPLICATION


def nothing_lost(case: Case) -> bool:
    """True if the guest said at last that all was at rest until the release."""
    return case.hold is not None and case.hold.is_over and not case.hold.is_lost


def released_late(case: Case) -> datetime | None:
    """The hold was released after the cuts, however late its lines were."""
    ended = case.hold.ended if case.hold else None
    return ended if ended and ended - LATE >= case.end else None


def released_by_thaw(case: Case) -> datetime | None:
    """A thaw released the hold after the cuts, by the clocks as they were compared."""
    released = case.hold.released if case.hold else None
    ended = case.hold.ended if case.hold else None
    if not released or released.line.by != "thaw" or not ended or ended < case.end:
        return None
    sent = [thaw.sent for thaw in case.seen.thaws]
    is_upon = all(case.end <= moment <= released.received for moment in sent)
    return ended if is_upon else None


def released_before(case: Case) -> datetime | None:
    """The hold was released before the cuts."""
    hold = case.hold
    if not hold or not hold.released or hold.is_said_again or not hold.is_new:
        return None
    known = (hold.released.received, hold.ended)
    return min((at for at in known if at and at <= case.start), default=None)


def not_released_before(case: Case) -> bool:
    """True if no line says that a hold ended before the last cut, or contradicts another."""
    is_early = any(one.line.state in ENDS and one.received <= case.end for one in case.lines)
    ended = case.hold.ended if case.hold else None
    is_known_early = ended is not None and ended < case.end
    return not is_early and not is_known_early and not holds.is_contradictory(case.seen)


def no_line(case: Case) -> bool:
    """True if the console has no line of a hold, but of such as were released before the cuts."""
    lines = [one for one in case.lines if one.line.state in (Moment.HELD, *ENDS)]
    early = [one for one in lines if one.line.state in ENDS and one.received <= case.start]
    released = {one.line.id for one in early}
    return all(one.line.id in released for one in lines) and not case.seen.dropped
