"""The exit status of a verification."""

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.verification.model import Outcome, Run

_STATUSES = {
    Outcome.BAD: ExitStatus.NOT_SAFE,
    Outcome.OPEN: ExitStatus.CANNOT_TELL,
    Outcome.GOOD: ExitStatus.GOOD,
}


def status(run: Run) -> ExitStatus:
    """The exit status: 1 whatever else is not known, as a contradiction is what matters."""
    return _STATUSES[run.outcome]
