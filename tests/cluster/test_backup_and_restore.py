"""A namespace with three machines goes through real Velero with our plugin, and comes back.

No virt-controller runs here: what it would recreate is looked for in what is *not* restored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from stillpoint.model import kinds
from stillpoint.model.weight import Weight
from stillpoint.rehearsal import requests
from stillpoint.rehearsal.finished import rehearse_restore
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.sources import finished_backup
from stillpoint.rehearsal.velero_steps.restore import RestoreResult
from stillpoint.resources.disks import data_volume
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.comparison import MISSING, differences
from tests.cluster.freezes import assert_cut_inside_one_freeze
from tests.cluster.manifests import Disk, Machine
from tests.cluster.storage import wait_until_bound
from tests.cluster.velero import Settings
from tests.cluster.virtual_machines import Created

SHOP = "shop"
RESTORED = "shop-restored"
DB = Machine(SHOP, "db", disks=(Disk("root"), Disk("data", "Block")), hotplugged=(Disk("extra"),))
WEB = Machine(SHOP, "web", hotplugged=(Disk("cache", "Block"),), hotplugged_in_spec=False)
ARCHIVE = Machine(SHOP, "archive", disks=(Disk("root", "Block"),), is_running=False)
LABEL = {"backup": "yes"}
KUBEVIRT = "kubevirt.io/v1"
CDI = "cdi.kubevirt.io/v1beta1"


@dataclass
class Shop:
    """The namespace before its backup, the backup, and what a restore into another one made."""

    cluster: Cluster
    created: dict[str, Created]
    before: dict[str, Object]
    backup: Object
    rehearsed: Rehearsal
    restore: Object

    @property
    def disks(self) -> Iterator[tuple[Machine, Disk]]:
        for created in self.created.values():
            for disk in (*created.machine.disks, *created.machine.hotplugged):
                yield created.machine, disk

    def restored(self, api_version: str, kind: str, name: str) -> Object:
        return self.cluster.api.get(api_version, kind, RESTORED, name)


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Shop:
    cluster.create_namespace(SHOP)
    created = {made.machine.name: made for made in cluster.create_vms([DB, WEB, ARCHIVE])}
    for made in created.values():
        for disk in (*made.machine.disks, *made.machine.hotplugged):
            claim = made.machine.claim(disk)
            cluster.disk_image(SHOP, claim).write_bytes(content(claim))
    cluster.api.create(migration())
    before = {
        f"{kind} {found['metadata']['name']}": found
        for api_version, kind in (
            (KUBEVIRT, "VirtualMachine"),
            (CDI, "DataVolume"),
            ("v1", "PersistentVolumeClaim"),
            ("v1", "Secret"),
            ("apps/v1", "ControllerRevision"),
        )
        for found in cluster.api.list(api_version, kind, SHOP)
    }
    backup = cluster.backup("shop", {"includedNamespaces": [SHOP]})
    asked = {"backupName": "shop", "namespaceMapping": {SHOP: RESTORED}}
    annotations = {  # the machines live on: else the copies would get new ones
        "stillpoint.dev/mac-addresses": "keep",
        "stillpoint.dev/firmware-uuid": "keep",
    }
    rehearsed = rehearsed_restore(cluster, asked, annotations)
    restore = cluster.restore("shop", asked, annotations=annotations)
    if restore["status"]["phase"] == "Completed":
        wait_until_bound(cluster.api, RESTORED)
    return Shop(cluster, created, before, backup, rehearsed, restore)


def rehearsed_restore(cluster: Cluster, spec: Object, annotations: Object) -> Rehearsal:
    """The restore as `stillpoint rehearse` sees it, from the archive that Velero has written."""
    finished = finished_backup.read(cluster.archive.bucket / "backups/shop/shop.tar.gz")
    asked = velero_object("Restore", "shop", spec)
    asked["metadata"]["annotations"] = annotations
    place = (str(cluster.control_plane.kubeconfig("admin")), "")
    target = requests.target_of_cluster(place, finished, asked, lambda *_: None)
    return rehearse_restore(finished, target, asked, datetime.now(UTC))


def migration() -> Object:
    """An order to KubeVirt that was carried out long ago."""
    return {
        "apiVersion": KUBEVIRT,
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": "evacuation", "namespace": SHOP},
        "spec": {"vmiName": "db"},
    }


def content(claim: str) -> bytes:
    return f"disk of {claim} ".encode() * 1000


def test_velero_completes_backup_and_restore_without_errors(shop: Shop) -> None:
    log = shop.cluster.backup_log("shop")
    assert shop.backup["status"]["phase"] == "Completed", log
    assert shop.backup["status"].get("errors", 0) == 0, log
    assert shop.restore["status"]["phase"] == "Completed", shop.cluster.restore_log("shop")
    assert shop.restore["status"].get("errors", 0) == 0
    assert "Executing custom action" in log
    assert "a fault inside stillpoint" not in log


def test_velero_restores_what_the_rehearsal_of_its_archive_said(shop: Shop) -> None:
    codes = {
        f"{machine.reference.name} {one.code}"
        for machine in shop.rehearsed.machines
        for one in machine.judged.findings
        if one.weight is not Weight.NOTE
    }
    assert codes == set()
    assert {one.reference.name for one in shop.rehearsed.machines} == {"archive", "db", "web"}
    said = {one.target for one in shop.rehearsed.restored if one.result is RestoreResult.CREATED}
    for resource in (
        virtual_machine.RESOURCE,
        virtual_machine_instance.RESOURCE,
        data_volume.RESOURCE,
        kinds.CLAIM,
        kinds.SECRET,
        kinds.CONTROLLER_REVISION,
        kinds.POD,
    ):
        version = f"{resource.group}/{resource.version}" if resource.group else resource.version
        found = shop.cluster.api.list(version, resource.kind, RESTORED)
        there = {resource.named(RESTORED, one["metadata"]["name"]) for one in found}
        assert {one for one in said if one.is_of(resource)} == there


@pytest.mark.parametrize("machine", [DB, WEB, ARCHIVE], ids=lambda machine: machine.name)
def test_a_machine_comes_back_field_by_field_with_its_revisions_pinned(
    shop: Shop, machine: Machine
) -> None:
    instancetype, preference = shop.created[machine.name].revisions
    after = shop.restored(KUBEVIRT, "VirtualMachine", machine.name)
    assert not differences(
        shop.before[f"VirtualMachine {machine.name}"],
        after,
        {
            "spec.instancetype.revisionName": (MISSING, instancetype["metadata"]["name"]),
            "spec.preference.revisionName": (MISSING, preference["metadata"]["name"]),
        },
    )


def test_revisions_and_secrets_come_back_field_by_field(shop: Shop) -> None:
    compared = 0
    for name, before in shop.before.items():
        if before["kind"] in ("Secret", "ControllerRevision"):
            where = (before["apiVersion"], before["kind"], before["metadata"]["name"])
            assert not differences(before, shop.restored(*where)), name
            compared += 1
    assert compared == 9, "a cloud-init secret and two revisions for each machine"


def test_data_volumes_come_back_marked_as_filled(shop: Shop) -> None:
    for machine, disk in shop.disks:
        name = machine.claim(disk)
        mark = "metadata.annotations.cdi.kubevirt.io/storage.prePopulated"
        after = shop.restored(CDI, "DataVolume", name)
        assert not differences(shop.before[f"DataVolume {name}"], after, {mark: (MISSING, name)})


def test_claims_come_back_with_their_bytes(shop: Shop) -> None:
    for machine, disk in shop.disks:
        name = machine.claim(disk)
        before = shop.before[f"PersistentVolumeClaim {name}"]
        after = shop.restored("v1", "PersistentVolumeClaim", name)
        assert after["spec"]["volumeMode"] == disk.mode
        for field in ("accessModes", "resources", "storageClassName", "volumeMode"):
            assert after["spec"][field] == before["spec"][field]
        assert after["metadata"]["annotations"]["cdi.kubevirt.io/storage.populatedFor"] == name
        assert "velero.kubevirt.io/pvc-uid" not in after["metadata"]["labels"]
        image = shop.cluster.disk_image(RESTORED, name).read_bytes()
        assert image.startswith(content(name)), name


def test_claims_and_snapshots_carry_the_uid_that_users_select_by(shop: Shop) -> None:
    items = shop.cluster.backup_items("shop")
    claims = snapshots = 0
    for path, item in items.items():
        labels = item["metadata"].get("labels", {})
        if path.startswith(f"resources/persistentvolumeclaims/namespaces/{SHOP}/"):
            assert labels["velero.kubevirt.io/pvc-uid"] == item["metadata"]["uid"]
            claims += 1
        if path.startswith("resources/volumesnapshots.snapshot.storage.k8s.io/namespaces/"):
            source = item["spec"]["source"]["persistentVolumeClaimName"]
            claim = shop.before[f"PersistentVolumeClaim {source}"]
            assert labels["velero.kubevirt.io/pvc-uid"] == claim["metadata"]["uid"]
            snapshots += 1
    assert claims == snapshots == 6


def test_instances_and_pods_are_stored_but_left_to_kubevirt(shop: Shop) -> None:
    items = shop.cluster.backup_items("shop")
    folder = f"resources/virtualmachineinstances.kubevirt.io/namespaces/{SHOP}"
    assert items[f"{folder}/db.json"]["status"]["phase"] == "Running"
    assert f"resources/pods/namespaces/{SHOP}/{DB.launcher_pod}.json" in items
    assert f"resources/pods/namespaces/{SHOP}/{DB.attachment_pod}.json" in items
    assert shop.cluster.api.list(KUBEVIRT, "VirtualMachineInstance", RESTORED) == []
    assert shop.cluster.api.list("v1", "Pod", RESTORED) == []


def test_an_order_to_kubevirt_is_stored_but_not_carried_out_again(shop: Shop) -> None:
    folder = f"resources/virtualmachineinstancemigrations.kubevirt.io/namespaces/{SHOP}"
    assert f"{folder}/evacuation.json" in shop.cluster.backup_items("shop")
    assert shop.cluster.api.list(KUBEVIRT, "VirtualMachineInstanceMigration", RESTORED) == []


@pytest.mark.parametrize("machine", [DB, WEB], ids=lambda machine: machine.name)
def test_every_disk_is_cut_inside_one_freeze_hot_plugged_ones_too(
    shop: Shop, machine: Machine
) -> None:
    assert_cut_inside_one_freeze(shop.cluster, machine)


def test_a_stopped_machine_is_not_frozen(shop: Shop) -> None:
    assert not [freeze for freeze in shop.cluster.freezes() if freeze.name == "archive"]


def test_a_machine_selected_by_its_label_alone_is_frozen_and_comes_back_whole(
    cluster: Cluster,
) -> None:
    namespace, restored = "labelled", "labelled-restored"
    machine = labelled_machine(cluster, namespace)
    claims = [machine.claim(disk) for disk in (*machine.disks, *machine.hotplugged)]
    for claim in claims:
        cluster.disk_image(namespace, claim).write_bytes(content(claim))

    backup_by_label(cluster, machine)
    assert_cut_inside_one_freeze(cluster, machine)
    assert f"{namespace}/other-root" not in cluster.snapshots_cut()

    restore = cluster.restore(
        "labelled",
        {"backupName": "labelled", "namespaceMapping": {namespace: restored}},
        labels={"velero.kubevirt.io/restore-run-strategy": "Halted"},
    )
    assert restore["status"]["phase"] == "Completed", cluster.restore_log("labelled")
    wait_until_bound(cluster.api, restored)
    for claim in claims:
        assert cluster.disk_image(restored, claim).read_bytes().startswith(content(claim))
    secret = machine.cloud_init_secret
    assert cluster.api.get("v1", "Secret", restored, secret)["data"]
    [found] = cluster.api.list(KUBEVIRT, "VirtualMachine", restored)
    assert (found["metadata"]["name"], found["spec"]["runStrategy"]) == ("db", "Halted")


def test_a_labelled_data_volume_does_not_get_its_disk_cut_before_the_freeze(
    cluster: Cluster,
) -> None:
    """Velero collects DataVolumes before machines: the block begins with one of them."""
    machine = labelled_machine(cluster, "labelled-disks")
    for disk in (*machine.disks, *machine.hotplugged):
        where = (CDI, "DataVolume", machine.namespace, machine.claim(disk))
        cluster.api.patch(*where, {"metadata": {"labels": LABEL}})
    with cluster.velero_with(
        Settings(plugin=cluster.velero.plugin_under_test(), item_block_workers=8)
    ):
        backup_by_label(cluster, machine)
    assert_cut_inside_one_freeze(cluster, machine)


def test_a_running_machine_whose_pods_are_left_out_is_refused_and_the_others_go_on(
    cluster: Cluster,
) -> None:
    namespace = "refused"
    cluster.create_namespace(namespace)
    stopped = Machine(namespace, "archive", is_running=False)
    cluster.create_vms([Machine(namespace, "db"), stopped])
    spec = {
        "includedNamespaces": [namespace],
        "excludedResources": ["po"],
        "snapshotVolumes": False,
    }
    backup = cluster.backup(namespace, spec)

    assert backup["status"]["phase"] == "PartiallyFailed"
    errors = str(cluster.backup_results(namespace)["errors"])
    assert "VirtualMachine refused/db: cannot back up a guest that runs: its launcher pod" in errors
    assert "left out by the filters of the backup; HINT: include it" in errors
    folder = f"resources/virtualmachines.kubevirt.io/namespaces/{namespace}"
    items = cluster.backup_items(namespace)
    assert f"{folder}/archive.json" in items
    assert f"{folder}/db.json" not in items


def labelled_machine(cluster: Cluster, namespace: str) -> Machine:
    """A machine with two disks and a hot-plugged one, labelled itself alone, beside another."""
    machine = Machine(
        namespace,
        "db",
        disks=(Disk("root"), Disk("data", "Block")),
        hotplugged=(Disk("extra"),),
        labels=tuple(LABEL.items()),
    )
    cluster.create_namespace(namespace)
    cluster.create_vms([machine, Machine(namespace, "other")])
    return machine


def backup_by_label(cluster: Cluster, machine: Machine) -> None:
    """A backup named as the namespace, of what has the label."""
    spec = {
        "includedNamespaces": [machine.namespace],
        "labelSelector": {"matchLabels": LABEL},
    }
    backup = cluster.backup(machine.namespace, spec)
    assert backup["status"]["phase"] == "Completed", cluster.backup_log(machine.namespace)
