"""Disks that Velero takes in the item block of their guest, hence after the guest's hook.

Velero takes all members of a group of its own at the first of them, whatever its block: a guest of
another block may not stand still then. Which disks are members, the snapshots' status says, where
no tenant writes; claims' labels may have been others (pkg/backup/actions/csi/pvc_action.go of
Velero v1.17 and v1.18).
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

from stillpoint.actions.watching import observer
from stillpoint.actions.watching.guest import WatchedGuest
from stillpoint.evidence.observations import Cut
from stillpoint.model.errors import StillpointError
from stillpoint.model.reader import Index
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import persistent_volume_claim, volume_snapshot
from stillpoint.velero import marks
from stillpoint.velero.context import BackupContext

_members: WeakKeyDictionary[Index, dict[Reference, frozenset[str]]] = WeakKeyDictionary()
"""Names of all claims of each claim's group, as of the first of them that was asked for."""

_lock = threading.Lock()


def has(claim: Reference, guest: WatchedGuest, context: BackupContext) -> bool:
    """True if Velero takes the claim after the hook of the guest, in the guest's item block."""
    if guest.launcher is None or not guest.is_before_hook:
        return False
    block = context.blocks.of(claim)
    return block is not None and block == context.blocks.of(guest.launcher)


def of_machines(
    guests: Sequence[WatchedGuest], in_block: Sequence[WatchedGuest]
) -> tuple[str, ...]:
    """Names of machines in whose guest's block a claim is, of all guests that write to it."""
    apart = {guest.machine for guest in guests if guest not in in_block}
    return tuple(sorted({guest.machine for guest in in_block} - apart))


def with_bounds_of_group(cut: Cut, namespace: str, context: BackupContext) -> Cut:
    """The cut of a member of a group that Velero takes, with the bounds of the whole group."""
    watching = observer.of(context)
    guests = watching.guests_of(namespace, cut.claim.name) if watching else ()
    members = _group_of(cut.claim.name, namespace, context)
    in_block = [guest for guest in guests if _has_all(members, guest, context)]
    return replace(
        cut,
        not_before=min((one.began for one in in_block), default=context.backup.started),
        in_block_of=of_machines(guests, in_block),
    )


def _has_all(members: frozenset[Reference], guest: WatchedGuest, context: BackupContext) -> bool:
    return bool(members) and all(has(one, guest, context) for one in members)


def _group_of(claim: str, namespace: str, context: BackupContext) -> frozenset[Reference]:
    """The claims of a claim's group; none if they are not known."""
    named = persistent_volume_claim.RESOURCE.named
    with _lock:
        known = _members.setdefault(context.cluster, {})
        if named(namespace, claim) not in known:
            for one, members in _read(namespace, context).items():
                known.setdefault(one, members)
        names = known.get(named(namespace, claim), frozenset())
    return frozenset(named(namespace, name) for name in names)


def _read(namespace: str, context: BackupContext) -> dict[Reference, frozenset[str]]:
    """The groups of this backup in a namespace."""
    selector = f"{marks.OF_BACKUP}={marks.label_value(context.backup.name)}"
    try:
        found = context.cluster.list_now(volume_snapshot.RESOURCE, namespace, selector)
    except StillpointError as error:
        context.log.info("members of group snapshots are not known: %s", error)
        return {}
    groups: dict[str, set[str]] = {}
    for snapshot in found:
        if group := volume_snapshot.group(snapshot):
            groups.setdefault(group, set()).add(volume_snapshot.claim(snapshot))
    named = persistent_volume_claim.RESOURCE.named
    return {
        named(namespace, claim): frozenset(claims) for claims in groups.values() for claim in claims
    }
