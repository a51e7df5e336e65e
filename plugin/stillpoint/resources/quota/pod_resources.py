"""The resources of a pod, and what of them counts against quotas.

Sources: pkg/quota/v1/evaluator/core/pods.go and component-helpers/resource of Kubernetes v1.36.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.quota import amounts
from stillpoint.resources.quota.amounts import Amounts

_COUNTED = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"
_NATIVE = "kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Container:
    """The resources of a container."""

    requests: Amounts
    limits: Amounts

    @classmethod
    def of(cls, item: Item) -> "Container":
        """The resources of a container of a pod; a limit alone is a request as well."""
        limits = amounts.read(item, "resources", "limits")
        return cls({**limits, **amounts.read(item, "resources", "requests")}, limits)


@dataclass(frozen=True, slots=True)
class PodResources:
    """The resources of a pod.

    Attributes:
        containers: those that run side by side.
        starting: those that run before, one after the other.
        priority_class: its name; may be empty.
        is_ending: true if the pod has a deadline.
    """

    containers: Sequence[Container]
    starting: Sequence[Container] = ()
    priority_class: str = ""
    is_ending: bool = False

    @classmethod
    def of(cls, pod: Item) -> "PodResources":
        """The resources of a Pod."""
        before = it.sequence(pod, "spec", "initContainers")
        stays = [one for one in before if it.text(one, "restartPolicy") == "Always"]
        goes = [one for one in before if it.text(one, "restartPolicy") != "Always"]
        return cls(
            containers=[*map(Container.of, (*it.sequence(pod, "spec", "containers"), *stays))],
            starting=[*map(Container.of, goes)],
            priority_class=it.text(pod, "spec", "priorityClassName"),
            is_ending="activeDeadlineSeconds" in it.mapping(pod, "spec"),
        )

    @property
    def requests(self) -> Amounts:
        """The requests of the pod as a whole."""
        found = amounts.total(one.requests for one in self.containers)
        for one in self.starting:
            found = amounts.larger(found, one.requests)
        return found

    @property
    def limits(self) -> Amounts:
        """The limits of the pod as a whole."""
        found = amounts.total(one.limits for one in self.containers)
        for one in self.starting:
            found = amounts.larger(found, one.limits)
        return found

    @property
    def is_best_effort(self) -> bool:
        """True if no container asks for anything."""
        every = (*self.containers, *self.starting)
        asked = {name for one in every for name in (*one.requests, *one.limits)}
        return not asked & {"cpu", "memory"}


def usage(pod: PodResources) -> Amounts:
    """The amounts that count against quotas, by the names that these have."""
    return {"pods": Decimal(1), "count/pods": Decimal(1), **dict(_usage(pod))}


def _usage(pod: PodResources) -> Iterator[tuple[str, Decimal]]:
    for name, amount in pod.requests.items():
        if name in _COUNTED or name.startswith(_HUGE_PAGES):
            yield name, amount
            yield f"requests.{name}", amount
        elif "/" in name and _NATIVE not in name:
            yield f"requests.{name}", amount
    for name, amount in pod.limits.items():
        if name in _COUNTED:
            yield f"limits.{name}", amount
