"""In every test of this folder the plugin has the rights of docs/install/rbac.yaml, no others."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.audit import events
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine
from tests.cluster.velero import PLUGIN_ACCOUNT, PLUGIN_USER, RIGHTS


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


def asked(cluster: Cluster) -> Iterator[dict[str, Any]]:
    yield from events(cluster.control_plane.audit_log, PLUGIN_ACCOUNT)


def test_nothing_that_the_plugin_asked_was_forbidden(cluster: Cluster) -> None:
    found = list(asked(cluster))
    if not found:
        pytest.skip("no test of the cluster has run before this one")
    refused = [event["requestURI"] for event in found if event["responseStatus"]["code"] == 403]
    assert refused == []
    used = {
        (reference.get("apiGroup", ""), reference["resource"], event["verb"])
        for event in found
        if (reference := event.get("objectRef"))
    }
    assert used <= rights()


@pytest.mark.parametrize(
    ("verb", "group", "resource"),
    [
        ("create", "", "secrets"),
        ("create", "", "pods"),
        ("delete", "kubevirt.io", "virtualmachines"),
        ("create", "kubevirt.io", "virtualmachines"),
        ("update", "", "persistentvolumeclaims"),
        ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ],
)
def test_what_the_manifest_does_not_give_is_forbidden(
    cluster: Cluster, verb: str, group: str, resource: str
) -> None:
    api = cluster.control_plane.api(PLUGIN_USER)
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": "default"}
    review = api.create(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": attributes},
        }
    )
    api.close()
    assert review["status"]["allowed"] is False


def test_an_error_for_a_missing_right_tells_the_rule_that_is_enough(cluster: Cluster) -> None:
    """Last in this file: what was forbidden here must not count above."""
    source = Machine("rights", "db", is_running=False, has_instancetype=False)
    cluster.create_namespace(source.namespace)
    cluster.create_vms([source])
    spec = {
        "includedNamespaces": [source.namespace],
        "excludedResources": ["secrets"],
        "snapshotVolumes": False,
    }
    cluster.backup(source.namespace, spec)
    role = ("rbac.authorization.k8s.io/v1", "ClusterRole", None, "stillpoint")
    rules = cluster.api.get(*role)["rules"]
    without = [rule for rule in rules if rule["resources"] != ["secrets"]]
    assert len(without) == len(rules) - 1
    cluster.api.patch(*role, {"rules": without})
    try:
        [error] = restored(cluster, source, "rights-lacking")
        assert "secrets rights-lacking/db-cloud-init: cannot get: the account has no right" in error
        told = yaml.safe_load("{" + error.partition("with the rule ")[2] + "}")
        assert told["verbs"] == ["get"]
        cluster.api.patch(*role, {"rules": [*without, told]})
        assert restored(cluster, source, "rights-enough") == []
    finally:
        cluster.api.patch(*role, {"rules": rules})


def restored(cluster: Cluster, machine: Machine, name: str) -> list[str]:
    """Errors of a restore into a namespace of its name."""
    cluster.restore(
        name, {"backupName": machine.namespace, "namespaceMapping": {machine.namespace: name}}
    )
    found = cluster.restore_results(name)["errors"]
    return list(found.get("namespaces", {}).get(name, []))
