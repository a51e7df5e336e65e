"""The filters of a running backup, and the fates of its volumes, with policies read."""

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from stillpoint.actions import surroundings
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reader import Index
from stillpoint.resources.disks import persistent_volume
from stillpoint.resources.machines import pod
from stillpoint.velero.context import BackupContext
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes import snapshotter
from stillpoint.velero.volumes.fates import Fates
from stillpoint.velero.volumes.policy import Fate, Policy

_read: WeakKeyDictionary[Index, Policy] = WeakKeyDictionary()
"""By the backup's view of the cluster."""


def filters(context: BackupContext) -> Filters:
    """The backup's filters, with the filters of its policies.

    Raises:
        ReadFailed: the policies could not be read.
    """
    own = context.backup.filters
    return own.under(_policy(context)) if own.has_policy else own


def fates(context: BackupContext) -> Fates:
    """The fates of the backup's volumes.

    Of the pods that mount a claim only pods of virtual machines count: a list of all pods of a
    namespace, which Velero makes, can be long. Only where the plugin takes each snapshot that
    nothing else rules out, the list is needed.

    Raises:
        ReadFailed: the policies could not be read.
    """

    def pods(claim: Item, context: BackupContext) -> Sequence[Item]:
        is_rest_taken = snapshotter.takes_rest(context.backup.asked)
        return _all_pods(claim, context) if is_rest_taken else _pods(claim, context)

    return _fates(context, pods)


def is_left_to_velero(claim: Item, context: BackupContext) -> bool:
    """True if Velero's own action takes the snapshot of a claim.

    Where no policy decides, all pods of the namespace are listed.
    """
    return _fates(context, _all_pods).of(claim) is Fate.SNAPSHOT


def _fates(context: BackupContext, pods: Callable[[Item, BackupContext], Sequence[Item]]) -> Fates:
    return Fates(
        context.backup.asked,
        _policy(context),
        lambda name: context.cluster.get(persistent_volume.RESOURCE, "", name),
        lambda claim: pods(claim, context),
    )


def is_mounted(claim: Item, context: BackupContext) -> bool:
    """True if a running pod of a virtual machine mounts the claim."""
    return not all(map(pod.is_over, _pods(claim, context)))


def has_way_back(claim: Item, context: BackupContext) -> bool:
    """True if a pod in the backup brings the files of a copied claim back.

    Call this only for a copied claim: all pods of the namespace are listed.
    """
    pods = _all_pods(claim, context)
    own = filters(context)
    restored = (one for one in pods if not pod.is_of_machine(one) and own.admits(pod.RESOURCE, one))
    return fates(context).are_brought_back(claim, restored)


def _policy(context: BackupContext) -> Policy:
    """Read once for a backup, as Velero does: an edit in its course is for the next one."""
    backup, cluster = context.backup, context.cluster
    if cluster not in _read:
        policy = backup.policy(lambda name: cluster.get(kinds.CONFIG_MAP, backup.namespace, name))
        _read.setdefault(cluster, policy)
    return _read[cluster]


def _all_pods(claim: Item, context: BackupContext) -> Sequence[Item]:
    return tuple(surroundings.mounting(context.cluster, *it.identify(claim)))


def _pods(claim: Item, context: BackupContext) -> Sequence[Item]:
    namespace, name = it.identify(claim)
    pods = context.cluster.list_grouped(pod.RESOURCE, namespace, pod.claims, pod.OF_MACHINES)
    return pods.get(name, ())
