"""The pods of restored objects: those of machines that start, and those that are restored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from stillpoint.resources.machines import (
    kubevirt,
    launcher_pod,
    pending_start,
    persistent_state,
    pod,
    sizing,
    virtual_machine,
    virtual_machine_instance,
)
from stillpoint.resources.machines.launcher_pod import Ground
from stillpoint.resources.quota import limit_range, resource_quota
from stillpoint.resources.quota.pod_resources import PodResources


@dataclass(frozen=True, slots=True)
class Place:
    """Objects that decide about pods at the target.

    Attributes:
        objects: of the target.
        stored: of the backup.
    """

    objects: Mapping[Reference, Item]
    by_resource: Mapping[str, Sequence[Item]]
    stored: Mapping[Reference, Item]

    def get(self, reference: Reference) -> Item | None:
        """The object as it would be after the restore."""
        return self.stored.get(reference) or self.objects.get(reference)

    def all_of(self, resource: object, namespace: str) -> Sequence[Item]:
        """The target's objects of a resource in a namespace."""
        listed = self.by_resource.get(str(resource), ())
        return [one for one in listed if it.namespace(one) == namespace]

    def ground(self, namespace: str) -> Ground:
        """Settings for the pods of machines in a namespace of the target."""
        installation = next(iter(self.by_resource.get(str(kubevirt.RESOURCE), ())), {})
        quotas = self.all_of(resource_quota.RESOURCE, namespace)
        space = self.get(kinds.NAMESPACE.named("", namespace)) or {}
        return Ground(
            installation,
            limits_cpu=any(resource_quota.limits(one, "cpu") for one in quotas),
            limits_memory=any(resource_quota.limits(one, "memory") for one in quotas),
            labels=it.labels(space),
        )


def by_item(
    restored: Sequence[RestoredItem], place: Place
) -> Mapping[Reference, Sequence[PodResources]]:
    """The pods of each restored object that has some, as the target's defaults leave them."""
    found = {}
    ground = lru_cache(maxsize=None)(place.ground)
    for one in restored:
        if one.result is not RestoreResult.CREATED or one.item is None:
            continue
        namespace = one.target.namespace
        with suppress(MalformedItem):  # of a machine, its verdict says so
            if pods := [*_of(one, place, ground)]:
                ranges = place.all_of(limit_range.RESOURCE, namespace)
                found[one.reference] = [limit_range.with_defaults(each, ranges) for each in pods]
    return found


def _of(one: RestoredItem, place: Place, ground: Callable[[str], Ground]) -> Iterator[PodResources]:
    stored = place.stored[one.reference]
    if one.reference.is_of(pod.RESOURCE):
        yield PodResources.of(one.item or {})
    if starts(one):
        is_machine = one.reference.is_of(virtual_machine.RESOURCE)
        annotations = virtual_machine.template_annotations(stored) if is_machine else {}
        size = sizing.specification(stored, place.get)
        yield from launcher_pod.of(
            size, annotations or it.annotations(stored), ground(one.target.namespace)
        )


def starts(one: RestoredItem) -> bool:
    """True if KubeVirt would start a guest for the restored object."""
    if one.result is not RestoreResult.CREATED or one.item is None:
        return False
    if one.reference.is_of(virtual_machine_instance.RESOURCE):
        return bool(persistent_state.template(one.item))
    if not one.reference.is_of(virtual_machine.RESOURCE):
        return False
    is_pending = bool(pending_start.start_as(one.item))
    return virtual_machine.starts_by_itself(one.item) or is_pending
