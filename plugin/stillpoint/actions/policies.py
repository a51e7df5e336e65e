"""What a backup's policies and settings make of objects and of the data of volumes."""

from collections.abc import Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim
from stillpoint.resources.machines import pod
from stillpoint.velero.context import BackupContext
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes import fates
from stillpoint.velero.volumes.policy import Fate, Policy


def filters(context: BackupContext) -> Filters:
    """The backup's filters, together with those of its policies.

    Raises:
        ReadFailed: the cluster did not tell the policies.
    """
    own = context.backup.filters
    found = policy(context) if own.has_policy else None
    return own if found is None else own.under(found)


def policy(context: BackupContext) -> Policy | None:
    """The backup's policies; None if it has none, or they have gone since Velero read them."""
    backup, joined = context.backup, None
    for name in backup.policies:
        config_map = context.cluster.get(kinds.CONFIG_MAP, backup.namespace, name)
        if config_map is None:
            return None
        found = Policy.parse(config_map)
        joined = joined.followed_by(found) if joined else found
    return joined


def fate(claim: Item, context: BackupContext) -> Fate:
    """What becomes of the data of a claim that is in the backup.

    Of the pods that mount a claim only those of virtual machines are looked at.
    """
    found = policy(context)
    bound = _volume(claim, context) if found and found.volumes else {}
    return fates.of_claim(context.backup.asked, found, claim, bound, _pods(claim, context))


def is_mounted(claim: Item, context: BackupContext) -> bool:
    """Whether a pod of a virtual machine that runs mounts the claim."""
    return not all(map(pod.is_over, _pods(claim, context)))


def has_way_back(claim: Item, context: BackupContext) -> bool:
    """Whether a pod that the backup holds brings the files of a copied claim back.

    Asked only of a claim that is copied: it takes a list of all pods of the namespace.
    """
    namespace, name = it.identify(claim)
    found, backup = policy(context), context.backup.asked
    decided = found.fate(claim, _volume(claim, context)) if found and found.volumes else None
    pods = context.cluster.grouped(pod.RESOURCE, namespace, pod.claims)
    own = filters(context)
    return any(
        not pod.is_of_machine(one)  # no restore brings it
        and fates.brings_back(backup, name, one, is_by_policy=decided is not None)
        and own.admits(pod.RESOURCE, one)
        for one in pods.get(name, ())
    )


def _volume(claim: Item, context: BackupContext) -> Item:
    name = persistent_volume_claim.bound_volume(claim)
    return context.cluster.get(persistent_volume.RESOURCE, "", name) or {} if name else {}


def _pods(claim: Item, context: BackupContext) -> Sequence[Item]:
    namespace, name = it.identify(claim)
    pods = context.cluster.grouped(pod.RESOURCE, namespace, pod.claims, pod.OF_MACHINES)
    return pods.get(name, ())
