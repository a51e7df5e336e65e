"""Group snapshots: what the real snapshot controller makes of one, and the plugin of a guest's."""

from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.storage import CLASS

SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
GROUP = ("groupsnapshot.storage.k8s.io/v1", "VolumeGroupSnapshot")
CLAIM = ("v1", "PersistentVolumeClaim")


def group(namespace: str, label: str) -> Object:
    return {
        "apiVersion": GROUP[0],
        "kind": GROUP[1],
        "metadata": {"name": "all", "namespace": namespace},
        "spec": {
            "volumeGroupSnapshotClassName": CLASS,
            "source": {"selector": {"matchLabels": {label: ""}}},
        },
    }


def test_the_tests_storage_takes_and_deletes_a_group(cluster_without_velero: Cluster) -> None:
    cluster, namespace = cluster_without_velero, "group-of-two"
    api = cluster.api
    cluster.create_namespace(namespace)
    cluster.create_vms([Machine(namespace, "db", disks=(Disk("root"), Disk("data", "Block")))])
    for name in ("db-root", "db-data"):
        api.patch(*CLAIM, namespace, name, {"metadata": {"labels": {"one.test/moment": ""}}})
    api.create(group(namespace, "one.test/moment"))

    def is_ready() -> bool:
        return bool(api.get(*GROUP, namespace, "all").get("status", {}).get("readyToUse"))

    wait_until(is_ready, "the storage has the group", 60)
    cuts = [cluster.snapshots_cut()[f"{namespace}/{name}"] for name in ("db-root", "db-data")]
    [[root], [data]] = cuts
    assert root.group == data.group != ""
    assert root.started == data.started, "one moment"
    wait_until(lambda: len(api.list(*SNAPSHOT, namespace)) == 2, "both have an object")
    api.delete(*GROUP, namespace, "all")
    taken = {root.snapshot, data.snapshot}
    wait_until(lambda: not taken & cluster.storage.snapshots(), "both are deleted", 60)
