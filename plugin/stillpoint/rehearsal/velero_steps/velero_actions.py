"""Outcomes of Velero's own actions, as far as a block depends on them.

Source: pkg/itemblock/actions and pkg/util/actionhelpers of Velero v1.18. These actions are part of
the Velero server, not of this plugin; the real ones run in a real backup.
"""

from collections.abc import Iterator, Mapping, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps.selection import Selection
from stillpoint.resources.disks import persistent_volume, persistent_volume_claim
from stillpoint.resources.machines import pod


def pods_by_claim(selection: Selection) -> Mapping[Reference, Sequence[Reference]]:
    """The running pods that mount each claim."""
    pods: dict[Reference, list[Reference]] = {}
    for reference, item in selection.cluster.items():
        if reference.is_of(pod.RESOURCE) and it.text(item, "status", "phase") == "Running":
            for claim in _claims(reference, item):
                pods.setdefault(claim, []).append(reference)
    return pods


def related_items(
    reference: Reference, item: Item, pods: Mapping[Reference, Sequence[Reference]]
) -> Iterator[Reference]:
    """Items of the same block: claims of a pod; volume and pods of a claim.

    Args:
        pods: from `pods_by_claim`.
    """
    yield from additional_items(reference, item)
    if reference.is_of(persistent_volume_claim.RESOURCE) and persistent_volume_claim.is_bound(item):
        yield from pods.get(reference, ())


def additional_items(reference: Reference, item: Item) -> Iterator[Reference]:
    """Items that come with an item: claims of a pod, the volume of a claim."""
    if reference.is_of(pod.RESOURCE):
        if priority := it.text(item, "spec", "priorityClassName"):
            yield Reference("scheduling.k8s.io", "priorityclasses", "", priority)
        yield from _claims(reference, item)
    if reference.is_of(persistent_volume_claim.RESOURCE) and persistent_volume_claim.is_bound(item):
        yield persistent_volume.RESOURCE.named("", persistent_volume_claim.volume(item))


def _claims(reference: Reference, item: Item) -> Iterator[Reference]:
    for name in pod.claims(item):
        yield persistent_volume_claim.RESOURCE.named(reference.namespace, name)
