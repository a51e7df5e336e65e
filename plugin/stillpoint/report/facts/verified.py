"""Facts about the newest verification of a machine: it was restored for a test, and looked at."""

from collections.abc import Iterator

from stillpoint.evidence.verified import Agreement, CameBack
from stillpoint.report.case import Case


def contradicted(case: Case) -> Iterator[str]:
    """The word of the restored guest against the evidence."""
    found = case.verification
    if found and found.agreement is Agreement.CONTRADICTED:
        yield found.why or found.agreement


def not_back(case: Case) -> Iterator[str]:
    """The reason why the machine did not come back; one that contradicts has a fact of its own."""
    found = case.verification
    if found and found.came_back is CameBack.NOT:
        yield found.why or found.came_back
