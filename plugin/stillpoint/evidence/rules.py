"""The rules: the level that disks reached, by what is known of their guest.

The first row counts of which every condition holds; of conditions in one tuple, one has to. Codes
are stable (docs/evidence.md), sentences may change.

A row says what is proved, not what was likely. In particular the guest's status, up to six seconds
old, proves a freeze only if it still says so six seconds later; a line of the console proves that
something was before its receipt, and nothing of how long before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stillpoint.evidence import conditions as has
from stillpoint.evidence.case import Case
from stillpoint.evidence.conditions import Condition
from stillpoint.evidence.document import Statement
from stillpoint.model.level import Level

OneOf = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A rule.

    Attributes:
        says: the sentence for people.
        conditions: each holds; of those in one tuple, one does.
    """

    code: str
    level: Level
    says: str
    conditions: tuple[Condition | OneOf, ...]

    @property
    def alternatives(self) -> Iterator[OneOf]:
        """The conditions, each with its alternatives."""
        for either in self.conditions:
            yield either if isinstance(either, tuple) else (either,)


_HELD = (has.HELD, has.HELD_BY_HOOK)
_BEGUN = (has.HOOK, has.FROZEN_ALONE)
_UNTIL_THE_THAW = (has.HOOK, has.RELEASED_BY_THAW, has.ALONE, (has.NO_SAFETY_THAW, has.TOO_SOON))
_THAWED_BEFORE = (
    has.RELEASED_BEFORE, has.THAWED_BY_PLUGIN_BEFORE, has.SAFETY_THAW_BEFORE, has.SEEN_THAWED,
)  # fmt: skip

# fmt: off
ROWS = (
    Row("stopped", Level.STOPPED,
        "no guest was running",
        (has.OFF, has.NOT_STARTED)),
    Row("paused", Level.PAUSED,
        "the guest was paused: what was in its memory is not on the disk",
        (has.PAUSED, has.HAS_MOMENTS)),
    Row("application-held", Level.APPLICATION,
        "applications were at rest, filesystems frozen, by the guest's own word before and after",
        (has.ONE_RUN, _HELD, has.AT_REST, _BEGUN, has.RELEASED_LATE, has.NOTHING_LOST)),
    Row("application-thawed", Level.APPLICATION,
        "applications were at rest and filesystems frozen, until the thaw at the end",
        (has.ONE_RUN, _HELD, has.AT_REST, *_UNTIL_THE_THAW, has.NOTHING_LOST)),
    Row("filesystem-held", Level.FILESYSTEM,
        "filesystems were frozen, by the guest's own word before and after",
        (has.ONE_RUN, _HELD, _BEGUN, has.RELEASED_LATE)),
    Row("filesystem-thawed", Level.FILESYSTEM,
        "filesystems were frozen, until the thaw at the end",
        (has.ONE_RUN, _HELD, *_UNTIL_THE_THAW)),
    Row("filesystem-seen", Level.FILESYSTEM,
        "filesystems were frozen, by KubeVirt's status",
        (has.ONE_RUN, has.ALONE, (has.HOOK, has.FROZEN_BEFORE), has.STILL_FROZEN,
         has.SHORT_FOR_WINDOWS)),
    Row("filesystem-expected", Level.FILESYSTEM,
        "filesystems were frozen by the hook, and nothing is known that thawed them too early",
        (has.ONE_RUN, has.AGENT, has.UNFROZEN_AT_FIRST, has.HOOK, has.ALONE,
         (has.NO_SAFETY_THAW, has.TOO_SOON), has.NOT_RELEASED,
         (has.THAWED_BY_PLUGIN, has.SEEN_FROZEN), has.SHORT_FOR_WINDOWS)),
    Row("crash-thawed", Level.CRASH,
        "the guest was running: it had been thawed before",
        (has.ON, has.ONE_RUN, _THAWED_BEFORE, has.NOT_FROZEN_AGAIN, has.HAS_MOMENTS)),
    Row("crash-no-agent", Level.CRASH,
        "the guest was running: nobody could freeze it",
        (has.ON, has.NO_AGENT, has.NEVER_FROZEN, has.HAS_MOMENTS)),
    Row("crash-no-hook", Level.CRASH,
        "the guest was running: nobody froze it",
        (has.ON, has.NO_HOOK, has.NEVER_FROZEN, has.ALONE, has.NO_LINE, has.HAS_MOMENTS)),
    Row("crash-hook-failed", Level.CRASH,
        "the guest was running: its freeze failed",
        (has.ON, has.HOOK_FAILED, has.NEVER_FROZEN, has.ALONE, has.NO_LINE, has.HAS_MOMENTS)),
    Row("unknown", Level.UNKNOWN,
        "what decides is not known",
        ()),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row, held against a case.

    Attributes:
        proofs: that its conditions hold.
        missing: one for each condition that is not known to hold.
    """

    row: Row
    proofs: Sequence[Statement]
    missing: Sequence[Statement]

    @property
    def distance(self) -> int:
        """How far from the case the row is."""
        return len(self.missing) - len(self.proofs)


def judge(case: Case) -> Verdict:
    """The first row whose conditions hold; as missing, what the nearest better one lacks."""
    failed: list[Verdict] = []
    for row in ROWS:
        verdict = hold_against(case, row)
        if not verdict.missing:
            better = [one for one in failed if one.row.level in _BETTER.get(row.level, ())]
            nearest = min(better, key=lambda one: one.distance, default=verdict)
            return replace(verdict, missing=nearest.missing)
        failed.append(verdict)
    raise AssertionError("the last row has no conditions")


_BETTER: Mapping[Level, Sequence[Level]] = {
    Level.FILESYSTEM: (Level.APPLICATION, Level.FILESYSTEM),
    Level.UNKNOWN: tuple(Level),
}
"""Rows whose lacks somebody wants to know who got another level."""


def unknown(missing: Statement) -> Verdict:
    """The verdict where no rule can be held against the case."""
    return Verdict(ROWS[-1], (), (missing,))


def hold_against(case: Case, row: Row) -> Verdict:
    """The row with what holds and what is missing of its conditions."""
    proofs: list[Statement] = [Statement(row.code, row.says)] if row.conditions else []
    missing: list[Statement] = []
    for ways in row.alternatives:
        proved = next(filter(None, (way.proved(case) for way in ways)), None)
        if proved:
            proofs.append(proved)
        else:
            missing += (way.missing(case) for way in ways)
    return Verdict(row, proofs, missing)
