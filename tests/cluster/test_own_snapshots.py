"""Snapshots that the plugin takes itself, where a Backup leaves volumes to it."""

import contextlib
import os
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from tests.cluster import audit, running_manifests
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.storage import CLASS, DRIVER, Cut, wait_until_bound
from tests.cluster.velero import API_VERSION, NAMESPACE, PLUGIN_ACCOUNT, Settings
from tests.cluster.virtual_machines import wait_until_running

POLICY = """
version: v1
volumePolicies:
- conditions: {csi: {driver: DRIVER}}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
"""
BY_POLICY: Object = {"resourcePolicy": {"kind": "configmap", "name": "own-snapshots"}}
ALL = {"stillpoint.dev/snapshotter": "all"}
SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
CONTENT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent")
INSTANCE = ("kubevirt.io/v1", "VirtualMachineInstance")

SHOP = "own"
DB = Machine(SHOP, "db", disks=(Disk("root"), Disk("data", "Block")), hotplugged=(Disk("extra"),))
WEB = Machine(SHOP, "web")
ARCHIVE = Machine(SHOP, "archive", disks=(Disk("root", "Block"),), is_running=False)
STATE = "persistent-state-for-db-x7k2p"
NOTES = "notes"
OF_BACKUP = 10
"""Requests for a backup however many disks it has: its policy, to thaw guests, what was left."""


@pytest.fixture(scope="module")
def policed(cluster: Cluster) -> Cluster:
    """The cluster, with a policy that leaves all of its volumes to the plugin."""
    metadata = {"name": "own-snapshots", "namespace": NAMESPACE}
    data = {"policy": POLICY.replace("DRIVER", DRIVER)}
    cluster.api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    )
    return cluster


@dataclass
class Shop:
    """A namespace of machines, backed up by Velero alone, by a policy, and by the other switch.

    Attributes:
        cuts: of each backup by its name, by claim.
        requests: of Velero and the plugin during each backup, as far as they differ.
    """

    cluster: Cluster
    claims: dict[str, Object]
    backups: dict[str, Object]
    cuts: dict[str, dict[str, list[Cut]]]
    requests: dict[str, int]

    def content(self, claim: str) -> bytes:
        return f"disk of {claim} ".encode() * 1000

    def assert_bytes(self, namespace: str, names: Mapping[str, str]) -> None:
        """That claims, new name to old, hold what the old ones held at the backup."""
        wait_until_bound(self.cluster.api, namespace)
        found = self.cluster.api.list("v1", "PersistentVolumeClaim", namespace)
        assert {each["metadata"]["name"] for each in found} == set(names)
        for new, old in names.items():
            image = self.cluster.disk_image(namespace, new).read_bytes()
            assert image.startswith(self.content(old)), f"{namespace}/{new}"


@pytest.fixture(scope="module")
def shop(policed: Cluster) -> Shop:
    cluster = policed
    cluster.create_namespace(SHOP)
    cluster.create_vms([DB, WEB, ARCHIVE])
    for name, labels in ((STATE, {"persistent-state-for": DB.name}), (NOTES, {})):
        cluster.api.create(claim(name, labels))
    share(cluster, DB.claim(DB.disks[1]))
    wait_until_bound(cluster.api, SHOP)
    found = cluster.api.list("v1", "PersistentVolumeClaim", SHOP)
    shop = Shop(cluster, {each["metadata"]["name"]: each for each in found}, {}, {}, {})
    for name in shop.claims:
        cluster.disk_image(SHOP, name).write_bytes(shop.content(name))
    back_up(shop, "own-velero", {})
    back_up(shop, "own-policy", BY_POLICY)
    back_up(shop, "own-all", {"snapshotVolumes": False}, ALL)
    for name in shop.claims:
        cluster.disk_image(SHOP, name).write_bytes(b"later than the backups")
    return shop


def claim(name: str, labels: Mapping[str, str]) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "16Mi"}},
        "storageClassName": CLASS,
        "volumeMode": "Block",
    }
    metadata = {"name": name, "namespace": SHOP, "labels": dict(labels)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }


def share(cluster: Cluster, disk: str) -> None:
    """A disk of one guest is plugged into the other one too."""
    api, plugged = cluster.api, replace(WEB, hotplugged=(Disk("shared", "Block"),))
    instance = api.get(*INSTANCE, SHOP, WEB.name)
    launcher = api.get("v1", "Pod", SHOP, WEB.launcher_pod)
    attachment = running_manifests.attachment_pod(plugged, launcher, instance)
    claims = [each for each in attachment["spec"]["volumes"] if "persistentVolumeClaim" in each]
    [shared] = claims
    shared["persistentVolumeClaim"] = {"claimName": disk}
    api.create(attachment)
    volumes = [*instance["spec"]["volumes"], {**shared, "name": "shared"}]
    api.patch(*INSTANCE, SHOP, WEB.name, {"spec": {"volumes": volumes}})
    wait_until_running(api, SHOP)


def back_up(
    shop: Shop, name: str, spec: Object, annotations: Mapping[str, str] | None = None
) -> None:
    cluster = shop.cluster
    before, began = cluster.storage.snapshots(), datetime.now(UTC)
    spec = {"includedNamespaces": [SHOP], **spec}
    shop.backups[name] = cluster.backup(name, spec, annotations=annotations)
    log = cluster.control_plane.audit_log
    asked = (audit.different(log, user, began) for user in ("velero", PLUGIN_ACCOUNT))
    shop.requests[name] = sum(map(len, asked))
    shop.cuts[name] = {
        each: [cut for cut in cuts if cut.started > began and cut.snapshot not in before]
        for each, cuts in cluster.snapshots_cut().items()
        if each.startswith(f"{SHOP}/")
    }


by_both_switches = pytest.mark.parametrize("name", ["own-policy", "own-all"])


@by_both_switches
def test_every_claim_is_taken_once_and_the_backup_completes(shop: Shop, name: str) -> None:
    status = shop.backups[name]["status"]
    assert status["phase"] == "Completed", shop.cluster.backup_log(name)
    assert (status.get("errors", 0), status.get("warnings", 0)) == (0, 0)
    assert status["csiVolumeSnapshotsCompleted"] == len(shop.claims) == 7
    assert {each: len(cuts) for each, cuts in shop.cuts[name].items()} == {
        f"{SHOP}/{each}": 1 for each in shop.claims
    }


@by_both_switches
def test_all_disks_of_guests_that_share_one_are_taken_in_one_freeze(shop: Shop, name: str) -> None:
    """Hot-plugged ones and the state too; the guests are frozen for less than Velero's one look."""
    of_guests = [WEB.claim(WEB.disks[0]), STATE, *map(DB.claim, (*DB.disks, *DB.hotplugged))]
    taken = [shop.cuts[name][f"{SHOP}/{each}"][0] for each in of_guests]
    first, last = min(cut.started for cut in taken), max(cut.finished for cut in taken)
    for guest in (DB.name, WEB.name):
        calls = [
            call
            for call in shop.cluster.freezes()
            if (call.namespace, call.name) == (SHOP, guest) and call.has_changed
        ]
        before = max(call.time for call in calls if call.time < first)
        after = min(call.time for call in calls if call.time > last)
        verbs = {call.time: (call.verb, call.exit_code) for call in calls}
        assert (verbs[before], verbs[after]) == (("freeze", 0), ("unfreeze", 0))
        assert not [call for call in calls if before < call.time < after]


@by_both_switches
def test_velero_knows_each_volume_as_a_csi_snapshot(shop: Shop, name: str) -> None:
    last = {
        each["pvcName"]: each for each in shop.cluster.archive.volume_information(name)
    }  # a restore takes the last entry of a volume
    assert last.keys() == shop.claims.keys()
    for entry in last.values():
        assert entry["backupMethod"] == "CSISnapshot"
        assert entry.get("skipped", False) is False
        assert entry["csiSnapshotInfo"]["driver"] == DRIVER
        assert entry["csiSnapshotInfo"]["snapshotHandle"]
        assert entry["csiSnapshotInfo"]["operationID"]


def test_claims_are_stored_as_velero_stores_them(shop: Shop) -> None:
    """But for names of snapshots, and what is of one backup."""
    folder = f"resources/persistentvolumeclaims/namespaces/{SHOP}"
    velero, own = (shop.cluster.backup_items(name) for name in ("own-velero", "own-policy"))
    for name in shop.claims:
        theirs, ours = velero[f"{folder}/{name}.json"], own[f"{folder}/{name}.json"]
        for item in (theirs, ours):
            metadata = item["metadata"]
            snapshot = metadata["labels"].pop("velero.io/volume-snapshot-name")
            assert metadata["annotations"].pop("velero.io/volume-snapshot-name") == snapshot
            assert metadata["labels"].pop("velero.io/backup-name").startswith("own-")
            assert snapshot.startswith(f"velero-{name}-")
        for field in ("labels", "annotations"):  # the snapshot controller sets a finalizer
            assert ours["metadata"][field] == theirs["metadata"][field]
        assert ours["spec"] == theirs["spec"]


@by_both_switches
def test_nothing_is_left_in_the_cluster(shop: Shop, name: str) -> None:
    labels = f"velero.io/backup-name={name}"
    api = shop.cluster.api
    wait_until(lambda: api.list(*SNAPSHOT, SHOP, labels) == [], "no VolumeSnapshot is left")
    wait_until(lambda: api.list(*CONTENT, None, labels) == [], "no content is left")


@by_both_switches
def test_a_disk_costs_two_requests_more_than_veleros_own_at_most(shop: Shop, name: str) -> None:
    most = shop.requests["own-velero"] + 2 * len(shop.claims) + OF_BACKUP
    assert shop.requests[name] <= most, shop.requests


RENAMED = {
    "stillpoint.dev/only": ARCHIVE.name,
    "stillpoint.dev/rename": f"{ARCHIVE.name}=copy",
}


def test_disks_come_back_in_every_way(shop: Shop) -> None:
    """Into another namespace, under another name, and one of them by its uid."""
    cluster = shop.cluster
    uid = shop.claims[NOTES]["metadata"]["uid"]
    one = {"labelSelector": {"matchLabels": {"velero.kubevirt.io/pvc-uid": uid}}}
    ways: dict[str, tuple[Object, Mapping[str, str]]] = {
        "own-other": ({}, {}),
        "own-renamed": ({}, RENAMED),
        "own-one": (one, {}),
    }

    def restored(name: str) -> Object:
        spec, annotations = ways[name]
        where = {"backupName": "own-policy", "namespaceMapping": {SHOP: name}}
        return cluster.restore(name, {**where, **spec}, annotations=annotations)

    with ThreadPoolExecutor(len(ways)) as workers:
        for name, restore in zip(ways, workers.map(restored, ways), strict=True):
            assert restore["status"]["phase"] == "Completed", cluster.restore_log(name)
    root = ARCHIVE.claim(ARCHIVE.disks[0])
    shop.assert_bytes("own-other", {each: each for each in shop.claims})
    shop.assert_bytes("own-renamed", {root.replace(ARCHIVE.name, "copy"): root})
    shop.assert_bytes("own-one", {NOTES: NOTES})


def test_velero_restores_without_the_plugin(shop: Shop) -> None:
    cluster = shop.cluster
    with cluster.velero_with(Settings()):
        left_out = ["pods", "virtualmachineinstances.kubevirt.io"]
        restore = cluster.restore(
            "own-plain",
            {
                "backupName": "own-policy",
                "namespaceMapping": {SHOP: "own-plain"},
                "excludedResources": left_out,
            },
        )
        assert restore["status"]["phase"] == "Completed", cluster.restore_log("own-plain")
        shop.assert_bytes("own-plain", {each: each for each in shop.claims})


def test_deleting_the_backup_deletes_the_snapshots_in_the_storage(shop: Shop) -> None:
    """Expiry is the same: Velero makes this request itself then."""
    cluster = shop.cluster
    taken = {cut.snapshot for cuts in shop.cuts["own-all"].values() for cut in cuts}
    assert taken <= cluster.storage.snapshots()
    request = velero_object("DeleteBackupRequest", "own-all", {"backupName": "own-all"})
    cluster.api.create(request)
    where = (API_VERSION, "Backup", NAMESPACE, "own-all")
    wait_until(lambda: cluster.api.find(*where) is None, "the backup is gone")
    wait_until(lambda: not taken & cluster.storage.snapshots(), "so are its snapshots")


# what goes wrong


def machine_in(cluster: Cluster, namespace: str, *disks: str) -> Machine:
    machine = Machine(namespace, "db", disks=tuple(map(Disk, disks)))
    cluster.create_namespace(namespace)
    cluster.create_vms([machine])
    return machine


def snapshots_of(cluster: Cluster, namespace: str) -> dict[str, list[str]]:
    """Names of those that the storage has, by claim."""
    kept = cluster.storage.snapshots()
    return {
        each.partition("/")[2]: [cut.snapshot for cut in cuts if cut.snapshot in kept]
        for each, cuts in cluster.snapshots_cut().items()
        if each.startswith(f"{namespace}/")
    }


def test_a_disk_that_fails_fails_alone_and_leaves_nothing(policed: Cluster) -> None:
    cluster, namespace = policed, "own-failing"
    machine = machine_in(cluster, namespace, "root", "full", "stuck", "lost")
    limits = {"csiSnapshotTimeout": "10s", "itemOperationTimeout": "2s"}
    spec = {"includedNamespaces": [namespace], **limits, **BY_POLICY}
    orders = {"db-full": "fail", "db-stuck": "hang", "db-lost": "unready"}
    with cluster.storage.orders(namespace, **orders):
        backup = cluster.backup(namespace, spec)
    assert backup["status"]["phase"] == "PartiallyFailed"
    errors = str(cluster.backup_results(namespace)["errors"])
    for claim, cause in (
        ("db-full", "pool of own-failing/db-full is full"),
        ("db-stuck", "none after 10 s (csiSnapshotTimeout)"),
    ):
        assert f"PersistentVolumeClaim {namespace}/{claim}: cannot take a snapshot: " in errors
        assert cause in errors
    assert "HINT: look at the events of its VolumeSnapshot" in errors
    items = cluster.backup_items(namespace)
    folder = f"resources/persistentvolumeclaims/namespaces/{namespace}"
    assert f"{folder}/db-root.json" in items
    assert f"{folder}/db-full.json" not in items
    *_, last = [call for call in cluster.freezes() if call.namespace == namespace]
    assert (last.verb, last.exit_code) == ("unfreeze", 0)
    wait_until(
        lambda: (
            {claim for claim, kept in snapshots_of(cluster, namespace).items() if kept}
            == {"db-root", "db-lost"}
        ),
        "no other snapshot is in the storage",
    )
    assert machine.name


def begin(cluster: Cluster, name: str, policy: Object = BY_POLICY) -> None:
    """A backup that a test does not wait for."""
    spec = {"storageLocation": "default", "includedNamespaces": [name], **policy}
    cluster.api.create(velero_object("Backup", name, spec))


def is_over(cluster: Cluster, name: str) -> bool:
    status = cluster.api.get(API_VERSION, "Backup", NAMESPACE, name).get("status", {})
    return status.get("phase") in ("Completed", "PartiallyFailed", "Failed")


def kill_plugin(cluster: Cluster, backup: str) -> None:
    """Returns when Velero has another process of it, or does without for the rest of a backup."""
    killed = cluster.velero.plugin_processes()
    for process in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def goes_on() -> bool:
        return bool({*cluster.velero.plugin_processes()} - {*killed}) or is_over(cluster, backup)

    wait_until(goes_on, "Velero goes on")


def test_a_plugin_that_is_killed_takes_no_disk_twice_and_leaves_nothing(policed: Cluster) -> None:
    """Velero fails the claim in its hands, and starts another process for the next.

    If it calls that before it has seen that the process is gone, it fails the next one, too.
    """
    cluster, namespace = policed, "own-killed"
    machine_in(cluster, namespace, "root", "data")
    with cluster.storage.orders(namespace, **{"db-root": "hold", "db-data": "hold"}):
        begin(cluster, namespace)
        wait_until(lambda: len(cluster.api.list(*SNAPSHOT, namespace)) == 2, "both are begun")
        kill_plugin(cluster, namespace)
    wait_until(lambda: is_over(cluster, namespace), "the backup is over")
    wait_until(lambda: len(taken(cluster, namespace)) == 2, "the storage is through")
    backup = cluster.api.get(API_VERSION, "Backup", NAMESPACE, namespace)
    assert backup["status"]["phase"] == "PartiallyFailed"
    left = cluster.api.list(*SNAPSHOT, namespace)
    lost = sum("deletionTimestamp" not in one["metadata"] for one in left)
    assert lost in (1, 2)
    assert_taken_once_and_next_backup_cleans_up(cluster, namespace, lost)


def test_a_server_that_is_restarted_leaves_nothing(policed: Cluster) -> None:
    """Velero takes the backup for failed then."""
    cluster, namespace = policed, "own-restarted"
    machine_in(cluster, namespace, "root", "data")
    with cluster.storage.orders(namespace, **{"db-root": "hold", "db-data": "hold"}):
        begin(cluster, namespace)
        wait_until(lambda: len(cluster.api.list(*SNAPSHOT, namespace)) == 2, "both are begun")
        cluster.velero.restart(cluster.api)
        wait_until(lambda: is_over(cluster, namespace), "the backup is over")
    wait_until(lambda: len(taken(cluster, namespace)) == 2, "the storage is through")
    backup = cluster.api.get(API_VERSION, "Backup", NAMESPACE, namespace)
    assert backup["status"]["phase"] == "Failed"
    assert_taken_once_and_next_backup_cleans_up(cluster, namespace, lost=2)


def taken(cluster: Cluster, namespace: str) -> list[str]:
    """Claims whose snapshots were taken, one entry for each snapshot."""
    return [
        claim
        for claim, cuts in cluster.snapshots_cut().items()
        for _ in cuts
        if claim.startswith(f"{namespace}/")
    ]


def assert_taken_once_and_next_backup_cleans_up(
    cluster: Cluster, namespace: str, lost: int
) -> None:
    """That each disk was taken once, and the next backup deletes what the first has lost."""
    assert sorted(taken(cluster, namespace)) == [f"{namespace}/db-data", f"{namespace}/db-root"]
    first = {cut.snapshot for cuts in cuts_of(cluster, namespace) for cut in cuts}
    wait_until(lambda: len(cluster.api.list(*SNAPSHOT, namespace)) == lost, "what is lost stays")
    again = cluster.backup(f"{namespace}-again", {"includedNamespaces": [namespace], **BY_POLICY})
    assert again["status"]["phase"] == "Completed", cluster.backup_log(f"{namespace}-again")
    wait_until(lambda: cluster.api.list(*SNAPSHOT, namespace) == [], "none is left")
    wait_until(lambda: len(first & cluster.storage.snapshots()) == 2 - lost, "they are deleted")


def cuts_of(cluster: Cluster, namespace: str) -> list[list[Cut]]:
    cuts = cluster.snapshots_cut()
    return [cuts[claim] for claim in cuts if claim.startswith(f"{namespace}/")]
