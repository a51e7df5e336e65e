"""The evidence of a guest's disks, by the rules.

The level of a machine is that of all its disks as one, cut between the first of them and the last.
So disks of two frozen windows are `mixed`, and so are those of a guest that ran.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from stillpoint.evidence import conditions as has
from stillpoint.evidence import hold as holds
from stillpoint.evidence import rules, timeline
from stillpoint.evidence.case import Case
from stillpoint.evidence.document import Evidence, Span, Statement
from stillpoint.evidence.observations import Cut, Method, Observations
from stillpoint.evidence.rules import Verdict
from stillpoint.model.level import Level
from stillpoint.model.names import listing

_NOT_OF_A_MOMENT = frozenset({"hostpath.csi.k8s.io"})
"""Drivers that copy a disk's files one after the other."""

_FROZEN = (Level.APPLICATION, Level.FILESYSTEM)
_ORDER = (Level.STOPPED, *_FROZEN, Level.PAUSED, Level.CRASH, Level.UNKNOWN)
"""Best first, for a disk of several guests: one that is stopped does not write to it."""

_PODS = "pods that nobody freezes mount the disk and may write to it: {}"

_NO_CUT = {
    Method.SNAPSHOT: "nobody noted when its snapshot was taken",
    Method.MOVED: "nobody noted when its snapshot was taken",
    Method.FILES: "Velero copies its files, one after the other",
    Method.NATIVE: "a plugin of Velero for volumes takes its snapshot, and does not say when",
}


def conclude(
    seen: Observations,
    cuts: Sequence[Cut],
    required: Level | None = None,
    others: Mapping[str, Observations] = MappingProxyType({}),
) -> tuple[Evidence, ...]:
    """The evidence of each disk, in the order of `cuts`.

    Args:
        cuts: all disks of the guest, also those whose moment nobody knows.
        required: the level that was demanded of the machine.
        others: observations of other machines whose guests write to some of the disks, by name.
    """
    verdicts = [_of_disk(seen, cut, others) for cut in cuts]
    machine = _of_machine(seen, cuts, [verdict.row.level for verdict in verdicts])
    events, frozen = timeline.events(seen, cuts), timeline.frozen(seen)
    hold = holds.of(seen)
    line = hold.held.line if hold else None
    return tuple(
        Evidence(
            claim=cut.claim,
            machine=seen.machine,
            level=verdict.row.level,
            machine_level=machine,
            proofs=tuple(verdict.proofs),
            missing=(*verdict.missing, *seen.lacks),
            shared_with=cut.shared_with,
            required=required,
            cut=Span(cut.not_before, cut.not_after),
            frozen=frozen,
            record=line.id if line and _is_held(verdict) else "",
            applications=line.applications if line and _is_held(verdict) else (),
            events=events,
            snapshot=cut.snapshot,
        )
        for cut, verdict in zip(cuts, verdicts, strict=True)
    )


def _is_held(verdict: Verdict) -> bool:
    """True if the disk was cut in the hold of the guest's own word."""
    held = {has.HELD.code, has.HELD_BY_HOOK.code}
    return any(proof.code in held for proof in verdict.proofs)


def _of_disk(seen: Observations, cut: Cut, others: Mapping[str, Observations]) -> Verdict:
    """The verdict of a disk; of a shared one the worst of all its guests."""
    if cut.pods:
        return rules.unknown(Statement("shared-with-pod", _PODS.format(listing(cut.pods))))
    verdicts = [_verdict(seen, [cut])]
    for name in cut.shared_with:
        other = others.get(name)
        text = f"nothing is known of {name}, whose guest writes to the disk, too"
        not_known = rules.unknown(Statement("shared", text))
        verdicts.append(_verdict(other, [cut]) if other else not_known)
    return max(verdicts, key=lambda verdict: _ORDER.index(verdict.row.level))


def _of_machine(seen: Observations, cuts: Sequence[Cut], levels: Sequence[Level]) -> Level:
    """The level of disks with these levels as one."""
    kinds = set(levels)
    if Level.UNKNOWN in kinds or len(cuts) < 2:
        return levels[0] if len(cuts) == 1 else Level.UNKNOWN
    if Level.CRASH in kinds or (Level.STOPPED in kinds and len(kinds) > 1):
        return Level.MIXED
    whole = _verdict(seen, cuts).row.level
    if whole in _FROZEN:
        return max((whole, *kinds.intersection(_FROZEN)), key=_ORDER.index)
    return whole if kinds == {whole} else Level.UNKNOWN


def _verdict(seen: Observations, cuts: Sequence[Cut]) -> Verdict:
    """The verdict of disks as one."""
    starts = [cut.not_before for cut in cuts if cut.not_before]
    ends = [cut.not_after for cut in cuts if cut.not_after]
    for cut in cuts:
        if not cut.not_before or not cut.not_after:
            return rules.unknown(Statement("no-moment", _NO_CUT[cut.method]))
        if cut.not_after < cut.not_before:
            text = "its snapshot was there before it was asked for: a clock was set meanwhile"
            return rules.unknown(Statement("no-moment", text))
    return rules.judge(
        Case(
            seen,
            min(starts),
            max(ends),
            is_in_block=all(seen.machine.name in cut.in_block_of for cut in cuts),
            has_moments=not any(cut.driver in _NOT_OF_A_MOMENT for cut in cuts),
        )
    )
