"""The rights of the plugin: in every test it has those of docs/install/rbac.yaml, no others."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import yaml

from tests.cluster.audit import events, resource
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import is_allowed, wait_until, wait_until_allowed
from tests.cluster.velero import NAMESPACE, PLUGIN_ACCOUNT, RIGHTS

Role: TypeAlias = tuple[str, str, str | None, str]
CLUSTER_ROLE = ("rbac.authorization.k8s.io/v1", "ClusterRole", None)
ROLE = ("rbac.authorization.k8s.io/v1", "Role", NAMESPACE)
ACCOUNT = f"{NAMESPACE}/velero"
COUNTS_AGAIN = timedelta(seconds=10)
"""Until the API server counts a right that was given back, at the latest."""


def rights() -> set[tuple[str, str, str]]:
    """API group, resource and verb of each right."""
    return {
        (group, resource, verb)
        for manifest in yaml.safe_load_all(RIGHTS.read_text())
        for rule in manifest.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def assert_enough(cluster: Cluster) -> None:
    """That nothing that the plugin has asked was forbidden, but while it lacked a right."""
    refused, used = [], set()
    for event in events(cluster.control_plane.audit_log, PLUGIN_ACCOUNT):
        decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
        if decision == "forbid" and not _lacked_right(cluster, event):
            refused.append(event["requestURI"])
        if reference := event.get("objectRef"):
            used.add((reference.get("apiGroup", ""), resource(event), event["verb"]))
    assert refused == [], refused
    assert used <= rights(), used - rights()


def _lacked_right(cluster: Cluster, event: dict[str, Any]) -> bool:
    arrived = datetime.fromisoformat(event["requestReceivedTimestamp"])
    return any(begun <= arrived <= ended for begun, ended in cluster.without_rights)


@contextmanager
def without(cluster: Cluster, role: Role, resource: str) -> Iterator[tuple[Role, list[Any]]]:
    """A role without its rule of one resource: the role, and the rules that are left.

    The API server counts both changes some moments after it has answered them.
    """
    rules = cluster.api.get(*role)["rules"]
    left = [rule for rule in rules if rule["resources"] != [resource]]
    [lost] = [rule for rule in rules if rule not in left]
    others = [rule["verbs"] for rule in left if resource in rule["resources"]]
    verb = next(one for one in lost["verbs"] if not any(one in verbs for verbs in others))
    asked = (ACCOUNT, verb, f"{resource}.{lost['apiGroups'][0]}", role[2] or "")
    begun = datetime.now(UTC)
    cluster.api.patch(*role, {"rules": left})
    try:
        wait_until(lambda: not is_allowed(cluster.api, *asked), f"it may not {verb} {resource}")
        yield role, left
    finally:
        cluster.api.patch(*role, {"rules": rules})
        wait_until_allowed(cluster.api, *asked)
        cluster.without_rights.append((begun, datetime.now(UTC) + COUNTS_AGAIN))
