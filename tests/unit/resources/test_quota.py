"""The resources of pods, and the limits of a namespace, as Kubernetes counts them."""

from decimal import Decimal

import pytest

from stillpoint.model.item import Item
from stillpoint.resources.quota import limit_range, pod_resources
from stillpoint.resources.quota.pod_resources import Container, PodResources

TWO, THREE = Decimal(2), Decimal(3)


def container(requests: Item | None = None, limits: Item | None = None, **more: object) -> Item:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def pod(*containers: Item, init: tuple[Item, ...] = ()) -> PodResources:
    return PodResources.of({"spec": {"containers": [*containers], "initContainers": [*init]}})


def ranges(**limit: object) -> list[Item]:
    metadata = {"name": "limits", "namespace": "shop"}
    return [{"metadata": metadata, "spec": {"limits": [{"type": "Container"} | limit]}}]


def test_a_limit_alone_is_a_request_too() -> None:
    found = pod_resources.usage(pod(container(limits={"memory": "3"})))
    assert found["memory"] == found["requests.memory"] == found["limits.memory"] == THREE


def test_containers_add_up_and_those_that_come_before_count_if_they_are_larger() -> None:
    beside = container({"cpu": "1"}, restartPolicy="Always")
    small, large = container({"cpu": "1"}), container({"cpu": "3"})
    assert pod(container({"cpu": "1"}), init=(beside, small)).requests == {"cpu": TWO}
    assert pod(container({"cpu": "1"}), init=(beside, large)).requests == {"cpu": THREE}


def test_names_of_quotas_are_those_of_kubernetes() -> None:
    asked = {
        "cpu": "2", "hugepages-2Mi": "2", "nvidia.com/A10": "2", "storage": "2",
        "kubernetes.io/native": "2",
    }  # fmt: skip
    assert pod_resources.usage(pod(container(asked))) == {
        "pods": 1, "count/pods": 1, "cpu": 2, "requests.cpu": 2, "hugepages-2Mi": 2,
        "requests.hugepages-2Mi": 2, "requests.nvidia.com/A10": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "requests", "limits"),
    [
        ({"max": {"cpu": "3"}}, THREE, THREE),
        ({"max": {"cpu": "3"}, "default": {"cpu": "2"}}, TWO, TWO),
        ({"min": {"cpu": "2"}}, TWO, None),
        ({"default": {"cpu": "3"}, "defaultRequest": {"cpu": "2"}}, TWO, THREE),
    ],
)
def test_defaults_are_those_of_the_api_server(
    limit: dict[str, Item], requests: Decimal, limits: Decimal | None
) -> None:
    [found] = limit_range.with_defaults(pod(container()), ranges(**limit)).containers
    assert (found.requests.get("cpu"), found.limits.get("cpu")) == (requests, limits)
    own = Container({"cpu": Decimal(1)}, {"cpu": Decimal(1)})
    assert [*limit_range.with_defaults(PodResources([own]), ranges(**limit)).containers] == [own]


def test_a_breach_is_said_once() -> None:
    most = ranges(max={"memory": "1Gi"})
    large = limit_range.with_defaults(pod(container({"memory": "2Gi"})), most)
    assert [*limit_range.breaches_of_pod(large, most)] == [
        "a container: memory: 2Gi, at most 1Gi by shop/limits"
    ]


def test_a_pod_without_a_limit_does_not_keep_the_most_of_pods() -> None:
    most = ranges(type="Pod", max={"memory": "1Gi"})
    assert [*limit_range.breaches_of_pod(pod(container({"memory": "1Mi"})), most)] == [
        "the pod: memory: no limit, at most 1Gi by shop/limits"
    ]
