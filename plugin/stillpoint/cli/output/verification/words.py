"""Words and the order that every form of a verification shares."""

from collections.abc import Sequence

from stillpoint.evidence.verified import Agreement, CameBack
from stillpoint.verification.model import Result, Run

MEANINGS = {
    CameBack.APPLICATION: "it runs from the record of its evidence, and what was at rest answers "
    "again.",
    CameBack.GUEST: "its guest agent connected: the system inside has started.",
    CameBack.BOOTED: "its guest runs; what it does is not known.",
    CameBack.NOT: "it did not start, or did not run on; or the backup lacks what it needs.",
    CameBack.UNTRIED: "it was not started, for a reason that says nothing of the backup.",
}


def ordered(run: Run) -> Sequence[Result]:
    """The results: contradictions first, then what did not come back, then what is not known."""
    return sorted(run.results, key=lambda one: (_rank(one), one.title))


def _rank(one: Result) -> int:
    if one.agreement is Agreement.CONTRADICTED:
        return 0
    if one.verification.is_bad:
        return 1
    return 3 if one.verification.is_good else 2


def why(one: Result) -> Sequence[str]:
    """The sentences about what is wrong or not known; none of a machine that is as expected."""
    return () if one.verification.is_good else (*one.contradictions, *one.missing)


def left(run: Run) -> Sequence[str]:
    """All that could not be deleted, each once."""
    of_machines = (text for one in run.results for text in one.observed.left)
    return list(dict.fromkeys((*run.left, *of_machines)))
