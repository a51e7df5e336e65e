"""Objects that Velero would collect for a backup, in its order.

Source: pkg/backup/item_collector.go of Velero v1.18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillpoint.model import kinds
from stillpoint.model.api_resources import Served
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.sources.known import Known
from stillpoint.velero.request import Backup
from stillpoint.velero.selection import collection
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes.policy import Policy


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a cluster, and the part that a backup collects.

    Attributes:
        cluster: every object, in the order of collection.
        served: the resource of each object.
        filters: of the running backup, and of its policies.
        unknown_policies: names of ConfigMaps that are not among the objects.
    """

    cluster: Mapping[Reference, Item]
    served: Mapping[Reference, Served]
    filters: Filters
    policy: Policy
    unknown_policies: tuple[str, ...]

    @classmethod
    def of(cls, known: Known, backup: Item) -> "Selection":
        """Puts the objects into Velero's order.

        Args:
            backup: as Velero has it when it has started (`backup_request.begin`).
        """
        placed = list(known.placed())
        order = {
            one.name: rank for rank, one in enumerate(collection.order(known.discovery.served))
        }
        placed.sort(key=lambda one: (order[one[1].name], one[0].namespace, one[0].name))
        cluster = {reference: item for reference, _, item in placed}
        request = Backup.parse(backup)
        config_maps = {
            name: cluster.get(kinds.CONFIG_MAP.named(request.namespace, name))
            for name in request.policies
        }
        policy = request.policy(config_maps.get)
        own = Filters.parse(backup, known.discovery)
        return cls(
            cluster,
            {reference: served for reference, served, _ in placed},
            own.under(policy) if own.has_policy else own,
            policy,
            tuple(name for name, found in config_maps.items() if found is None),
        )

    def collect(self) -> Sequence[Reference]:
        """Objects that the backup itself selects, with the Namespaces of these."""
        selected = {one for one in self.cluster if self._is_selected(one)}
        used = {one.namespace for one in selected if one.namespace}
        return [
            one
            for one in self.cluster
            if one in selected
            or (one.is_of(kinds.NAMESPACE) and one.name in used and self._holds(one))
        ]

    def admits(self, reference: Reference) -> bool:
        """True if Velero takes an object that an action names."""
        return self.filters.admits(self._resource(reference), self.cluster[reference])

    def _is_selected(self, reference: Reference) -> bool:
        return self.filters.selects(self._resource(reference), self.cluster[reference])

    def _holds(self, namespace: Reference) -> bool:
        is_wanted = self.filters.resources.collects(namespace.resource, is_namespaced=False)
        return is_wanted and self.admits(namespace)

    def _resource(self, reference: Reference) -> Resource:
        served = self.served[reference]
        return Resource(served.group, served.version, served.plural, served.kind)
