"""Group snapshots: what the real snapshot controller makes of one, and the plugin of a guest's.

With both versions of their API: clusters whose snapshot controller is older have no v1. What goes
wrong there takes a minute, and is for `make exhaustive`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.cluster import rights
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.storage import CLASS, Cut, wait_until_bound
from tests.cluster.test_own_snapshots import begin, is_over, kill_plugin
from tests.cluster.velero import API_VERSION, NAMESPACE

SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
CONTENT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent")
CLAIM = ("v1", "PersistentVolumeClaim")

POLICY = """
version: v1
volumePolicies:
- conditions: {csi: {}}
  action: {type: custom, parameters: {snapshotter: stillpoint, group: true}}
"""
BY_POLICY: Object = {"resourcePolicy": {"kind": "configmap", "name": "group-snapshots"}}
SHOP = "group"
DB = Machine(SHOP, "db", disks=(Disk("root"), Disk("data", "Block")), hotplugged=(Disk("extra"),))


@pytest.fixture(scope="module", params=["v1", "v1beta2"])
def serving(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster by the newest version of the API of groups that it serves."""
    if request.param == "v1":
        yield request.getfixturevalue("cluster")
        return
    older = Cluster(groups=request.param)
    try:
        older.start()
        older.start_velero()
        yield older
        rights.assert_enough(older)
    finally:
        older.close()


@pytest.fixture(scope="module")
def policed(serving: Cluster) -> Cluster:
    """The cluster, with a policy that asks for groups."""
    cluster = serving
    metadata = {"name": "group-snapshots", "namespace": NAMESPACE}
    cluster.api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"p": POLICY}}
    )
    return cluster


@dataclass
class Shop:
    """A backed-up machine of three disks.

    Attributes:
        cuts: of the backup, by claim.
    """

    cluster: Cluster
    claims: Mapping[str, Object]
    backup: Object
    cuts: Mapping[str, list[Cut]]

    def content(self, claim: str) -> bytes:
        return f"disk of {claim} ".encode() * 1000


@pytest.fixture(scope="module")
def shop(policed: Cluster) -> Shop:
    cluster = policed
    cluster.create_namespace(SHOP)
    cluster.create_vms([DB])
    wait_until_bound(cluster.api, SHOP)
    claims = {each["metadata"]["name"]: each for each in cluster.api.list(*CLAIM, SHOP)}
    shop = Shop(cluster, claims, {}, {})
    for name in claims:
        cluster.disk_image(SHOP, name).write_bytes(shop.content(name))
    began = datetime.now(UTC)
    shop.backup = cluster.backup("group", {"includedNamespaces": [SHOP], **BY_POLICY})
    shop.cuts = {
        name: [cut for cut in cluster.snapshots_cut()[f"{SHOP}/{name}"] if cut.started > began]
        for name in claims
    }
    for name in claims:
        cluster.disk_image(SHOP, name).write_bytes(b"later than the backup")
    return shop


def group_kind(cluster: Cluster) -> tuple[str, str]:
    return f"groupsnapshot.storage.k8s.io/{cluster.storage.groups}", "VolumeGroupSnapshot"


def groups(cluster: Cluster, namespace: str) -> list[Object]:
    return cluster.api.list(*group_kind(cluster), namespace)


def contents_of_groups(cluster: Cluster) -> list[Object]:
    version, kind = group_kind(cluster)
    return cluster.api.list(version, f"{kind}Content")


def group(cluster: Cluster, namespace: str, label: str) -> Object:
    version, kind = group_kind(cluster)
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "all", "namespace": namespace},
        "spec": {
            "volumeGroupSnapshotClassName": CLASS,
            "source": {"selector": {"matchLabels": {label: ""}}},
        },
    }


def test_the_tests_storage_takes_and_deletes_a_group(serving: Cluster) -> None:
    cluster, namespace = serving, "group-of-two"
    api, kind = cluster.api, group_kind(cluster)
    cluster.create_namespace(namespace)
    cluster.create_vms([Machine(namespace, "db", disks=(Disk("root"), Disk("data", "Block")))])
    for name in ("db-root", "db-data"):
        api.patch(*CLAIM, namespace, name, {"metadata": {"labels": {"one.test/moment": ""}}})
    api.create(group(cluster, namespace, "one.test/moment"))

    def is_ready() -> bool:
        return bool(api.get(*kind, namespace, "all").get("status", {}).get("readyToUse"))

    wait_until(is_ready, "the storage has the group")
    cuts = [cluster.snapshots_cut()[f"{namespace}/{name}"] for name in ("db-root", "db-data")]
    [[root], [data]] = cuts
    assert root.group == data.group != ""
    assert root.started == data.started, "one moment"
    wait_until(lambda: len(api.list(*SNAPSHOT, namespace)) == 2, "both have an object")
    api.delete(*kind, namespace, "all")
    taken = {root.snapshot, data.snapshot}
    wait_until(lambda: not taken & cluster.storage.snapshots(), "both are deleted")


def test_the_version_is_the_newest_that_the_cluster_serves(serving: Cluster) -> None:
    """Else the other tests say nothing of an older cluster."""
    served = serving.api.request("GET", "/apis/groupsnapshot.storage.k8s.io")
    assert served["preferredVersion"]["version"] == serving.storage.groups


def test_all_disks_of_a_guest_are_one_group_of_one_moment(shop: Shop) -> None:
    status = shop.backup["status"]
    assert status["phase"] == "Completed", shop.cluster.backup_log("group")
    assert (status.get("errors", 0), status.get("warnings", 0)) == (0, 0)
    assert status["csiVolumeSnapshotsCompleted"] == len(shop.claims) == 3
    cuts = [cut for cuts in shop.cuts.values() for cut in cuts]
    assert len(cuts) == 3, "each disk once"
    assert len({cut.group for cut in cuts}) == 1
    assert cuts[0].group
    assert len({cut.started for cut in cuts}) == 1


def test_nothing_of_the_group_is_left_in_the_cluster(shop: Shop) -> None:
    api = shop.cluster.api
    wait_until(lambda: groups(shop.cluster, SHOP) == [], "no group is left")
    wait_until(lambda: contents_of_groups(shop.cluster) == [], "no content of a group is left")
    wait_until(lambda: api.list(*SNAPSHOT, SHOP) == [], "Velero has deleted the members")
    for one in api.list(*CLAIM, SHOP):
        assert one["metadata"].get("labels") == shop.claims[one["metadata"]["name"]][
            "metadata"
        ].get("labels")


def test_velero_restores_each_member_as_any_snapshot(shop: Shop) -> None:
    cluster, namespace = shop.cluster, "group-restored"
    spec = {"backupName": "group", "namespaceMapping": {SHOP: namespace}}
    restore = cluster.restore(namespace, spec)
    assert restore["status"]["phase"] == "Completed", cluster.restore_log(namespace)
    wait_until_bound(cluster.api, namespace)
    found = cluster.api.list(*CLAIM, namespace)
    assert {each["metadata"]["name"] for each in found} == shop.claims.keys()
    for name in shop.claims:
        assert cluster.disk_image(namespace, name).read_bytes().startswith(shop.content(name))


def test_deleting_the_backup_deletes_the_members_in_the_storage(shop: Shop) -> None:
    cluster = shop.cluster
    taken = {cut.snapshot for cuts in shop.cuts.values() for cut in cuts}
    assert taken <= cluster.storage.snapshots()
    cluster.api.create(velero_object("DeleteBackupRequest", "group", {"backupName": "group"}))
    where = (API_VERSION, "Backup", NAMESPACE, "group")
    wait_until(lambda: cluster.api.find(*where) is None, "the backup is gone")
    wait_until(lambda: not taken & cluster.storage.snapshots(), "so are its snapshots")


# what goes wrong

in_each_version = pytest.mark.parametrize(
    "serving",
    ["v1", pytest.param("v1beta2", marks=pytest.mark.exhaustive)],
    indirect=True,
    scope="module",
)


def machine_of_two_disks(cluster: Cluster, namespace: str) -> None:
    cluster.create_namespace(namespace)
    cluster.create_vms([Machine(namespace, "db", disks=(Disk("root"), Disk("data", "Block")))])
    wait_until_bound(cluster.api, namespace)


def assert_nothing_is_left(cluster: Cluster, namespace: str) -> None:
    api = cluster.api
    wait_until(lambda: groups(cluster, namespace) == [], "no group is left")
    wait_until(lambda: api.list(*SNAPSHOT, namespace) == [], "no snapshot is left")
    wait_until(lambda: contents_of_groups(cluster) == [], "no content of a group is left")
    for claim in api.list(*CLAIM, namespace):
        assert not [one for one in claim["metadata"].get("labels", {}) if "group." in one]


def kept(cluster: Cluster, namespace: str) -> set[str]:
    """Snapshots of a namespace that the storage has."""
    cuts = [cut for each in cluster.snapshots_cut().values() for cut in each]
    taken = {cut.snapshot for cut in cuts if cut.claim.startswith(f"{namespace}/")}
    return taken & cluster.storage.snapshots()


@in_each_version
def test_a_disk_that_fails_fails_its_group_and_leaves_nothing(policed: Cluster) -> None:
    cluster, namespace = policed, "group-failing"
    machine_of_two_disks(cluster, namespace)
    spec = {"includedNamespaces": [namespace], "csiSnapshotTimeout": "10s", **BY_POLICY}
    with cluster.storage.orders(namespace, **{"db-data": "fail"}):
        backup = cluster.backup(namespace, spec)
    assert backup["status"]["phase"] == "PartiallyFailed"
    errors = str(cluster.backup_results(namespace)["errors"])
    for name in ("db-root", "db-data"):
        assert f"PersistentVolumeClaim {namespace}/{name}: cannot take a snapshot: none" in errors
    assert "pool of group-failing/db-data is full" in errors
    assert_nothing_is_left(cluster, namespace)
    assert not kept(cluster, namespace)
    *_, last = [call for call in cluster.freezes() if call.namespace == namespace]
    assert (last.verb, last.exit_code) == ("unfreeze", 0)


@in_each_version
def test_the_next_backup_deletes_what_a_killed_plugin_has_left(policed: Cluster) -> None:
    cluster, namespace = policed, "group-killed"
    machine_of_two_disks(cluster, namespace)
    with cluster.storage.orders(namespace, **{"db-root": "hold"}):
        begin(cluster, namespace, BY_POLICY)
        wait_until(lambda: len(groups(cluster, namespace)) == 1, "the group is begun")
        kill_plugin(cluster, namespace)
    wait_until(lambda: is_over(cluster, namespace), "the backup is over")
    wait_until(lambda: len(kept(cluster, namespace)) >= 2, "the storage has the group")
    [left] = groups(cluster, namespace)
    again = cluster.backup(f"{namespace}-again", {"includedNamespaces": [namespace], **BY_POLICY})
    assert again["status"]["phase"] == "Completed", cluster.backup_log(f"{namespace}-again")
    assert_nothing_is_left(cluster, namespace)
    of_group = {one for one in kept(cluster, namespace) if left["metadata"]["uid"] in one}
    assert not of_group
