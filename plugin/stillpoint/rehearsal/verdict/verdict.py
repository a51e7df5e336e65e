"""Derives a verdict and a level from facts."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.model.errors import MalformedItem
from stillpoint.model.level import Level
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.model.weight import Weight
from stillpoint.rehearsal.verdict import disks
from stillpoint.rehearsal.verdict.arrival_reasons import ARRIVAL_REASONS
from stillpoint.rehearsal.verdict.case import Case, Disk
from stillpoint.rehearsal.verdict.reasons import REASONS, UNREADABLE, Reason

_DECIDING = (Level.UNKNOWN, Level.NONE, Level.STOPPED, Level.PAUSED, Level.CRASH, Level.MIXED)
"""Of several levels that facts leave, the first is the one to expect."""


class Verdict(StrEnum):
    """Worst first."""

    BLOCKED = "blocked"
    DEGRADED = "degraded"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason that holds for a machine.

    Attributes:
        about: subjects of the sentence; may be empty.
    """

    code: str
    weight: Weight
    about: tuple[str, ...]
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on a machine, with all of its reasons, worst first."""

    verdict: Verdict
    level: Level
    findings: tuple[Finding, ...]


def judge(case: Case) -> Judged:
    """The verdict on a machine."""
    reasons = ARRIVAL_REASONS if case.around.destination else REASONS
    facts = {reason: tuple(dict.fromkeys(reason.fact(case))) for reason in reasons}
    found = {reason: about for reason, about in facts.items() if about}
    findings = [_finding(reason, about, case) for reason, about in found.items()]
    findings.sort(key=lambda finding: tuple(Weight).index(finding.weight))
    return Judged(_verdict(findings), _level(case, found), tuple(findings))


def unreadable(reference: Reference, error: MalformedItem) -> Judged:
    """The verdict on a machine that cannot be read."""
    sentence = UNREADABLE.sentence.format(about=error.cause)
    remedy = f"oc get {reference.resource} -n {reference.namespace} {reference.name} -o yaml"
    finding = Finding(UNREADABLE.code, UNREADABLE.weight, (error.cause,), sentence, remedy)
    return Judged(Verdict.BLOCKED, Level.UNKNOWN, (finding,))


def _verdict(findings: Iterable[Finding]) -> Verdict:
    weights = {finding.weight for finding in findings}
    if Weight.BLOCKS in weights:
        return Verdict.BLOCKED
    return Verdict.DEGRADED if weights - {Weight.NOTE} else Verdict.READY


def _level(case: Case, found: Iterable[Reason]) -> Level:
    if case.around.destination:  # what a backup holds is what its evidence says, not a restore
        return Level.UNKNOWN
    levels = {reason.level for reason in found}
    if not disks.has_snapshots(case):
        levels.add(Level.NONE)
    if case.instance is None:
        levels.add(Level.STOPPED)
    return next((level for level in _DECIDING if level in levels), Level.FILESYSTEM)


def _finding(reason: Reason, about: tuple[str, ...], case: Case) -> Finding:
    names = tuple(filter(None, about))
    first = names[0].partition(" ")[0] if names else ""
    values = {
        "about": listing(names),
        "first": first,
        "claims": " ".join(map(_name, case.disks)),
        "namespace": case.reference.namespace,
        "name": case.reference.name,
    }
    of_case = reason.remedy
    remedy = of_case.format(**values) if isinstance(of_case, str) else of_case(case)
    return Finding(reason.code, reason.weight, names, reason.sentence.format(**values), remedy)


def _name(disk: Disk) -> str:
    return disk.name
