"""Quotas and LimitRanges as a rehearsal counts them, beside the API server's own admission."""

import re
from collections.abc import Callable, Iterator

import pytest

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.machines import launcher_pod
from stillpoint.resources.machines.launcher_pod import Ground
from stillpoint.resources.quota import amounts, limit_range, pod_resources, resource_quota
from stillpoint.resources.quota.amounts import Amounts
from stillpoint.resources.quota.pod_resources import Container, PodResources
from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import wait_until

GUEST: Item = {
    "domain": {"cpu": {"cores": 2}, "memory": {"guest": "1Gi"}, "devices": {}},
    "volumes": [{"name": "later", "dataVolume": {"name": "d", "hotpluggable": True}}],
}
[LAUNCHER, ATTACHMENT] = launcher_pod.of(GUEST, {}, Ground(limits_cpu=True, limits_memory=True))


def written(listed: Amounts) -> Object:
    return {name: str(amount) for name, amount in listed.items()}


def container(name: str, one: Container, **more: object) -> Object:
    resources = {"requests": written(one.requests), "limits": written(one.limits)}
    return {"name": name, "image": "i", "resources": resources, **more}


def pod(name: str, resources: PodResources) -> Object:
    containers = [container(f"c{number}", one) for number, one in enumerate(resources.containers)]
    return of_pod(name, {"containers": containers})


def of_pod(name: str, spec: Object) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def of_containers(name: str, *containers: Object, init: tuple[Object, ...] = ()) -> Object:
    listed = [{"name": f"c{place}", "image": "i", **one} for place, one in enumerate(containers)]
    before = [{"name": f"i{place}", "image": "i", **one} for place, one in enumerate(init)]
    return of_pod(name, {"containers": listed, "initContainers": before})


def asks(requests: Object | None = None, limits: Object | None = None, **more: object) -> Object:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}, **more}


BOTH = {"cpu": "1", "memory": "1Gi"}
MORE = {**BOTH, "cpu": "3"}
EXTENDED, PAGES = {**BOTH, "a.test/b": "2"}, {**BOTH, "hugepages-2Mi": "4Mi"}
STAYS = asks(BOTH, BOTH, restartPolicy="Always")
PODS = [
    pod("launcher", LAUNCHER),
    pod("attachment", ATTACHMENT),
    of_containers("limits-alone", asks(limits=BOTH)),
    of_containers("two", asks(BOTH, BOTH), asks({"cpu": "300m", "memory": "10M"}, BOTH)),
    of_containers("beside", asks(BOTH, BOTH), init=(STAYS, asks(BOTH, BOTH))),
    of_containers("before", asks(BOTH, BOTH), init=(asks(MORE, MORE),)),
    of_containers("extended", asks(EXTENDED, EXTENDED)),
    of_containers("pages", asks(PAGES, PAGES)),
]
KEYS = (
    "pods", "count/pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu",
    "limits.memory", "requests.ephemeral-storage", "requests.devices.kubevirt.io/kvm",
    "requests.a.test/b", "hugepages-2Mi", "requests.hugepages-2Mi",
)  # fmt: skip


@pytest.fixture
def space(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of its own; nobody waits until it is gone."""
    name = re.sub("[^a-z]+", "-", request.node.name)[-40:].strip("-")
    cluster.create_namespace(name)
    yield name
    cluster.api.delete("v1", "Namespace", None, name)


def put(cluster: Cluster, space: str, kind: str, spec: Object) -> Object:
    metadata = {"name": "counted", "namespace": space}
    return cluster.api.create(
        {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    )


def put_quota(cluster: Cluster, space: str, hard: Object) -> Callable[[], Object]:
    """A quota that counts already; gives it as it is."""
    put(cluster, space, "ResourceQuota", {"hard": hard})

    def quota() -> Object:
        return cluster.api.get("v1", "ResourceQuota", space, "counted")

    wait_until(lambda: bool(it.mapping(quota(), "status", "hard")), "the quota counts")
    return quota


def created(cluster: Cluster, made: Object) -> Object:
    """An object that a quota counts: admission sees a moment later that the quota does."""
    found: list[Object] = []

    def is_there() -> bool:
        try:
            found.append(cluster.api.create(made))
        except ApiError as error:
            if "status unknown for quota" not in str(error):
                raise
        return bool(found)

    wait_until(is_there, f"{made['kind']} {it.name(made)} is counted")
    return found[0]


def test_pods_count_as_they_do_for_the_api_server(cluster: Cluster, space: str) -> None:
    quota = put_quota(cluster, space, dict.fromkeys(KEYS, "1E"))
    for one in PODS:
        before = resource_quota.left(quota())
        made = created(cluster, it.with_value(one, space, "metadata", "namespace"))
        after = resource_quota.left(quota())
        counted = pod_resources.usage(PodResources.of(made))
        taken = {key: before[key] - after[key] for key in KEYS if before[key] != after[key]}
        name = it.name(one)
        assert taken == {key: counted[key] for key in KEYS if counted.get(key)}, name
        assert pod_resources.usage(PodResources.of(one)) == counted, name


LIMITS: dict[str, Object] = {
    "most": {"type": "Container", "max": {"memory": "512Mi"}},
    "enough": {"type": "Container", "max": {"memory": "8Gi", "cpu": "8"}},
    "least": {"type": "Container", "min": {"memory": "64Mi"}},
    "default": {"type": "Container", "default": {"memory": "512Mi"}},
    "default-request": {"type": "Container", "defaultRequest": {"cpu": "50m"}},
    "pod-most": {"type": "Pod", "max": {"memory": "1Gi"}},
    "pod-least": {"type": "Pod", "min": {"memory": "64Mi"}},
    "pod-enough": {"type": "Pod", "max": {"memory": "8Gi"}},
}
[UNLIMITED, _] = launcher_pod.of(GUEST, {}, Ground())


@pytest.mark.parametrize("name", LIMITS)
def test_limits_refuse_what_they_do_at_the_api_server(
    cluster: Cluster, space: str, name: str
) -> None:
    wanted = [
        pod("launcher", UNLIMITED),
        pod("limited", LAUNCHER),
        pod("attachment", ATTACHMENT),
        of_containers("nothing", {}),
    ]
    ranges = [put(cluster, space, "LimitRange", {"limits": [LIMITS[name]]})]
    unset = [{**ranges[0], "spec": {"limits": [LIMITS[name]]}}]  # as a manifest has it
    for one in wanted:
        expected = limit_range.with_defaults(PodResources.of(one), unset)
        breaches = [*limit_range.breaches_of_pod(expected, unset)]
        try:
            made = cluster.api.create(it.with_value(one, space, "metadata", "namespace"))
        except ApiError:
            assert breaches, (name, it.name(one))
        else:
            assert breaches == [], (name, it.name(one))
            assert amounts_of(PodResources.of(made)) == amounts_of(expected)


def amounts_of(pod_of: PodResources) -> list[tuple[Amounts, Amounts]]:
    return [(one.requests, one.limits) for one in pod_of.containers]


def test_amounts_are_those_of_the_api(cluster: Cluster, space: str) -> None:
    """A size that the API server rounds or writes in another way is the same amount."""
    resources = {"requests": {"storage": "1500000000001m"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": "none"}
    metadata = {"name": "c", "namespace": space}
    quota = put_quota(cluster, space, {"requests.storage": "10G"})
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
    made = created(cluster, {**claim, "spec": spec})
    used = amounts.read(quota(), "status", "used")["requests.storage"]
    asked = amounts.read(made, "spec", "resources", "requests")["storage"]
    assert used - 1 < asked <= used
