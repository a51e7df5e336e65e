"""Namespaces for tests, made ready for pods and removed without the usual waits."""

import time
from collections.abc import Callable, Mapping

from tests.cluster.api import Api
from tests.cluster.watcher import lost_race

VIRTUAL_MACHINES = (
    ("kubevirt.io/v1", "VirtualMachine"),
    ("kubevirt.io/v1", "VirtualMachineInstance"),
)
# The namespace controller looks again after 8 s when it met a finalizer, and after half their grace
# period when it met pods; what has either is therefore removed before the namespace.
SLOW_TO_GO = (
    ("v1", "Pod"),
    ("snapshot.storage.k8s.io/v1", "VolumeSnapshot"),
    ("v1", "PersistentVolumeClaim"),
)


def create_namespace(api: Api, name: str, labels: Mapping[str, str] | None = None) -> None:
    """Returns when pods can be created in it, which needs its service account.

    Args:
        labels: from its beginning on: admission sees some moments later what is added.
    """
    metadata = {"name": name, "labels": dict(labels or {})}
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    wait_until(
        lambda: api.find("v1", "ServiceAccount", name, "default") is not None,
        f"namespace {name} has a service account",
    )


def delete_namespace(api: Api, name: str, timeout_s: float = 120) -> None:
    """Returns when it is gone, whoever deletes it.

    Finalizers that are KubeVirt's to drop are dropped here.
    """
    for kind in VIRTUAL_MACHINES:
        drop_finalizers(api, kind, name)
    for kind in (*VIRTUAL_MACHINES, *SLOW_TO_GO):
        api.request("DELETE", api.path(*kind, name), {"gracePeriodSeconds": 0})
    wait_until(
        lambda: not any(api.list(*kind, name) for kind in SLOW_TO_GO),
        f"namespace {name} is free of pods, snapshots and claims",
        timeout_s,
    )
    with lost_race():
        api.delete("v1", "Namespace", None, name)
    wait_until(
        lambda: api.find("v1", "Namespace", None, name) is None,
        f"namespace {name} is gone",
        timeout_s,
    )


def machines_and_claims(api: Api, namespace: str) -> dict[str, list[str]]:
    """Their names."""
    kinds = {"machines": VIRTUAL_MACHINES[0], "claims": ("v1", "PersistentVolumeClaim")}
    return {
        what: sorted(each["metadata"]["name"] for each in api.list(*kind, namespace))
        for what, kind in kinds.items()
    }


def drop_finalizers(api: Api, kind: tuple[str, str], namespace: str) -> None:
    for each in api.list(*kind, namespace):
        with lost_race():
            where = (*kind, namespace, each["metadata"]["name"])
            api.patch(*where, {"metadata": {"finalizers": None}})


def wait_until_allowed(
    api: Api, account: str, verb: str, resource: str, namespace: str = ""
) -> None:
    """Returns when the API server counts a right that was just given: see `is_allowed`."""
    wait_until(
        lambda: is_allowed(api, account, verb, resource, namespace),
        f"{account} may {verb} {resource}",
    )


def is_allowed(api: Api, account: str, verb: str, resource: str, namespace: str = "") -> bool:
    """True if the API server says that an account may do this.

    Args:
        account: of a service account, `velero/velero`.
        resource: `plural.group`, or `plural/subresource.group`.
    """
    words, _, group = resource.partition(".")
    plural, _, subresource = words.partition("/")
    asked = {"verb": verb, "group": group, "resource": plural, "namespace": namespace}
    asked |= {"subresource": subresource} if subresource else {}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": f"system:serviceaccount:{account.replace('/', ':')}",
            "resourceAttributes": asked,
        },
    }
    return bool(api.create(review)["status"]["allowed"])


def wait_until(is_so: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    """The limit is for what never comes: no test waits for so long, also on a busy machine."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        time.sleep(0.1)
