"""From facts to a verdict and a level."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.model.errors import MalformedItem
from stillpoint.model.names import listed
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.verdict import disks, guest
from stillpoint.rehearsal.verdict.case import Case, Disk
from stillpoint.rehearsal.verdict.reasons import REASONS, Reason, Weight


class Verdict(StrEnum):
    """Worst first."""

    BLOCKED = "blocked"
    DEGRADED = "degraded"
    READY = "ready"


class Level(StrEnum):
    """How consistent the disks would be, best first; then what is no level."""

    APPLICATION = "application"
    """Applications were at rest: only evidence from inside the guest could show it."""
    FILESYSTEM = "filesystem"
    """File systems are frozen while all disks are cut."""
    CRASH = "crash"
    """As a power failure would leave them."""
    STOPPED = "stopped"
    PAUSED = "paused"
    MIXED = "mixed"
    """Not all disks are cut within the freeze."""
    NONE = "none"
    """No disk is cut."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason that holds for one machine.

    Attributes:
        about: names that the sentence is about; may be empty.
    """

    code: str
    weight: Weight
    about: tuple[str, ...]
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one machine, with all of its reasons, worst first."""

    verdict: Verdict
    level: Level
    findings: tuple[Finding, ...]


def judge(case: Case) -> Judged:
    """The verdict on one machine."""
    found = [(reason, tuple(dict.fromkeys(reason.fact(case)))) for reason in REASONS]
    findings = [_finding(reason, about, case) for reason, about in found if about]
    findings.sort(key=lambda finding: tuple(Weight).index(finding.weight))
    return Judged(_verdict(findings), _level(case), tuple(findings))


def unreadable(reference: Reference, error: MalformedItem) -> Judged:
    """The verdict on a machine that cannot be read."""
    sentence = f"it cannot be read: {error.cause}"
    remedy = f"oc get {reference.resource} -n {reference.namespace} {reference.name} -o yaml"
    finding = Finding("unreadable", Weight.BLOCKS, (error.cause,), sentence, remedy)
    return Judged(Verdict.BLOCKED, Level.UNKNOWN, (finding,))


def _verdict(findings: Iterable[Finding]) -> Verdict:
    weights = {finding.weight for finding in findings}
    if Weight.BLOCKS in weights:
        return Verdict.BLOCKED
    return Verdict.DEGRADED if weights - {Weight.NOTE} else Verdict.READY


def _level(case: Case) -> Level:  # noqa: PLR0911 - one for each
    if guest.state_unknown(case):
        return Level.UNKNOWN
    if not disks.is_any_cut(case):
        return Level.NONE
    if case.instance is None:
        return Level.STOPPED
    if guest.paused(case):
        return Level.PAUSED
    if not guest.would_freeze(case):
        return Level.CRASH
    if any(guest.outside_block(case)) or guest.too_long(case) or guest.too_long_for_vss(case):
        return Level.MIXED
    return Level.FILESYSTEM


def _finding(reason: Reason, about: tuple[str, ...], case: Case) -> Finding:
    names = tuple(filter(None, about))
    first = names[0].partition(" ")[0] if names else ""
    values = {
        "about": listed(names),
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
