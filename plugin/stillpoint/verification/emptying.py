"""Deletes what would keep a namespace that is being deleted, before its controller looks at it.

The namespace controller looks 5 s after the deletion was asked for. What has a finalizer then costs
5 to 8 s more, and again as long as it is there: a machine whose guest KubeVirt ends, a claim that a
pod uses, a VolumeSnapshot. Deleted at once, they are gone when the controller looks.

The namespace has to be in deletion already: whoever misses what is deleted here, as CDI the claim
of a DataVolume, could make it again elsewhere. Nothing depends on it: what it does not delete goes
with the namespace, later. Source: namespaceDeletionGracePeriod, finalizerEstimateSeconds and
deleteAllContent in pkg/controller/namespace of Kubernetes v1.36.
"""

from collections.abc import Iterable, Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.resources.disks import volume_snapshot_content
from stillpoint.resources.machines import virtual_machine
from stillpoint.verification.waiting import SHORTEST_OF_END_S, Waiting, delete


def empty(
    waiting: Waiting, machines: Sequence[Item], contents: Iterable[Item], claims: Iterable[Item]
) -> bool:
    """Deletes machines, snapshots and claims; true when none of the machines is there any more.

    Args:
        machines: all of the namespace.
        contents: VolumeSnapshotContents of the namespace, all of which leave their snapshots in the
            storage alone. Their VolumeSnapshots are deleted.
        claims: of the namespace, of whose volumes those that must not go with it are kept.

    Raises:
        ReadFailed: something cannot be deleted, or not be looked at.
    """
    cluster = waiting.cluster
    for content in contents:
        if uid := volume_snapshot_content.snapshot_uid(content):
            snapshot = volume_snapshot_content.snapshot(content)
            identity = snapshot.namespace, snapshot.name
            cluster.delete(kinds.VOLUME_SNAPSHOT, *identity, uid=uid)
    for claim in claims:
        cluster.delete(kinds.CLAIM, *it.identify(claim), uid=it.uid(claim))
    return not any(_end(waiting, machine) for machine in machines)


def _end(waiting: Waiting, machine: Item) -> Item | None:
    """Deletes a machine with its guest; as `delete`."""
    resource = virtual_machine.RESOURCE
    if virtual_machine.is_protected(machine):  # as its original, which it takes nothing from
        change = virtual_machine.without_protection(machine)
        waiting.cluster.patch(resource, *it.identify(machine), change)
    reference = resource.named(*it.identify(machine))
    return delete(waiting, reference, resource, it.uid(machine), SHORTEST_OF_END_S)
