"""The verification of a backup: what was seen of each machine that was restored for a test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stillpoint.evidence.console import ConsoleLine
from stillpoint.model.level import Level


class CameBack(StrEnum):
    """How far a machine came back; best first."""

    APPLICATION = "application"
    """The guest runs from the very record of the evidence, and what was quiesced answers again."""
    GUEST = "guest"
    """Its guest agent is connected: the system inside has started."""
    BOOTED = "booted"
    """All disks are there and the guest runs; what it does is not known."""
    NOT = "not"
    """It was tried, and does not run; or its backup does not hold what it needs."""
    UNTRIED = "not tried"
    """It was not started, for a reason that says nothing of the backup."""


class Agreement(StrEnum):
    """What the restored guest says of the level in the backup's evidence."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    OPEN = "not confirmed"


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
    """What was seen of one machine that was restored for a test.

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


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one machine.

    Attributes:
        namespace: of the machine in the backup.
        level: by the backup's evidence.
        expected: what its evidence lets expect at least.
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
