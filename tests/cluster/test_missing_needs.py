"""What a machine needs and the target lacks: one warning per machine in the results."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster import definitions, storage
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine, cloud_init_secret
from tests.cluster.namespaces import wait_until

SOURCE = "needs"
LACKING, WHOLE = "needs-lacking", "needs-whole"
KUBEVIRT = "kubevirt.io/v1"
NETWORKS = ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition")
DEFINITION = "network-attachment-definitions.k8s.cni.cncf.io"
NEEDY = Machine(SOURCE, "needy", is_running=False, is_instancetype_cluster_wide=True)
PLAIN = Machine(SOURCE, "plain", is_running=False, has_instancetype=False, has_cloud_init=False)


@dataclass
class Needs:
    """The same backup restored where all is missing, and where all is there."""

    cluster: Cluster

    def warnings(self, name: str) -> list[str]:
        """As `velero restore describe` shows them under the namespace of the backup.

        Those of what is missing: nothing is cut, so that the data of disks is told as well.
        """
        found = self.cluster.restore_results(name)["warnings"]
        told = found.get("namespaces", {}).get(SOURCE, [])
        return [each for each in told if "comes back without data" not in each]


@pytest.fixture(scope="module")
def needs(cluster: Cluster) -> Iterator[Needs]:
    api = cluster.api
    cluster.create_namespace(SOURCE)
    api.create(rare_class())
    needy, _plain = cluster.create_vms([NEEDY, PLAIN])
    use_a_network_and_a_rare_class(cluster)
    spec = {
        "includedNamespaces": [SOURCE],
        "excludedResources": ["secrets"],
        "snapshotVolumes": False,
    }
    backup = cluster.backup(SOURCE, spec)
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(SOURCE)

    kept = [revision["data"] for revision in needy.revisions]
    for each in kept:
        api.delete(each["apiVersion"], each["kind"], None, each["metadata"]["name"])
    api.delete("storage.k8s.io/v1", "StorageClass", None, "rare")
    restore(cluster, LACKING)

    api.create(rare_class())
    for each in kept:
        api.create(each | {"metadata": {"name": each["metadata"]["name"]}})
    definitions.install(api, [network_definition()])
    cluster.create_namespace(WHOLE)
    api.create(cloud_init_secret(Machine(WHOLE, "needy")))
    for namespace, name in ((WHOLE, "front"), ("lan", "blue")):
        if namespace != WHOLE:
            cluster.create_namespace(namespace)
        metadata = {"namespace": namespace, "name": name}
        api.create({"apiVersion": NETWORKS[0], "kind": NETWORKS[1], "metadata": metadata})
    restore(cluster, WHOLE)
    yield Needs(cluster)
    forget_networks(cluster)


def forget_networks(cluster: Cluster) -> None:
    """A Velero that has learned of them, as it does every five minutes, would fail backups."""
    definition = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, DEFINITION)
    cluster.api.delete(*definition)
    wait_until(lambda: cluster.api.find(*definition) is None, "nobody knows of networks")
    cluster.velero.restart(cluster.api)


def use_a_network_and_a_rare_class(cluster: Cluster) -> None:
    """The machine's claim is recreated with the class that the target will lack."""
    api = cluster.api
    networks = [
        {"name": "default", "pod": {}},
        {"name": "front", "multus": {"networkName": "front"}},
        {"name": "lan", "multus": {"networkName": "lan/blue"}},
    ]
    where = (KUBEVIRT, "VirtualMachine", SOURCE, NEEDY.name)
    api.patch(*where, {"spec": {"template": {"spec": {"networks": networks}}}})
    [disk] = NEEDY.disks
    claim = ("v1", "PersistentVolumeClaim", SOURCE, NEEDY.claim(disk))
    before = api.get(*claim)
    api.delete(*claim)
    wait_until(lambda: api.find(*claim) is None, "the claim is gone")
    kept = {key: before["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    kept["annotations"] = {
        key: value
        for key, value in kept["annotations"].items()
        if key.startswith("cdi.kubevirt.io/")
    }
    spec = {key: before["spec"][key] for key in ("accessModes", "resources", "volumeMode")}
    manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": kept}
    api.create(manifest | {"spec": spec | {"storageClassName": "rare"}})
    storage.wait_until_bound(api, SOURCE)


def restore(cluster: Cluster, name: str) -> None:
    spec = {"backupName": SOURCE, "namespaceMapping": {SOURCE: name}}
    found = cluster.restore(name, spec)
    assert found["status"]["phase"] == "Completed", cluster.restore_log(name)


def rare_class() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "rare"},
        "provisioner": storage.DRIVER,
        "volumeBindingMode": "Immediate",
        "reclaimPolicy": "Delete",
    }


def network_definition() -> Object:
    group, _slash, version = NETWORKS[0].partition("/")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    versions = [
        {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    ]
    plural = DEFINITION.partition(".")[0]
    names = {"kind": NETWORKS[1], "plural": plural, "singular": plural.removesuffix("s")}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": DEFINITION},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
    }


def test_all_that_a_machine_lacks_is_one_warning_with_the_machine_s_name(needs: Needs) -> None:
    [warning] = needs.warnings(LACKING)
    _path, _text, told = warning.partition("needy needs what is missing here: ")
    missing = told.partition(".json")[0].split(", ")
    assert sorted(missing) == [
        "NetworkAttachmentDefinition blue in lan",
        "NetworkAttachmentDefinition front",
        "Secret needy-cloud-init",
        "StorageClass rare",
        "VirtualMachineClusterInstancetype u1.small",
        "VirtualMachineClusterPreference fedora",
    ]


def test_nothing_is_warned_of_where_the_target_has_it_all(needs: Needs) -> None:
    assert needs.warnings(WHOLE) == []


def test_machines_come_back_all_the_same(needs: Needs) -> None:
    for namespace in (LACKING, WHOLE):
        found = needs.cluster.api.list(KUBEVIRT, "VirtualMachine", namespace)
        assert [each["metadata"]["name"] for each in found] == ["needy", "plain"]
