"""The report on one backup: frozen records, which every output writes in its own way.

Names and sentences come from a backup, whose objects anybody may have made: an output escapes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stillpoint.backup_files.disk_data import Method
from stillpoint.evidence.document import Event, Evidence, Span
from stillpoint.evidence.verified import Agreement, Verification
from stillpoint.model.level import Level
from stillpoint.model.weight import Weight


class Verdict(StrEnum):
    """The verdict on a machine, and on a whole backup; worst first."""

    NOT_RESTORABLE = "not restorable"
    """The machine would not come back, or without data."""
    BELOW = "not as demanded"
    """It would come back, with disks below the level that was demanded or to be expected."""
    UNKNOWN = "unknown"
    """Something that decides is not known."""
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, or not known.

    Attributes:
        code: stable, for instance `disk-without-data`; docs/report.md has all.
        weight: `blocks` leads to not restorable, `degrades` to not as demanded, `uncertain` to
            unknown; a `note` leaves the verdict alone.
        about: names of claims and other subjects; may be empty.
        sentence: names the subjects.
        remedy: may be empty.
        is_of_restore: true if it is about whether the machine would come back, false if about its
            level.
    """

    code: str
    weight: Weight
    about: tuple[str, ...]
    sentence: str
    remedy: str = ""
    is_of_restore: bool = False


@dataclass(frozen=True, slots=True)
class Backup:
    """The backup, as Velero's own object says.

    Attributes:
        origin: what was read, in words: `folder backups/nightly`.
        name: empty if not known.
        uid: empty if not known; then no evidence can be believed.
        phase: of Velero, for instance `PartiallyFailed`; empty if not known.
        errors: how many Velero counts; None if not known, as `warnings` and the hooks.
        failure: Velero's reason why it failed as a whole; may be empty.
        has_evidence: true if anything in it says that this plugin was there.
    """

    origin: str
    name: str = ""
    namespace: str = ""
    uid: str = ""
    phase: str = ""
    started: datetime | None = None
    completed: datetime | None = None
    expires: datetime | None = None
    errors: int | None = None
    warnings: int | None = None
    hooks_attempted: int | None = None
    hooks_failed: int | None = None
    failure: str = ""
    has_evidence: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of a machine.

    Attributes:
        name: of the machine's volume; of the claim where no volume names it (vTPM, EFI).
        claim: name of the claim, in the machine's namespace.
        level: by evidence that bears the seal of the backup; else `unknown`.
        cut: when the snapshot was cut; its ends are None where that is not known.
        evidence: None if there is none that can be believed.
        size_bytes: of the volume, or of what was stored; None if not known.
        handle: the storage's name for the snapshot, or the repository's; empty if there is none.
        driver: of CSI; empty if not known.
        shared_with: names of further machines with that disk.
    """

    name: str
    claim: str
    method: Method
    level: Level
    cut: Span
    evidence: Evidence | None = None
    size_bytes: int | None = None
    handle: str = ""
    driver: str = ""
    shared_with: tuple[str, ...] = ()

    @property
    def is_taken(self) -> bool:
        """True if the backup has bytes of the disk, or may have."""
        return self.method not in (Method.SKIPPED, Method.NONE)


@dataclass(frozen=True, slots=True)
class Machine:
    """A VirtualMachine, or a VirtualMachineInstance that stands alone.

    Attributes:
        kind: `VirtualMachine` or `VirtualMachineInstance`.
        level: what its disks reached together.
        demanded: the level that somebody demanded; None if nobody did.
        expected: the least level that is good: the demanded one, or what the guest can reach.
        frozen: the time for which the guest stood still, as far as it is known; None if it did
            not, or if nothing tells.
        spread_s: seconds that lie at most between the first and the last snapshot; None if not
            known, or if there are none.
        problems: worst first.
        is_restorable: None if not known.
        events: the timeline, in order.
        uid: of the stored object; empty if not known.
        verification: the newest; None if it was never restored for a test.
    """

    namespace: str
    name: str
    kind: str
    level: Level
    verdict: Verdict
    disks: tuple[Disk, ...] = ()
    demanded: Level | None = None
    expected: Level | None = None
    frozen: Span | None = None
    spread_s: float | None = None
    problems: tuple[Problem, ...] = ()
    is_restorable: bool | None = None
    events: tuple[Event, ...] = ()
    uid: str = ""
    verification: Verification | None = None

    @property
    def title(self) -> str:
        """`shop/db`."""
        return f"{self.namespace}/{self.name}"

    @property
    def is_contradicted(self) -> bool:
        """True if its guest, restored for a test, contradicted the evidence."""
        found = self.verification
        return found is not None and found.agreement is Agreement.CONTRADICTED

    @property
    def why_not(self) -> Sequence[str]:
        """The sentences that say why it could not be restored, or why that is not known."""
        deciding = (Weight.BLOCKS, Weight.UNCERTAIN)
        found = [one for one in self.problems if one.is_of_restore and one.weight in deciding]
        return [one.sentence for one in found]


@dataclass(frozen=True, slots=True)
class Report:
    """The report on a backup.

    Attributes:
        machines: worst first, then by name.
        problems: of the backup as a whole, worst first.
        read_at: the moment of the report, by which a backup expires.
    """

    backup: Backup
    machines: tuple[Machine, ...]
    problems: tuple[Problem, ...]
    read_at: datetime

    @property
    def verdict(self) -> Verdict:
        """The worst of the machines and of the backup itself.

        Not restorable and not as demanded are known, and so weigh more than what is not known.
        """
        verdicts = {one.verdict for one in self.machines} | {verdict(self.problems)}
        return next(one for one in Verdict if one in verdicts)


def verdict(problems: Sequence[Problem]) -> Verdict:
    """The verdict that problems lead to."""
    weights = {one.weight for one in problems}
    by_weight = {
        Weight.BLOCKS: Verdict.NOT_RESTORABLE,
        Weight.DEGRADES: Verdict.BELOW,
        Weight.UNCERTAIN: Verdict.UNKNOWN,
    }
    return next((by_weight[one] for one in by_weight if one in weights), Verdict.GOOD)
