"""In every test of this folder the plugin has the rights of docs/install/rbac.yaml, no others."""

from typing import Any

import pytest
import yaml

from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.model import kinds
from tests.cluster.audit import events
from tests.cluster.cluster import Cluster
from tests.cluster.evidence_guests import give_agent, shown
from tests.cluster.freezes import assert_cut_inside_one_freeze
from tests.cluster.manifests import Machine
from tests.cluster.namespaces import is_allowed
from tests.cluster.node_agent import SNAPSHOTS, NodeAgent
from tests.cluster.rights import CLUSTER_ROLE, ROLE, assert_enough, without
from tests.cluster.velero import NAMESPACE, PLUGIN_ACCOUNT, PLUGIN_USER


def test_nothing_that_the_plugin_asked_was_forbidden(cluster: Cluster, source: Machine) -> None:
    """So far, a backup of this file among it; the fixture `cluster` looks at all in the end."""
    assert list(events(cluster.control_plane.audit_log, PLUGIN_ACCOUNT)), source
    assert_enough(cluster)


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
    asked = f"{resource}.{group}"
    assert not is_allowed(cluster.api, f"{NAMESPACE}/velero", verb, asked, "default")


def test_of_a_secret_nothing_but_its_metadata_is_read(cluster: Cluster) -> None:
    cluster.create_namespace("rights-secret")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "rights-secret", "name": "key"},
        "stringData": {"password": "s3cret"},
    }
    cluster.api.create(secret)
    reader = KubernetesReader.connect(file=str(cluster.control_plane.kubeconfig(PLUGIN_USER)))
    found = reader.get(kinds.SECRET, "rights-secret", "key")
    assert found is not None
    assert (found["kind"], found["metadata"]["name"]) == ("PartialObjectMetadata", "key")
    assert found.keys() == {"apiVersion", "kind", "metadata"}


@pytest.fixture(scope="module")
def source(cluster: Cluster) -> Machine:
    """A machine whose backup lacks its Secret."""
    machine = Machine("rights", "db", is_running=False, has_instancetype=False)
    cluster.create_namespace(machine.namespace)
    cluster.create_vms([machine])
    spec = {
        "includedNamespaces": [machine.namespace],
        "excludedResources": ["secrets"],
        "snapshotVolumes": False,
    }
    cluster.backup(machine.namespace, spec)
    return machine


def test_the_right_to_get_secrets_is_optional(cluster: Cluster, source: Machine) -> None:
    with without(cluster, (*CLUSTER_ROLE, "stillpoint-secrets"), "secrets"):
        results = restored(cluster, source, "rights-optional")
    assert results["errors"] == {}
    told = str(results["warnings"])
    assert "db needs what could not be looked at here: Secret db-cloud-init" in told


def test_the_right_to_thaw_is_optional(cluster: Cluster) -> None:
    machines = [Machine("rights-thaw", name) for name in ("db", "web")]
    cluster.create_namespace("rights-thaw")
    cluster.create_vms(machines)
    spec = {"includedNamespaces": ["rights-thaw"], "snapshotVolumes": False}
    ours = {"stillpoint.dev/snapshotter": "all"}
    with without(cluster, (*CLUSTER_ROLE, "stillpoint-thaw"), "virtualmachineinstances/unfreeze"):
        backup = cluster.backup("rights-thaw", spec, annotations=ours)
    log = cluster.backup_log("rights-thaw")
    assert backup["status"]["phase"] == "Completed", log
    assert log.count("guests of rights-thaw are left to the post hook") == 1
    for machine in machines:
        assert_cut_inside_one_freeze(cluster, machine)
    assert all(call.pod for call in cluster.freezes() if call.namespace == "rights-thaw")


def test_without_the_right_to_logs_their_proof_is_missing_by_name(cluster: Cluster) -> None:
    machine = Machine("rights-evidence", "db")
    cluster.create_namespace(machine.namespace)
    cluster.create_vms([machine])
    give_agent(cluster, machine, cluster.folder / "guests" / machine.namespace)
    spec = {"includedNamespaces": [machine.namespace], "snapshotVolumes": False}
    ours = {"stillpoint.dev/snapshotter": "all"}
    with without(cluster, (*CLUSTER_ROLE, "stillpoint-evidence"), "pods/log"):
        backup = cluster.backup(machine.namespace, spec, annotations=ours)
    assert backup["status"]["phase"] == "Completed"
    [found] = shown(cluster.archive, backup).evidence.values()
    assert found.level == "filesystem"
    [lack] = [one.says for one in found.missing if one.code == "console-unread"]
    assert "the account has no right to get pods/log in namespace rights-evidence" in lack


def test_an_error_for_a_missing_right_tells_the_rule_that_is_enough(
    cluster: Cluster, source: Machine
) -> None:
    with without(cluster, (*CLUSTER_ROLE, "stillpoint"), "virtualmachines") as (role, left):
        [error] = restored(cluster, source, "rights-lacking")["errors"]["namespaces"].popitem()[1]
        assert "virtualmachines.kubevirt.io" in error
        assert "the account has no right to list" in error
        told = yaml.safe_load("{" + error.partition("with the rule ")[2] + "}")
        assert told["verbs"] == ["get", "list"]
        cluster.api.patch(*role, {"rules": [*left, told]})
        assert restored(cluster, source, "rights-enough")["errors"] == {}


def test_without_the_right_to_make_uploads_the_error_tells_the_rule_and_no_snapshot_stays(
    cluster: Cluster, source: Machine
) -> None:
    spec = {
        "includedNamespaces": [source.namespace],
        "snapshotVolumes": False,
        "snapshotMoveData": True,
    }
    own = {"stillpoint.dev/snapshotter": "all"}
    agent = NodeAgent(cluster.api, cluster.storage, cluster.folder / "moved")
    try:
        agent.start()
        with without(cluster, (*ROLE, "stillpoint"), "datauploads"):
            backup = cluster.backup("rights-uploads", spec, annotations=own)
    finally:
        agent.close()
    assert backup["status"]["phase"] == "PartiallyFailed"
    [error] = cluster.backup_results("rights-uploads")["errors"]["velero"]
    assert "the account has no right to list datauploads.velero.io in namespace velero" in error
    told = yaml.safe_load("{" + error.partition("with the rule ")[2].partition("}")[0] + "}")
    assert told["verbs"] == ["get", "list"]
    assert cluster.api.list(SNAPSHOTS, "VolumeSnapshot", source.namespace) == []


def restored(cluster: Cluster, machine: Machine, name: str) -> dict[str, Any]:
    """Errors and warnings of a restore into a namespace of its name."""
    cluster.restore(
        name, {"backupName": machine.namespace, "namespaceMapping": {machine.namespace: name}}
    )
    return cluster.restore_results(name)


def test_without_the_right_to_take_snapshots_each_claim_tells_the_rule(
    cluster: Cluster, source: Machine
) -> None:
    spec = {"includedNamespaces": [source.namespace], "snapshotVolumes": False}
    with without(cluster, (*CLUSTER_ROLE, "stillpoint"), "volumesnapshots"):
        own = {"stillpoint.dev/snapshotter": "all"}
        backup = cluster.backup("rights-snapshots", spec, annotations=own)
    assert backup["status"]["phase"] == "PartiallyFailed"
    [error] = cluster.backup_results("rights-snapshots")["errors"]["velero"]
    assert f"PersistentVolumeClaim {source.namespace}/db-root" in error
    told = "no right to create volumesnapshots.snapshot.storage.k8s.io in namespace rights"
    assert told in error
    assert 'resources: ["volumesnapshots"], verbs: ["create"]' in error
    folder = f"resources/persistentvolumeclaims/namespaces/{source.namespace}"
    assert f"{folder}/db-root.json" not in cluster.backup_items("rights-snapshots")
