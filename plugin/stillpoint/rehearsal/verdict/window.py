"""Facts about the frozen window: its length, and what is taken within.

Velero takes one snapshot after the other, and looks for each in an interval (Velero v1.18,
WaitUntilVSCHandleIsReady in pkg/util/csi/volume_snapshot.go); the plugin takes all at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.verdict import disks
from stillpoint.rehearsal.verdict.case import Case, once
from stillpoint.rehearsal.verdict.guest import would_freeze
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import kubevirt, virtual_machine_instance
from stillpoint.velero import server
from stillpoint.velero.volumes import fates
from stillpoint.velero.volumes.policy import Fate

SNAPSHOT_S, EARLY_S = 5, 1
"""Velero's interval, by default and with early polling."""

OWN_S, DISKS_PER_S = 1, 8
"""The plugin's snapshots of few disks, and disks that make it a second more.

Rather too long: 1, 8 and 16 disks took 0.15, 1.66 and 2.64 s on busy cores (docs/figures.md).
"""


@dataclass(frozen=True, slots=True)
class Window:
    """The length of a frozen window, in seconds.

    Attributes:
        expected: with those who take the snapshots in this backup.
        by_velero: the least, if Velero took all of them.
        by_plugin: about, if the plugin took all of them.
    """

    expected: int
    by_velero: int
    by_plugin: int


@once
def of(case: Case) -> Window | None:
    """The window of a guest; None if nothing freezes, or no snapshot is taken meanwhile."""
    if not would_freeze(case):
        return None
    taken = {one: _claims(case, one) for one in (Fate.SNAPSHOT, Fate.OWN)}
    every = [*taken[Fate.SNAPSHOT], *taken[Fate.OWN]]
    if not every:
        return None
    return Window(
        _velero_s(case, taken[Fate.SNAPSHOT]) + _plugin_s(taken[Fate.OWN]),
        _velero_s(case, every),
        _plugin_s(every),
    )


def interval_s(case: Case) -> int:
    """The interval of Velero's looks for a snapshot."""
    deployment = case.around.server
    return EARLY_S if deployment and server.polls_early(deployment) else SNAPSHOT_S


def early_s(case: Case) -> int:
    """The least length of the window if Velero took the snapshots, with early polling."""
    found = of(case)
    return found.by_velero * EARLY_S // interval_s(case) if found else 0


def _claims(case: Case, fate: Fate) -> Sequence[Item]:
    claims = (
        case.around.cluster[one]
        for one in case.block
        if one.is_of(persistent_volume_claim.RESOURCE)
    )
    return [one for one in claims if case.around.fates.of(one) is fate]


def _velero_s(case: Case, claims: Sequence[Item]) -> int:
    key = fates.group_snapshot_label(case.around.request)
    groups = {(it.labels(one).get(key) or it.identify(one)) for one in claims}
    return interval_s(case) * len(groups)


def _plugin_s(claims: Sequence[Item]) -> int:
    return OWN_S + len(claims) // DISKS_PER_S if claims else 0


def too_long(case: Case) -> tuple[str, ...]:
    """The safety thaw would come before the last snapshot."""
    found = of(case)
    return (f"{found.expected} s",) if found and found.expected > kubevirt.SAFETY_THAW_S else ()


def too_long_for_vss(case: Case) -> tuple[str, ...]:
    """Windows would thaw before the last snapshot."""
    if case.instance is None or not virtual_machine_instance.is_windows(case.instance):
        return ()
    found = of(case)
    is_over = found is not None and kubevirt.VSS_S <= found.expected <= kubevirt.SAFETY_THAW_S
    return (f"{found.expected} s",) if found and is_over else ()


def length(case: Case) -> Iterator[str]:
    """The length of the window, and what it would be if somebody else took the snapshots."""
    if (found := of(case)) is None:
        return
    if not _claims(case, Fate.OWN):
        yield (
            f"{found.expected} s or more, about {found.by_plugin} s if the plugin took the "
            "snapshots"
        )
    elif not _claims(case, Fate.SNAPSHOT):
        yield f"about {found.expected} s, {found.by_velero} s or more if Velero took the snapshots"
    else:
        yield (
            f"{found.expected} s or more, about {found.by_plugin} s if the plugin took all "
            f"snapshots, {found.by_velero} s if Velero did"
        )


def left_to_velero(case: Case) -> Iterator[str]:
    """Disks of a frozen guest whose snapshots Velero takes, beside disks that the plugin takes."""
    if _is_ours(case):
        yield from _with_fate(case, Fate.SNAPSHOT)


def taken_apart(case: Case) -> Iterator[str]:
    """Disks of a frozen guest that others take, and when is not known, beside the plugin's."""
    if _is_ours(case):
        yield from _with_fate(case, Fate.CUSTOM, Fate.FILE_SYSTEM)


def _is_ours(case: Case) -> bool:
    return would_freeze(case) and any(_with_fate(case, Fate.OWN))


def _with_fate(case: Case, *wanted: Fate) -> Iterator[str]:
    for disk, claim in disks.claims(case):
        if case.around.fates.of(claim) in wanted:
            yield disk.name
