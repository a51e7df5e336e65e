"""Quotas and limits of the target's namespaces (v1: ResourceQuota, LimitRange).

Sources: "Resource Quotas" and "Limit Ranges" in the documentation of Kubernetes. Of a guest that
starts, its memory is the least that its launcher pod asks for; what KubeVirt adds is not counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model import quantity
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import guest, pending_start, virtual_machine

RESOURCE = Resource("", "v1", "resourcequotas", "ResourceQuota")
LIMIT_RANGE = Resource("", "v1", "limitranges", "LimitRange")

_OF_CLASS = "{}.storageclass.storage.k8s.io/{}"
_MEMORY = ("memory", "requests.memory", "limits.memory")
_PODS = ("pods", "count/pods")
_STORAGE = "requests.storage"

Demand = Mapping[str, Decimal]


def shortfalls(
    quotas: Iterable[Item], restored: Iterable[RestoredItem]
) -> Mapping[str, tuple[str, ...]]:
    """By namespace, the quotas that the created objects would exceed.

    A quota with scopes counts pods of some kinds alone, and is passed over.
    """
    demands = _demands(restored)
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for one in quotas:
        namespace = it.namespace(one)
        is_of_some = it.sequence(one, "spec", "scopeSelector", "matchExpressions")
        if namespace in demands and not is_of_some and not it.texts(one, "spec", "scopes"):
            found[namespace] += tuple(_exceeded(one, demands[namespace]))
    return found


def _exceeded(one: Item, demand: Demand) -> Iterator[str]:
    hard = it.mapping(one, "status", "hard") or it.mapping(one, "spec", "hard")
    used = it.mapping(one, "status", "used")
    for key in hard:
        left = _number(hard[key]) - _number(used.get(key, "0"))
        if demand.get(key, Decimal(0)) > left:
            asked = f"{key}: {_shown(key, demand[key])} needed, {_shown(key, left)} left"
            yield f"{it.namespace(one)}/{it.name(one)} ({asked})"


def _demands(restored: Iterable[RestoredItem]) -> Mapping[str, Demand]:
    found: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in restored:
        if one.result is RestoreResult.CREATED and one.item is not None and one.reference.namespace:
            demand = found[one.target.namespace]
            for key, number in _demand(one.reference, one.item):
                demand[key] += number
    return found


def _demand(reference: Reference, item: Item) -> Iterator[tuple[str, Decimal]]:
    yield f"count/{reference.group_resource}", Decimal(1)
    if not reference.group:
        yield reference.resource, Decimal(1)
    if reference.is_of(persistent_volume_claim.RESOURCE):
        size, name = request(item), persistent_volume_claim.storage_class(item)
        yield _STORAGE, size
        yield _OF_CLASS.format(name, _STORAGE), size
        yield _OF_CLASS.format(name, reference.resource), Decimal(1)
    if reference.is_of(virtual_machine.RESOURCE) and _starts(item):
        memory = _number(guest.memory(virtual_machine.template(item)))
        yield from ((key, memory) for key in _MEMORY)
        yield from ((key, Decimal(1)) for key in _PODS)


def _starts(machine: Item) -> bool:
    return virtual_machine.starts_by_itself(machine) or bool(pending_start.start_as(machine))


def outside_limits(claim: Item, ranges: Iterable[Item]) -> Iterator[str]:
    """The limits on claims that a claim does not keep: `least 1Gi, by shop/limits`."""
    size = request(claim)
    for one in ranges:
        for limit in it.sequence(one, "spec", "limits"):
            if it.text(limit, "type") != persistent_volume_claim.RESOURCE.kind:
                continue
            least, most = it.text(limit, "min", "storage"), it.text(limit, "max", "storage")
            by = f"by {it.namespace(one)}/{it.name(one)}"
            if least and size < _number(least):
                yield f"at least {least} {by}"
            if most and size > _number(most):
                yield f"at most {most} {by}"


def request(claim: Item) -> Decimal:
    """The bytes that a claim asks for; 0 if it does not say."""
    return _number(it.text(claim, "spec", "resources", "requests", "storage"))


def _number(text: object) -> Decimal:
    """A quantity; 0 for none: the API takes no other text."""
    try:
        return quantity.parse(str(text))
    except ValueError:
        return Decimal(0)


def _shown(key: str, number: Decimal) -> str:
    is_of_bytes = key.endswith("storage") or key in _MEMORY
    return quantity.of_bytes(int(number)) if is_of_bytes and number > 0 else str(number)
