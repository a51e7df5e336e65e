"""The verification of a backup: what was seen of each machine that was restored for a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stillpoint.evidence.console import ConsoleLine
from stillpoint.evidence.verified import Agreement, CameBack, Verification
from stillpoint.model.level import Level

CLEAR = "clear"
"""The step that deletes what was made."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a verification.

    Attributes:
        code: stable: `restore`, `disks`, `start`, `agent`, `record`, `answers`, `clear`.
        seconds: that it took; None if it was not reached, or did not end.
        says: what was seen, or why it did not end; may be empty.
    """

    code: str
    seconds: float | None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """The sight of one machine that was restored for a test.

    Attributes:
        is_tried: false if it was not started, for a reason that says nothing of the backup.
        has_disks: all its claims were bound.
        is_running: its guest was started, and ran when the look at it ended.
        has_agent: its guest agent connected.
        console: why the guest's console could not be read; empty if it was.
        lines: of the guest's agent on that console, in their order.
        failure: why it came no further; empty if nothing was left to wait for.
        left: what could not be deleted afterwards.
        notes: what else is to be said, such as a UUID that had to stay.
    """

    steps: tuple[Step, ...]
    is_tried: bool = True
    has_disks: bool = False
    is_running: bool = False
    has_agent: bool = False
    console: str = ""
    lines: Sequence[ConsoleLine] = ()
    failure: str = ""
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_up(self) -> bool:
        """True if the guest ran with all of its disks."""
        return self.is_tried and self.has_disks and self.is_running


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one machine.

    Attributes:
        namespace: of the machine in the backup.
        level: by the backup's evidence.
        expected: what its evidence lets expect at least; less if the guest says that nobody can ask
            an application whether it answers.
        contradictions: sentences; not empty if and only if the evidence is contradicted.
        proofs: sentences that say what was proven.
        missing: sentences that say what could not be seen, and why.
        at: the moment at which the look at it ended.
    """

    namespace: str
    name: str
    level: Level
    came_back: CameBack
    expected: CameBack
    agreement: Agreement
    observed: Observed
    at: datetime
    contradictions: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`shop/db`."""
        return f"{self.namespace}/{self.name}"

    @property
    def took_s(self) -> float:
        """Seconds from the begin of the restore to the last that was seen."""
        return sum(step.seconds or 0.0 for step in self.observed.steps if step.code != CLEAR)

    @property
    def verification(self) -> Verification:
        """The verdict as it is kept with the backup."""
        kept = (self.at, self.came_back, self.expected, self.agreement, self.took_s)
        verification = Verification(*kept)
        if verification.is_good:
            return verification
        return Verification(*kept, next(iter((*self.contradictions, *self.missing)), ""))


class Outcome(StrEnum):
    """The outcome of a run; worst first."""

    BAD = "bad"
    """A guest contradicts its evidence, or a machine did not come back."""
    OPEN = "not known"
    """Something was not tried, could not be seen, or could not be deleted."""
    GOOD = "good"
    """Every machine came back as expected."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of `stillpoint verify`.

    Attributes:
        id: the label of all that it made.
        namespace: of the backup.
        backup: its name.
        network: that the guests had, `none` or `isolated`.
        seed: by which a sample was drawn; None if none was.
        machines: how many the backup holds.
        results: of those that were chosen.
        left: what could not be deleted, beside what the results have.
    """

    id: str
    namespace: str
    backup: str
    network: str
    seed: int | None
    machines: int
    started: datetime
    ended: datetime
    results: tuple[Result, ...]
    left: tuple[str, ...] = ()

    @property
    def verifications(self) -> Mapping[str, Verification]:
        """The verdicts to be kept with the backup: a machine not tried keeps an earlier one."""
        tried = (one for one in self.results if one.came_back is not CameBack.UNTRIED)
        return {one.title: one.verification for one in tried}

    @property
    def outcome(self) -> Outcome:
        """The worst of all machines."""
        found = [one.verification for one in self.results]
        if any(one.is_bad for one in found):
            return Outcome.BAD
        has_left = self.left or any(one.observed.left for one in self.results)
        is_good = found and all(one.is_good for one in found) and not has_left
        return Outcome.GOOD if is_good else Outcome.OPEN
