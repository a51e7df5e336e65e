"""ResourceQuota (v1): the most that a namespace may have of something.

Source: pkg/quota/v1/evaluator/core of Kubernetes v1.36.
"""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.quota import amounts
from stillpoint.resources.quota.amounts import Amounts
from stillpoint.resources.quota.pod_resources import PodResources

RESOURCE = Resource("", "v1", "resourcequotas", "ResourceQuota")


def left(quota: Item) -> Amounts:
    """The amounts that are left, by the names in the quota; less than nothing if it was lowered."""
    used = amounts.read(quota, "status", "used")
    return {name: most - used.get(name, 0) for name, most in _hard(quota).items()}


def limits(quota: Item, resource: str) -> bool:
    """True if the quota limits the limits of a resource: KubeVirt sets some by itself then."""
    return f"limits.{resource}" in it.mapping(quota, "spec", "hard")


def is_of_all(quota: Item) -> bool:
    """True if the quota is of all objects, not of pods of some kind."""
    return not any(_scopes(quota))


def is_of_pod(quota: Item, pod: PodResources) -> bool:
    """True if the pod counts against the quota."""
    return all(_is_in_scope(scope, pod) for scope in _scopes(quota))


def _hard(quota: Item) -> Amounts:
    return amounts.read(quota, "status", "hard") or amounts.read(quota, "spec", "hard")


def _scopes(quota: Item) -> Iterator[Item]:
    for name in it.texts(quota, "spec", "scopes"):
        yield {"scopeName": name, "operator": "Exists"}
    yield from it.sequence(quota, "spec", "scopeSelector", "matchExpressions")


def _is_in_scope(scope: Item, pod: PodResources) -> bool:
    match it.text(scope, "scopeName"):
        case "Terminating":
            return pod.is_ending
        case "NotTerminating":
            return not pod.is_ending
        case "BestEffort":
            return pod.is_best_effort
        case "NotBestEffort":
            return not pod.is_best_effort
        case "PriorityClass":
            return _is_of_class(scope, pod.priority_class)
    return False


def _is_of_class(scope: Item, name: str) -> bool:
    match it.text(scope, "operator"):
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in it.texts(scope, "values")
        case "NotIn":
            return name not in it.texts(scope, "values")
    return False
