"""LimitRange (v1): how small and how large claims, pods and containers of a namespace may be.

Source: plugin/pkg/admission/limitranger/admission.go of Kubernetes v1.36. Ratios of limits to
requests are passed over.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.quota import amounts
from stillpoint.resources.quota.amounts import Amounts
from stillpoint.resources.quota.pod_resources import Container, PodResources

RESOURCE = Resource("", "v1", "limitranges", "LimitRange")


def breaches_of_claim(claim: Item, ranges: Iterable[Item]) -> Iterator[str]:
    """The limits that a claim does not keep: `storage: 10Gi, at most 1Gi by shop/limits`."""
    requests = amounts.read(claim, "spec", "resources", "requests")
    for one, limit in _limits(ranges, kinds.CLAIM.kind):
        yield from _breaches(requests, requests, limit, one)


def breaches_of_pod(pod: PodResources, ranges: Iterable[Item]) -> Iterator[str]:
    """The limits that a pod does not keep, once defaults are set.

    Example: `a container: memory: 4352Mi, at most 4Gi by shop/limits`.
    """
    ranges = tuple(ranges)
    every = (*pod.containers, *pod.starting)
    most: dict[str, Decimal] = {}
    for one, limit in _limits(ranges, "Container"):
        most |= amounts.read(limit, "max")
        for each in every:
            yield from _of_a("a container", _breaches(each.requests, each.limits, limit, one))
    for one, limit in _limits(ranges, "Pod"):
        yield from _of_a("the pod", _breaches(pod.requests, pod.limits, limit, one))
    for each in every:
        yield from _of_a("a container", _beyond_limits(each, most))


def _beyond_limits(container: Container, most: Amounts) -> Iterator[str]:
    """Requests beyond a limit that is a default: the API server refuses such a container.

    Args:
        most: of containers, of which a breach was said.
    """
    for name, limit in container.limits.items():
        asked = container.requests.get(name, limit)
        if asked > limit and limit != most.get(name):
            shown = amounts.shown(name, limit)
            yield f"{name}: {amounts.shown(name, asked)}, at most the default of {shown}"


def with_defaults(pod: PodResources, ranges: Iterable[Item]) -> PodResources:
    """The pod with the limits and requests that its containers do not set themselves.

    A manifest may leave the defaults themselves to the API server (SetDefaults_LimitRangeItem).
    """
    for _range, limit in _limits(ranges, "Container"):
        limits = {**amounts.read(limit, "max"), **amounts.read(limit, "default")}
        least = amounts.read(limit, "min")
        default = Container({**least, **limits, **amounts.read(limit, "defaultRequest")}, limits)
        pod = replace(
            pod,
            containers=[_with_defaults(one, default) for one in pod.containers],
            starting=[_with_defaults(one, default) for one in pod.starting],
        )
    return pod


def _with_defaults(container: Container, default: Container) -> Container:
    requests = {**default.requests, **container.requests}
    return Container(requests, {**default.limits, **container.limits})


def _limits(ranges: Iterable[Item], kind: str) -> Iterator[tuple[Item, Item]]:
    for one in ranges:
        for limit in it.sequence(one, "spec", "limits"):
            if it.text(limit, "type") == kind:
                yield one, limit


def _breaches(requests: Amounts, limits: Amounts, limit: Item, of: Item) -> Iterator[str]:
    """The breaches of one limit: it has to be kept by what is asked for, and by the most."""
    by = f"by {it.namespace(of)}/{it.name(of)}"
    for name, least in amounts.read(limit, "min").items():
        asked = requests.get(name, Decimal(0))
        smallest = min(asked, limits.get(name, asked))
        if smallest < least:
            shown = amounts.shown(name, smallest)
            yield f"{name}: {shown}, at least {amounts.shown(name, least)} {by}"
    for name, most in amounts.read(limit, "max").items():
        largest = max(requests.get(name, Decimal(0)), limits.get(name, Decimal(0)))
        if largest > most or name not in limits:
            shown = amounts.shown(name, largest) if name in limits else "no limit"
            yield f"{name}: {shown}, at most {amounts.shown(name, most)} {by}"


def _of_a(what: str, breaches: Iterable[str]) -> Iterator[str]:
    return (f"{what}: {breach}" for breach in breaches)
