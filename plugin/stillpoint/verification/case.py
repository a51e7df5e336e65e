"""A case: a machine of a backup by its evidence, and what its restored guest said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from stillpoint.evidence import conditions
from stillpoint.evidence.console import OF_COPY, Answers, ConsoleLine, State
from stillpoint.evidence.document import Evidence
from stillpoint.model.level import Level
from stillpoint.report.model import Machine
from stillpoint.verification.model import Observed

_FROZEN = {Level.APPLICATION, Level.FILESYSTEM}
_PROCESS = re.compile(r"@[0-9]+$")
"""Of a name that several applications have; the guest's answers are without it."""


@dataclass(frozen=True)  # no slots, so that what is derived is derived once
class Case:
    """One machine."""

    machine: Machine
    observed: Observed

    @cached_property
    def evidences(self) -> Sequence[Evidence | None]:
        """The evidence of each disk with data, None without any.

        A shared disk may have that of another guest, which says nothing of this one's record.
        """
        taken = [disk.evidence for disk in self.machine.disks if disk.is_taken]
        return [one for one in taken if one is None or one.machine.name == self.machine.name]

    @cached_property
    def records(self) -> frozenset[str]:
        """Ids of the guest's records on its disks; one of them is empty if a disk has none."""
        return frozenset(one.record if one else "" for one in self.evidences)

    @cached_property
    def known(self) -> frozenset[str]:
        """Ids of the guest's records that the evidence names."""
        return self.records - {""}

    @property
    def record(self) -> str:
        """The id of the one record that all disks carry; empty if there is none."""
        return next(iter(self.records)) if len(self.records) == 1 else ""

    @cached_property
    def applications(self) -> Sequence[str]:
        """Names of what was at rest, as the guest's answers have them."""
        names = (name for one in self.evidences if one for name in one.applications)
        return list(dict.fromkeys(_PROCESS.sub("", name) for name in names))

    @property
    def is_confirmable(self) -> bool:
        """True if the guest can be expected to say which record it runs from."""
        level = self.machine.level
        return level is Level.APPLICATION or (level is Level.FILESYSTEM and bool(self.known))

    @property
    def had_no_agent(self) -> bool:
        """True if the evidence proves that no guest agent was connected."""
        proofs = (proof for one in self.evidences if one for proof in one.proofs)
        return any(proof.code == conditions.NO_AGENT.code for proof in proofs)

    @cached_property
    def lines(self) -> Sequence[ConsoleLine]:
        """Lines about the copy: a hold that began meanwhile is another matter."""
        return [line for line in self.observed.lines if line.state in OF_COPY]

    @cached_property
    def copied(self) -> Sequence[ConsoleLine]:
        """Lines that name a record of the evidence as that of the disk."""
        return [line for line in self.lines if line.state is State.COPIED and line.id in self.known]

    @cached_property
    def answers(self) -> Sequence[Answers]:
        """The answers of applications of that record, in whichever boot."""
        lines = (line for line in self.lines if line.id in self.known)
        return [line.answers for line in lines if line.answers]

    @cached_property
    def own_answers(self) -> Sequence[Answers]:
        """The answers of the boot and record of a line `copied`: others prove nothing."""
        said = {(line.id, line.boot) for line in self.copied}
        lines = (line for line in self.lines if (line.id, line.boot) in said)
        return [line.answers for line in lines if line.answers]

    @property
    def is_of_record(self) -> bool:
        """True if the guest runs from the one record of the evidence, and all it says fits it."""
        verdicts = {line.verdict for line in self.copied}
        if not self.record or len(verdicts) != 1:
            return False
        is_whole = verdicts == {Level.APPLICATION}
        return is_whole or (self.machine.level is not Level.APPLICATION and verdicts <= _FROZEN)

    def unheard(self, answers: Answers) -> Sequence[str]:
        """Applications of the evidence of which the answers have no word.

        A line that had no room for all has left out names of `yes`, and of these alone as long as
        it has any.
        """
        said = {*answers.yes, *answers.no, *answers.unasked}
        left = [name for name in self.applications if name not in said]
        return [] if answers.yes and len(left) <= answers.more else left

    @property
    def has_answers(self) -> bool:
        """True if every application that was at rest answers again, by each such line."""
        return bool(self.own_answers) and all(
            one.yes and not one.no and not one.unasked and not self.unheard(one)
            for one in self.own_answers
        )
