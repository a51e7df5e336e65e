"""The cluster into which a finished backup would be restored."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.api_resources import Served
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.plugin.outlook import Outlook
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps.restore import RestoredItem
from stillpoint.rehearsal.verdict import pods, quota
from stillpoint.rehearsal.verdict.pods import Place
from stillpoint.resources.quota import resource_quota
from stillpoint.resources.quota.pod_resources import PodResources


@dataclass(frozen=True, slots=True)
class Destination:
    """Facts about the target, common to all machines.

    Attributes:
        served: its resources; empty if it was not asked for them.
        is_origin: true if an object of the backup is there as it was: the backup is of this
            cluster.
        outlooks: the prospects of each stored machine there.
        pods: of restored objects that have some.
        shortfalls: by namespace, quotas that all restored objects together would exceed.
    """

    known: Known
    objects: Mapping[Reference, Item]
    by_resource: Mapping[str, Sequence[Item]]
    served: Mapping[str, Served]
    is_origin: bool
    outlooks: Mapping[Reference, Outlook]
    pods: Mapping[Reference, Sequence[PodResources]]
    shortfalls: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(
        cls,
        known: Known,
        stored: Mapping[Reference, Item],
        restored: Sequence[RestoredItem],
        outlooks: Mapping[Reference, Outlook],
    ) -> "Destination":
        """Indexes the target's objects, once for all machines."""
        objects = {reference: item for reference, _, item in known.placed()}
        by_resource: defaultdict[str, list[Item]] = defaultdict(list)
        for reference, item in objects.items():
            by_resource[reference.group_resource].append(item)
        served = {one.name: one for one in known.discovery.served} if known.is_discovered else {}
        place = Place(objects, by_resource, stored)
        of_pods = pods.by_item(restored, place)
        demands = quota.demands(restored, of_pods, place)
        shortfalls = quota.shortfalls(by_resource[str(resource_quota.RESOURCE)], demands)
        is_origin = any(_is_same(objects.get(one), item) for one, item in stored.items())
        return cls(known, objects, by_resource, served, is_origin, outlooks, of_pods, shortfalls)

    def all_of(self, resource: Resource) -> Sequence[Item]:
        """Every object of a resource."""
        return self.by_resource.get(str(resource), ())

    def covers(self, resource: str) -> bool:
        """True if an object of this resource that is not here does not exist."""
        return resource in self.known.complete


def _is_same(there: Item | None, stored: Item) -> bool:
    return there is not None and bool(it.uid(stored)) and it.uid(there) == it.uid(stored)
