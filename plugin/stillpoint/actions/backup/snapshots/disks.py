"""The disks whose snapshots are taken together: those of a guest, which stands still for them once.

Guests that share a disk stand still together, in one item block. A guest whose block is another
than that of a claim stands still at another time, even if it uses the claim by now.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stillpoint.actions import policies, reach, surroundings
from stillpoint.actions.backup.snapshots import moved
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import pod, virtual_machine_instance
from stillpoint.velero.context import BackupContext


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze, with the guests and the claims that are in it.

    Attributes:
        guests: instances that run; none for a claim that no guest uses.
        claims: those whose snapshots this plugin takes.
        strangers: instances that use the claim that comes first, but are frozen at another time.
    """

    guests: tuple[Item, ...]
    claims: tuple[Item, ...]
    strangers: tuple[Item, ...] = ()


def of_one_freeze(claim: Item, context: BackupContext) -> Freeze:
    """The freeze that a claim is part of, which comes first among its claims.

    The others are those that Velero will surely call for as well: nobody would delete the snapshot
    of a claim that the backup turns out to leave out.
    """
    guests: dict[str, Item] = {}
    claims = {it.name(claim): claim}
    left = [claim]
    while left:
        for launcher, guest in _guests(left.pop(), context):
            if it.name(guest) in guests or not _is_frozen_with(launcher, claim, context):
                continue
            guests[it.name(guest)] = guest
            found = (each for each in claims_of(guest, context) if it.name(each) not in claims)
            new = {it.name(each): each for each in found if _is_beside(each, claim, context)}
            claims |= new
            left += new.values()
    strangers = {
        it.name(guest): guest
        for _launcher, guest in _guests(claim, context)
        if it.name(guest) not in guests
    }
    sure = {it.name(each) for guest in guests.values() for each in _sure(guest, context)}
    ours = (each for name, each in claims.items() if name in sure and _is_ours(each, context))
    others = (each for each in ours if it.name(each) != it.name(claim))
    return Freeze(tuple(guests.values()), (claim, *others), tuple(strangers.values()))


def _is_frozen_with(launcher: Item, claim: Item, context: BackupContext) -> bool:
    """True if the guest in a launcher pod stands still when Velero comes with a claim, or never.

    A block that this process does not know may be one that is still to be built.
    """
    of_guest = context.blocks.of(pod.RESOURCE.named(*it.identify(launcher)))
    if of_guest is None:
        return bool(policies.filters(context).bars(pod.RESOURCE, launcher))
    return of_guest == _block(claim, context)


def _is_beside(other: Item, claim: Item, context: BackupContext) -> bool:
    """True if two claims are in one item block, as far as that is known."""
    return _block(other, context) == _block(claim, context)


def _block(claim: Item, context: BackupContext) -> int | None:
    return context.blocks.of(persistent_volume_claim.RESOURCE.named(*it.identify(claim)))


def _guests(claim: Item, context: BackupContext) -> Iterator[tuple[Item, Item]]:
    """The guests whose pods mount a claim, each with its launcher pods and the disks it has now.

    Velero joins the blocks of guests by these pods; a guest that only names the claim is frozen at
    another time. One that was migrated since the pods were listed runs in a later pod.
    """
    namespace, name = it.identify(claim)
    by_claim = context.cluster.list_grouped(pod.RESOURCE, namespace, pod.claims, pod.OF_MACHINES)
    by_name = context.cluster.list_grouped(pod.RESOURCE, namespace, it.names, pod.OF_MACHINES)
    for mounting in by_claim.get(name, ()):
        launchers = [each for owner in pod.launchers(mounting) for each in by_name.get(owner, ())]
        for launcher in (mounting, *launchers):
            for guest in () if pod.is_over(launcher) else _instances(launcher, context):
                yield launcher, guest
                if later := surroundings.launcher_pod(context.cluster, guest):
                    yield later, guest


def _instances(launcher: Item, context: BackupContext) -> Iterator[Item]:
    for name in pod.instances(launcher):
        found = context.cluster.latest(
            virtual_machine_instance.RESOURCE, it.namespace(launcher), name
        )
        if found and virtual_machine_instance.is_live(found):
            yield found


def claim_names(instance: Item) -> Iterable[str]:
    """Names of the claims that the guest of an instance writes to, and of those with its state."""
    return dict.fromkeys(virtual_machine_instance.disk_claims(instance))


def claims_of(guest: Item, context: BackupContext) -> Iterator[Item]:
    """The claims that a guest writes to, and those with its state; some may come twice."""
    yield from surroundings.claims(context.cluster, it.namespace(guest), claim_names(guest))
    yield from surroundings.state_claims(context.cluster, guest, guest)


def _sure(guest: Item, context: BackupContext) -> Iterator[Item]:
    """The claims of a guest that its item block has."""
    filters = policies.filters(context)
    if filters.has_policy:
        return  # what a policy of names and labels leaves out is not followed
    if reach.is_guest_meant(guest, context):
        claims = claims_of(guest, context)
    else:
        names = {each.name for each in reach.selected_disks(guest, context)}
        claims = surroundings.claims(context.cluster, it.namespace(guest), names)
    for claim in claims:
        if filters.admits(persistent_volume_claim.RESOURCE, claim):
            yield claim


def _is_ours(claim: Item, context: BackupContext) -> bool:
    """True if Velero comes to this plugin with the claim, and a snapshot is to be made of it.

    Velero's own action fails before on a claim without a volume or a class.
    """
    return (
        persistent_volume_claim.is_bound(claim)
        and bool(persistent_volume_claim.storage_class(claim))
        and policies.fates(context).is_own(claim)
        and moved.upload(claim, context) is None
    )
