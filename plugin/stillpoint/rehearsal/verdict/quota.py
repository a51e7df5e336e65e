"""Quotas of the target's namespaces, and how much restored objects would take of them together.

Objects that others make of restored ones, such as the pods of a Deployment, are not counted, so
that each amount is the least. Sources: pkg/quota/v1/evaluator/core of Kubernetes v1.36.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from stillpoint.rehearsal.verdict import pods
from stillpoint.rehearsal.verdict.pods import Place
from stillpoint.resources.disks import (
    persistent_volume_claim,
    storage_class,
    storage_class_mapping,
)
from stillpoint.resources.machines import pod, virtual_machine, virtual_machine_instance
from stillpoint.resources.quota import amounts, pod_resources, resource_quota
from stillpoint.resources.quota.amounts import Amounts
from stillpoint.resources.quota.pod_resources import PodResources

_OF_CLASS = "{}.storageclass.storage.k8s.io/{}"
_STORAGE = "requests.storage"
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Demand:
    """Everything that is restored into a namespace.

    Attributes:
        objects: the amounts of each object, pods left out.
    """

    objects: list[Amounts] = field(default_factory=list)
    pods: list[PodResources] = field(default_factory=list)


def demands(
    restored: Iterable[RestoredItem],
    of_pods: Mapping[Reference, Sequence[PodResources]],
    place: Place,
) -> Mapping[str, Demand]:
    """By namespace of the target, all that would be created there.

    Args:
        of_pods: the pods of restored objects.
    """
    found: defaultdict[str, Demand] = defaultdict(Demand)
    classes = _Classes.of(place)
    for one in restored:
        if one.result is RestoreResult.CREATED and one.item is not None and one.target.namespace:
            demand = found[one.target.namespace]
            demand.pods.extend(of_pods.get(one.reference, ()))
            demand.objects.append(amounts.total(_objects(one, one.item, classes)))
    return found


def shortfalls(
    quotas: Iterable[Item], demanded: Mapping[str, Demand]
) -> Mapping[str, tuple[str, ...]]:
    """By namespace, the quotas that the created objects would exceed."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for one in quotas:
        namespace = it.namespace(one)
        if namespace in demanded:
            found[namespace] += tuple(_exceeded(one, demanded[namespace]))
    return found


def _exceeded(quota: Item, demand: Demand) -> Iterator[str]:
    counted = [one for one in demand.pods if resource_quota.is_of_pod(quota, one)]
    needed = amounts.total(map(pod_resources.usage, counted))
    if resource_quota.is_of_all(quota):
        needed = amounts.total([needed, *demand.objects])
    for name, left in resource_quota.left(quota).items():
        if (least := needed.get(name, Decimal(0))) > left:
            asked = f"at least {amounts.shown(name, least)} needed"
            there = f"{amounts.shown(name, max(left, Decimal(0)))} left"
            yield f"{it.namespace(quota)}/{it.name(quota)} ({name}: {asked}, {there})"


@dataclass(frozen=True, slots=True)
class _Classes:
    """The classes that claims have at the target.

    Attributes:
        default: of claims that name none; may be empty.
        mapped: new classes by old ones.
    """

    default: str
    mapped: Mapping[str, str]

    @classmethod
    def of(cls, place: Place) -> "_Classes":
        mapped: dict[str, str] = {}
        for one in place.by_resource.get("configmaps", ()):
            if storage_class_mapping.is_mapping(one):
                mapped |= storage_class_mapping.read(one)
        default = storage_class.default(place.by_resource.get(str(storage_class.RESOURCE), ()))
        return cls(default, mapped)

    def of_claim(self, claim: Item) -> str:
        if persistent_volume_claim.names_no_class(claim):
            return self.default
        name = persistent_volume_claim.storage_class(claim)
        return self.mapped.get(name, name)


def _objects(one: RestoredItem, item: Item, classes: _Classes) -> Iterator[Amounts]:
    """The amounts of an object, its pods left out."""
    reference = one.reference
    if reference.is_of(pod.RESOURCE):
        return
    yield {f"count/{reference.group_resource}": _ONE}
    if not reference.group:
        yield {reference.resource: _ONE}
    if reference.is_of(persistent_volume_claim.RESOURCE):
        yield from _of_claim(item, classes.of_claim(item), reference.resource)
    if reference.resource == "services" and not reference.group:
        yield _of_service(item)
    if reference.is_of(virtual_machine.RESOURCE) and pods.starts(one):
        yield {f"count/{virtual_machine_instance.RESOURCE}": _ONE}


def _of_claim(claim: Item, name_of_class: str, resource: str) -> Iterator[Amounts]:
    size = amounts.read(claim, "spec", "resources", "requests").get("storage", Decimal(0))
    yield {_STORAGE: size}
    if name_of_class:
        yield {
            _OF_CLASS.format(name_of_class, _STORAGE): size,
            _OF_CLASS.format(name_of_class, resource): _ONE,
        }


def _of_service(service: Item) -> Amounts:
    """Ports of nodes and balancers (pkg/quota/v1/evaluator/core/services.go)."""
    kind, ports = it.text(service, "spec", "type"), it.sequence(service, "spec", "ports")
    if kind not in ("NodePort", "LoadBalancer"):
        return {}
    is_balanced = kind == "LoadBalancer"
    has_no_ports = it.mapping(service, "spec").get("allocateLoadBalancerNodePorts") is False
    if is_balanced and has_no_ports:
        ports = [one for one in ports if one.get("nodePort")]
    balancers = {"services.loadbalancers": _ONE} if is_balanced else {}
    return {"services.nodeports": Decimal(len(ports)), **balancers}
