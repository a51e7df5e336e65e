"""Which disks of a freeze are taken as a group snapshot, and which one by one."""

from collections.abc import Mapping, Sequence

from stillpoint.actions import policies
from stillpoint.actions.backup.snapshots import snapshot_class
from stillpoint.actions.backup.snapshots.disks import Freeze
from stillpoint.actions.backup.snapshots.group import GroupSnapshot
from stillpoint.actions.backup.snapshots.own_group import OwnGroup
from stillpoint.actions.backup.snapshots.side_by_side import SideBySide
from stillpoint.actions.backup.snapshots.taking import Taking
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.velero.context import BackupContext
from stillpoint.velero.volumes import own_snapshots


def takings(claims: Sequence[Item], freeze: Freeze, context: BackupContext) -> Sequence[Taking]:
    """All takings of the claims of a freeze: a group for each driver, and the rest.

    Args:
        claims: those that nobody has begun, at least one.
    """
    made: list[Taking] = []
    grouped = set()
    for driver, members in _by_driver(claims, freeze, context).items():
        group_class = snapshot_class.of_group(driver, members, context)
        if group_class:
            group = OwnGroup.of(freeze.guests, driver, context.backup.asked)
            made.append(GroupSnapshot(members, group, group_class, context))
            grouped |= set(map(it.uid, members))
    if rest := [claim for claim in claims if it.uid(claim) not in grouped]:
        made.append(side_by_side(rest, freeze, context))
    return made


def side_by_side(claims: Sequence[Item], freeze: Freeze, context: BackupContext) -> Taking:
    """The taking of claims of a freeze one by one."""
    taken_with = own_snapshots.group(freeze.claims[0], context.backup.uid)
    return SideBySide(claims, taken_with, context)


def _by_driver(
    claims: Sequence[Item], freeze: Freeze, context: BackupContext
) -> Mapping[str, Sequence[Item]]:
    """The claims of which policies want groups, by driver; a single disk needs none.

    Nor does what is left of a freeze: its other disks have been taken before.
    """
    found: dict[str, list[Item]] = {}
    if freeze.guests and len(claims) == len(freeze.claims):
        fates = policies.fates(context)
        for claim in claims:
            if fates.is_grouped(claim) and (driver := snapshot_class.driver(claim, context)):
                found.setdefault(driver, []).append(claim)
    return {driver: each for driver, each in found.items() if len(each) > 1}
