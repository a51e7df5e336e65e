"""The verdict on a machine that was restored for a test, from its evidence and what was seen.

Whoever can write to the guest's console may have written any of its lines. So a contradiction stays
whatever else is said, of two words that differ neither confirms anything, and a word that is
missing proves nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from stillpoint.evidence.verified import Agreement, CameBack
from stillpoint.model.level import Level
from stillpoint.model.names import listing
from stillpoint.report.model import Machine
from stillpoint.verification.case import Case
from stillpoint.verification.model import Observed, Result


def judge(machine: Machine, observed: Observed, at: datetime) -> Result:
    """The verdict.

    Args:
        machine: of the report on the backup.
        at: the moment at which the look at it ended.
    """
    case = Case(machine, observed)
    contradictions = tuple(dict.fromkeys(_contradictions(case)))
    agreement = _agreement(case, contradictions)
    came_back = _came_back(case, agreement)
    return Result(
        namespace=machine.namespace,
        name=machine.name,
        level=machine.level,
        came_back=came_back,
        expected=_expected(case),
        agreement=agreement,
        observed=observed,
        at=at,
        contradictions=contradictions,
        proofs=tuple(dict.fromkeys(_proofs(case, came_back))),
        missing=tuple(dict.fromkeys(_missing(case, came_back, agreement))),
    )


def is_complete(machine: Machine, observed: Observed) -> bool:
    """True if nothing is left to wait for: all was seen that this machine can show."""
    case = Case(machine, observed)
    if any(_contradictions(case)):
        return True
    farthest = CameBack.BOOTED if case.had_no_agent else CameBack.GUEST
    if not _came_back(case, Agreement.OPEN).is_at_least(farthest):
        return False
    has_answers = bool(case.own_answers) or not case.applications
    has_all = bool(case.copied) and has_answers
    return has_all or bool(observed.console) or not (case.is_confirmable and case.record)


def _agreement(case: Case, contradictions: Sequence[str]) -> Agreement:
    if contradictions:
        return Agreement.CONTRADICTED
    if not case.is_confirmable:
        return Agreement.NONE
    is_seen = case.observed.is_up and case.is_of_record
    return Agreement.CONFIRMED if is_seen else Agreement.OPEN


def _came_back(case: Case, agreement: Agreement) -> CameBack:
    seen = case.observed
    if not seen.is_tried:
        is_lost = case.machine.is_restorable is False
        return CameBack.NOT if is_lost else CameBack.UNTRIED
    if not seen.is_up:
        return CameBack.NOT
    if not seen.has_agent:
        return CameBack.BOOTED
    is_whole = agreement is Agreement.CONFIRMED and case.has_answers
    return CameBack.APPLICATION if is_whole else CameBack.GUEST


def _expected(case: Case) -> CameBack:
    """A frozen guest had an agent; whether an application can be asked, the guest alone knows."""
    if case.machine.level is Level.APPLICATION:
        is_unasked = any(one.unasked for one in case.own_answers)
        return CameBack.GUEST if is_unasked else CameBack.APPLICATION
    return CameBack.GUEST if case.machine.level is Level.FILESYSTEM else CameBack.BOOTED


def _contradictions(case: Case) -> Iterator[str]:
    others = {line.id for line in case.lines} - case.records
    if case.known and "" not in case.records:
        for other in sorted(others):
            wanted = listing(sorted(case.known))
            yield f"its disk carries {_record(other)}, and the evidence is of record {wanted}"
    verdicts = {line.verdict for line in case.copied}
    if case.machine.level is Level.APPLICATION and Level.FILESYSTEM in verdicts:
        yield "the record on its disk is of level filesystem, and the evidence of application"
    for answers in case.answers:
        is_whole = case.machine.level is Level.APPLICATION
        silent = [name for name in answers.no if is_whole or name in case.applications]
        if silent:
            yield (
                f"at rest by the evidence, and not answering after {answers.took_s:g} s: "
                f"{listing(silent)}{_after_steps(case)}"
            )


def _record(identity: str) -> str:
    return f"record {identity}" if identity else "a record of an earlier version, without an id"


def _after_steps(case: Case) -> str:
    """The remark that root's own steps may be the reason why an application does not run."""
    ran = max((line.steps.count for line in case.lines if line.steps), default=0)
    return f"; before that, {ran} on-copy steps of root's were run there" if ran else ""


def _proofs(case: Case, came_back: CameBack) -> Iterator[str]:
    if came_back.is_at_least(CameBack.BOOTED):
        yield "all of its disks were there, and its guest ran"
    if came_back.is_at_least(CameBack.GUEST):
        yield "its guest agent connected"
    if case.is_of_record:
        verdict = case.copied[0].verdict
        yield f"its guest says that its disk carries record {case.record}, of level {verdict}"
    if came_back is CameBack.APPLICATION:
        took_s = max(one.took_s for one in case.own_answers)
        names = dict.fromkeys(name for one in case.own_answers for name in one.yes)
        yield f"and that these answer again, after {took_s:g} s: {listing(names)}"
    for line in case.lines:
        if line.steps and line.steps.outcome == "done":
            yield f"root's on-copy steps were run there: {line.steps.count}"


def _missing(case: Case, came_back: CameBack, agreement: Agreement) -> Iterator[str]:
    seen = case.observed
    if seen.failure:
        yield seen.failure
    elif not seen.is_tried:
        yield from case.machine.why_not or ("it was not started",)
    elif not seen.has_disks:
        yield "not all of its disks were there"
    elif not seen.is_running:
        yield "its guest did not run"
    if came_back is CameBack.BOOTED:
        yield "its guest agent did not connect"
    if seen.is_up or case.copied:
        yield from _unsaid(case, agreement)
    for line in case.lines:
        if line.steps and line.steps.outcome == "failed":
            names = listing(line.steps.failed)
            yield f"root's on-copy steps failed there{': ' if names else ''}{names}"


def _unsaid(case: Case, agreement: Agreement) -> Iterator[str]:
    """Words of the guest that are missing, and why."""
    if case.observed.console:
        yield f"its console could not be read: {case.observed.console}"
    if "" in case.records:
        for other in sorted({line.id for line in case.lines} - case.records):
            yield f"its disk carries {_record(other)}, which the evidence does not name"
    if agreement is Agreement.NONE:
        yield "the evidence names no record that the guest could confirm"
    elif agreement is Agreement.OPEN:
        yield _why_open(case)
    elif agreement is Agreement.CONFIRMED:
        yield from _unanswered(case)


def _why_open(case: Case) -> str:
    if not case.record:
        names = listing(sorted(case.known))
        return f"the evidence does not name one record for all disks: {names or 'none'}"
    if case.is_of_record:
        return "its guest said which record its disk carries, and did not run on with all disks"
    if case.copied:
        return "of which level the record on its disk is, its guest says in no or several words"
    return "its guest did not say which record its disk carries"


def _unanswered(case: Case) -> Iterator[str]:
    if not case.own_answers and case.applications:
        other = ", but in another boot than which record it carries" if case.answers else ""
        names = listing(case.applications)
        yield f"its guest did not say whether these answer again: {names}{other}"
    for one in case.own_answers:
        if one.no:
            yield f"not answering after {one.took_s:g} s: {listing(one.no)}"
        if one.unasked:
            yield f"nobody can ask these whether they answer again: {listing(one.unasked)}"
        if unheard := case.unheard(one):
            yield f"its guest has no word of these: {listing(unheard)}"
