"""Facts of a case: each the moment by which it is known to hold, or true.

None or false says that a fact is not known to hold, not that it does not hold. Moments are of the
plugin's clock.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from stillpoint.evidence.case import Case
from stillpoint.evidence.observations import State
from stillpoint.resources.machines.kubevirt import SAFETY_THAW_S, VSS_S

_WINDOWS = "mswindows"  # to the agent


def has_moments(case: Case) -> bool:
    """True if each snapshot is of a single moment, as is not so of a copy of files."""
    return case.has_moments


# The instance, as the API server has it.


def is_one_run(case: Case) -> bool:
    """True if it was one run of the guest in one launcher from the first look on."""
    runs = {_run(look.state) for look in case.looks}
    return len(runs) == 1 and _is_running(case.looks[0].state)


def _run(state: State) -> tuple[object, ...]:
    return state.uid, state.launchers, state.node, state.phase, state.is_migrating


def _is_running(state: State) -> bool:
    is_placed = bool(state.uid and state.launchers)
    return is_placed and state.phase == "Running" and not state.is_migrating


def is_on(case: Case) -> bool:
    """True if the guest ran before and after the cuts, and was not paused."""
    runs = {(state.uid, state.phase, state.paused_since) for state in case.around}
    return len(runs) == 1 and case.around[0].phase == "Running" and not case.around[0].paused_since


def is_off(case: Case) -> bool:
    """True if there was no guest before and after the cuts."""
    return bool(case.around) and all(state.is_off for state in case.around)


def has_not_started(case: Case) -> bool:
    """True if no guest can have come and gone meanwhile."""
    versions = {state.machine_version for state in case.around}
    return case.is_watched or (len(versions) == 1 and "" not in versions)


def is_paused(case: Case) -> bool:
    """True if the guest was in one pause before and after the cuts."""
    pauses = {(*_run(state), state.paused_since) for state in case.around}
    return len(pauses) == 1 and bool(case.around[0].uid and case.around[0].paused_since)


def has_agent(case: Case) -> bool:
    """True if the guest's agent was connected from before the hook on, and never away."""
    agents = {look.state.agent_since for look in case.looks}
    is_paused = any(look.state.paused_since for look in case.looks)
    return case.seen.is_before_hook and len(agents) == 1 and all(agents) and not is_paused


def has_no_agent(case: Case) -> bool:
    """True if the guest's agent was never connected from before the hook on."""
    agents = {look.state.agent_since for look in case.looks}
    return case.seen.is_before_hook and agents == {""}


def is_unfrozen_at_first(case: Case) -> bool:
    """True if nobody had frozen the guest before the hook."""
    return case.seen.is_before_hook and any(case.looks) and not case.looks[0].state.is_frozen


def frozen_before(case: Case) -> datetime | None:
    """The status said frozen before the cuts."""
    state = case.around[0] if case.around and case.is_watched else State()
    return case.start if state.is_frozen and state.agent_since else None


def still_frozen(case: Case) -> datetime | None:
    """The status said frozen after the cuts, when it was settled, and nothing else in between."""
    states = case.around[1:] or case.around
    is_frozen = case.is_watched and any(states) and all(state.is_frozen for state in states)
    agents = {state.agent_since for state in case.around}
    is_of_one = len(agents) == 1 and all(agents) and is_last(case)
    return case.settled if is_frozen and is_of_one else None


def never_frozen(case: Case) -> bool:
    """True if the status never said frozen, and none was missed."""
    return (
        case.is_watched and any(case.looks) and not any(look.state.is_frozen for look in case.looks)
    )


def seen_frozen(case: Case) -> datetime | None:
    """The status turned to frozen before it was settled, and not back before the last cut.

    A thaw by this plugin comes before the status, which is late.
    """
    if case.seen.later is None or any(thaw.sent < case.end for thaw in case.seen.thaws):
        return None
    until = min((case.settled, *case.seen.later))
    frozen = [look.received for look in case.looks if look.state.is_frozen]
    frozen = [moment for moment in frozen if moment <= until]
    thawed = [look.received for look in case.looks if not look.state.is_frozen]
    is_thawed = any(frozen[0] <= moment <= case.end for moment in thawed) if frozen else True
    return None if is_thawed else frozen[0]


def seen_thawed(case: Case) -> datetime | None:
    """The status had said frozen, and said thawed before the cuts.

    If it had done so from the first, the hook may have frozen the guest again after that.
    """
    frozen = [look.received for look in case.looks if look.state.is_frozen]
    is_thawed = any(case.around) and not case.around[0].is_frozen
    early = [moment for moment in frozen if moment <= case.start]
    is_of_one = is_unfrozen_at_first(case) or has_no_hook(case) or hook_failed(case)
    return max(early) if early and is_thawed and is_of_one and is_alone(case) else None


def not_frozen_again(case: Case) -> bool:
    """True if the status did not turn to frozen around the cuts, and nothing was missed."""
    turns = pairwise(state.is_frozen for state in case.around)
    return case.is_watched and bool(case.around) and (False, True) not in turns


# Hooks, and who else freezes or thaws.


def hook_froze(case: Case) -> bool:
    """True if KubeVirt's hook succeeded in this guest, and Velero waited for that."""
    return bool(case.seen.has_hook) and case.is_in_block and case.seen.is_hook_failed is False


def has_no_hook(case: Case) -> bool:
    """True if Velero runs no freeze in this guest."""
    return case.seen.has_hook is False


def hook_failed(case: Case) -> bool:
    """True if the freeze failed in this guest."""
    return case.seen.is_hook_failed is True


def is_alone(case: Case) -> bool:
    """True if nobody else froze or thawed the guest up to the last cut."""
    return case.seen.others == ()


def is_last(case: Case) -> bool:
    """True if no other backup can have frozen the guest before its status had settled."""
    return case.seen.later == ()


def no_safety_thaw(case: Case) -> bool:
    """True if KubeVirt's log has no safety thaw that may be of before the last cut."""
    lines, clock = case.seen.safety_thaws, case.clock
    return lines == () or bool(
        lines and clock and all(clock.earliest(line) >= case.end for line in lines)
    )


def too_soon_for_safety_thaw(case: Case) -> bool:
    """True if the last cut was within the time that KubeVirt gives a freeze."""
    is_unread = case.seen.safety_thaws is None
    return is_unread and case.end - _begun(case) < timedelta(seconds=SAFETY_THAW_S)


def is_short_enough_for_windows(case: Case) -> bool:
    """True if the guest is no Windows, or its writers were still held at the last cut."""
    names = {look.state.os for look in case.looks}
    is_other = bool(names) and not names & {"", _WINDOWS}
    return is_other or case.end - _begun(case) < timedelta(seconds=VSS_S)


def _begun(case: Case) -> datetime:
    """A moment that is not after the hook's freeze."""
    known = [case.seen.started]
    if case.seen.is_before_hook:
        known.append(case.seen.began)
    if case.hold and case.hold.begun:
        known.append(case.hold.begun)
    return max(known)


def safety_thaw_before(case: Case) -> datetime | None:
    """KubeVirt's safety thaw came before the cuts."""
    clock = case.clock
    moments = [clock.latest(line) for line in case.seen.safety_thaws or ()] if clock else []
    return next((moment for moment in moments if moment <= case.start), None)


def thawed_by_plugin(case: Case) -> datetime | None:
    """The plugin thawed the guest, and not before all cuts."""
    is_early = any(thaw.sent < case.end for thaw in case.seen.thaws)
    answered = (thaw.sent for thaw in case.seen.thaws if thaw.answered)
    return None if is_early else next(answered, None)


def thawed_by_plugin_before(case: Case) -> datetime | None:
    """The plugin had thawed the guest before the cuts."""
    answers = (thaw.answered for thaw in case.seen.thaws)
    return next((at for at in answers if at and at <= case.start), None)


def frozen_alone_before(case: Case) -> datetime | None:
    """The status said frozen before the cuts, by nobody else's freeze."""
    return frozen_before(case) if is_alone(case) else None
