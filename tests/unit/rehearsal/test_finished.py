"""The restore of a finished backup into a target: each reason, what provokes it, and no other.

The backup is that of `examples/`, with snapshots as Velero stores them; the target is an empty
cluster that has all that its machines need. A case changes one of the two.
"""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from stillpoint.backup_files.books import Books
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.api_resources import KNOWN, Served
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.model.weight import Weight
from stillpoint.rehearsal.finished import rehearse_restore
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.sources.finished_backup import FinishedBackup
from stillpoint.rehearsal.sources.known import Known, Unread
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from stillpoint.rehearsal.verdict import pods
from stillpoint.rehearsal.verdict.arrival_reasons import ARRIVAL_REASONS
from stillpoint.rehearsal.verdict.verdict import Verdict
from stillpoint.resources import cluster_needs
from stillpoint.resources.disks import persistent_volume_claim
from stillpoint.resources.machines import pending_start
from stillpoint.velero import item_operation
from stillpoint.velero.selection.discovery import Discovery
from stillpoint.velero.volumes import claim_data, data_upload, volume_info
from tests.unit.rehearsal import examples

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
CLAIM = persistent_volume_claim.RESOURCE
DRIVER = "rbd.csi.ceph.com"
TARGET_KINDS = (
    "StorageClass",
    "VolumeSnapshotClass",
    "VirtualMachineClusterInstancetype",
    "VirtualMachineClusterPreference",
)
NETWORK = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}


VELERO = Served("velero.io", "v1", "backups", "Backup", is_namespaced=True)
UPLOAD = Served("velero.io", "v2alpha1", "datauploads", "DataUpload", is_namespaced=True)
BACKUP: Item = {
    "apiVersion": "velero.io/v1",
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero"},
    "spec": {"snapshotVolumes": True},
    "status": {"phase": "Completed"},
}


@dataclass
class World:
    """A finished backup and its target.

    Attributes:
        unread: resources of the target that were not read.
        served: what the target serves.
        books: Velero's, beside the archive; none by default.
    """

    stored: dict[Reference, Item]
    target: list[Item]
    spec: Item = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    served: list[Served] = field(default_factory=lambda: [*KNOWN, VELERO])
    backup: Item | None = field(default_factory=lambda: BACKUP)
    books: Books = field(default_factory=Books)

    def restored(self) -> Rehearsal:
        finished = FinishedBackup("nightly", self.stored, (*KNOWN, UPLOAD), self.backup, self.books)
        complete = frozenset(one.name for one in KNOWN) - self.unread
        unread = tuple(Unread(one, "no right to") for one in self.unread)
        target = Known(
            tuple(self.target), Discovery(self.served), complete, "a target", unread, True
        )
        asked = {
            "apiVersion": "velero.io/v1",
            "kind": "Restore",
            "metadata": {"name": "r", "namespace": "velero"},
            "spec": self.spec,
        }
        return rehearse_restore(finished, target, asked, NOW)

    def change(self, reference: Reference, value: object, *path: str) -> None:
        self.stored[reference] = it.with_value(self.stored[reference], value, *path)


Change = Callable[[World], None]


@pytest.fixture(scope="module")
def finished() -> World:
    objects = examples.objects()
    stored = dict(examples.rehearsed(objects, "shop").backup.stored)
    for reference, claim in list(stored.items()):
        if reference.is_of(CLAIM):
            add_snapshot(stored, claim)
    target = [one for one in objects if one["kind"] in TARGET_KINDS]
    driver = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}}
    return World(stored, [*target, driver, *known_snapshots(stored)])


def add_snapshot(stored: dict[Reference, Item], claim: Item) -> None:
    """As Velero stores the snapshot of a claim, beside it."""
    namespace, name = it.namespace(claim), claim_data.snapshot(claim)
    content = f"content-{it.name(claim)}"
    stored[kinds.VOLUME_SNAPSHOT.named(namespace, name)] = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"persistentVolumeClaimName": it.name(claim)}},
        "status": {"boundVolumeSnapshotContentName": content, "readyToUse": True},
    }
    stored[kinds.VOLUME_SNAPSHOT_CONTENT.named("", content)] = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": content},
        "spec": {
            "driver": DRIVER,
            "source": {"volumeHandle": f"volume-{it.name(claim)}"},
            "volumeSnapshotRef": {"namespace": namespace, "name": name},
        },
        "status": {"snapshotHandle": f"handle-{it.name(claim)}", "readyToUse": True},
    }


def known_snapshots(stored: dict[Reference, Item]) -> list[Item]:
    """Other objects of the target for the same snapshots: its storage has them."""
    found = []
    for reference, item in stored.items():
        if reference.is_of(kinds.VOLUME_SNAPSHOT_CONTENT):
            found.append(copy.deepcopy(item))
            found[-1]["metadata"] = {"name": f"other-{reference.name}"}
    return found


def machine(name: str) -> Reference:
    return Reference("kubevirt.io", "virtualmachines", "shop", name)


def claim(name: str) -> Reference:
    return CLAIM.named("shop", name)


def content(name: str) -> Reference:
    return kinds.VOLUME_SNAPSHOT_CONTENT.named("", f"content-{name}")


def put(reference: Reference, value: object, *path: str) -> Change:
    return lambda world: world.change(reference, value, *path)


def drop(reference: Reference) -> Change:
    def change(world: World) -> None:
        del world.stored[reference]

    return change


def there(*items: Item) -> Change:
    return lambda world: world.target.extend(items)


def not_there(kind: str, name: str = "") -> Change:
    def change(world: World) -> None:
        left = [one for one in world.target if one["kind"] != kind or name not in it.name(one)]
        assert len(left) < len(world.target)
        world.target[:] = left

    return change


def both(*changes: Change) -> Change:
    def change(world: World) -> None:
        for one in changes:
            one(world)

    return change


def asked(**spec: object) -> Change:
    return lambda world: world.spec.update(spec)


def without_data(name: str) -> Change:
    """The claim without Velero's snapshot, on a volume that goes with it."""

    def change(world: World) -> None:
        volume = it.text(world.stored[claim(name)], "spec", "volumeName")
        world.change(claim(name), {}, "metadata", "annotations")
        reference = Reference("", "persistentvolumes", "", volume)
        world.change(reference, "Delete", "spec", "persistentVolumeReclaimPolicy")

    return change


def in_book(disk: str = "legacy-disk", **fields: object) -> Change:
    """Velero's entry of a disk, or none; its claim has no snapshot."""

    def change(world: World) -> None:
        without_data(disk)(world)
        entry = {"pvcNamespace": "shop", "pvcName": disk, **fields}
        world.books = replace(world.books, volumes=volume_info.read([entry] if fields else []))

    return change


def failed_operation(world: World) -> None:
    snapshot = claim_data.snapshot(world.stored[claim("legacy-disk")])
    entry = {
        "spec": {
            "resourceIdentifier": {
                "Group": "snapshot.storage.k8s.io", "Resource": "volumesnapshots",
                "Namespace": "shop", "Name": snapshot,
            },
            "backupItemAction": "velero.io/csi",
        },
        "status": {"phase": "Failed", "error": "timed out"},
    }  # fmt: skip
    [operation] = item_operation.read([entry])
    world.books = replace(world.books, failed={operation.item: operation})


def kept(world: World) -> None:
    """The volume of the machine's disk outlives its claim."""
    volume = it.text(world.stored[claim("legacy-disk")], "spec", "volumeName")
    reference = Reference("", "persistentvolumes", "", volume)
    world.change(reference, "Retain", "spec", "persistentVolumeReclaimPolicy")


def of_backup(value: object, *path: str) -> Change:
    def change(world: World) -> None:
        world.backup = it.with_value(BACKUP, value, "status", *path)

    return change


def without_backup(world: World) -> None:
    world.backup = None


OF_UPLOAD: Item = {"apiVersion": "velero.io/v2alpha1", "kind": "DataUpload"}
UPLOADED: Item = {"phase": "Completed", "snapshotID": "s-1"}


def moved(status: Item = UPLOADED, name: str = "nightly-1") -> Change:
    """The claim whose data `velero/nightly-1` moved, and a DataUpload of it."""

    def change(world: World) -> None:
        marked = "metadata", "annotations", "velero.io/data-upload-name"
        world.change(claim("legacy-disk"), "velero/nightly-1", *marked)
        world.stored.pop(content("legacy-disk"), None)
        world.stored[data_upload.RESOURCE.named("velero", name)] = {
            **OF_UPLOAD,
            "metadata": {"name": name, "namespace": "velero"},
            "spec": {"sourceNamespace": "shop", "sourcePVC": "legacy-disk"},
            "status": status,
        }

    return change


def of_snapshot(status: Item) -> Change:
    """The snapshot of the machine's disk, as the storage says."""

    def change(world: World) -> None:
        name = claim_data.snapshot(world.stored[claim("legacy-disk")])
        snapshot = kinds.VOLUME_SNAPSHOT.named("shop", name)
        before = it.mapping(world.stored[snapshot], "status")
        world.change(snapshot, {**before, **status}, "status")

    return change


def quota(**hard: str) -> Item:
    limits = {key.replace("__", ".").replace("_", "/"): value for key, value in hard.items()}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": "shop"},
        "spec": {"hard": limits},
        "status": {"hard": limits, "used": dict.fromkeys(limits, "0")},
    }


def priority(operator: str, *values: str) -> Item:
    """The selector of quotas by the class of pods."""
    wanted = {"scopeName": "PriorityClass", "operator": operator, "values": [*values]}
    return {"matchExpressions": [wanted]}


def limit_range(**limit: object) -> Item:
    limits = [{"type": "PersistentVolumeClaim", **limit}]
    metadata = {"name": "limits", "namespace": "shop"}
    return {
        "apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": limits},
    }  # fmt: skip


def not_served(plural: str) -> Change:
    def change(world: World) -> None:
        world.served[:] = [one for one in world.served if one.plural != plural]

    return change


def of_other_version(plural: str, version: str) -> Change:
    def change(world: World) -> None:
        world.served[:] = [
            one._replace(version=version) if one.plural == plural else one for one in world.served
        ]

    return change


def needs(reference: str) -> Change:
    """The mark of the backup on a machine: what it needs from the cluster."""
    return put(machine(LEGACY), reference, "metadata", "annotations", cluster_needs.MARK)


def unread(*resources: str) -> Change:
    return lambda world: world.unread.update(resources)


def stored_machine(name: str) -> Item:
    found = (one for one in examples.objects() if one["kind"] == "VirtualMachine")
    return next(one for one in found if it.name(one) == name)


def without_snapshot(world: World) -> None:
    name = claim_data.snapshot(world.stored[claim("legacy-disk")])
    drop(kinds.VOLUME_SNAPSHOT.named("shop", name))(world)


def of_uid(uid: str) -> Change:
    def change(world: World) -> None:
        world.books = replace(world.books, uids=frozenset({uid}))

    return change


MAPPING: Item = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "classes",
        "namespace": "velero",
        "labels": {
            "velero.io/plugin-config": "",
            "velero.io/change-storage-class": "RestoreItemAction",
        },
    },
    "data": {"ceph-block": "gold"},
}
KUBEVIRT: Item = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
    "status": {"observedKubeVirtVersion": "v1.9.0"},
}
GUESTS = {"db": 4, "legacy": 2, "reports": 8, "web": 2}
"""Memory of those that run, in GiB."""
LEGACY, DB = "legacy", "db"
SKIPPED = in_book(skipped=True, skippedReason="any: skipped due to resource policy")
COPIED = in_book(backupMethod="PodVolumeBackup", pvbInfo={"Phase": "Failed", "podName": "copier"})
BY_COPIER = in_book(
    backupMethod="PodVolumeBackup",
    pvbInfo={"Phase": "Completed", "podName": "copier", "snapshotHandle": "k1"},
)
STARTS_LATER = "starts-after-files"
COPIER: Item = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "copier",
        "namespace": "shop",
        "labels": {"app": "copier"},
        "annotations": {"backup.velero.io/backup-volumes": "d"},
    },
    "spec": {
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "legacy-disk"}}],
        "containers": [],
    },
    "status": {"phase": "Running"},
}


def copier(world: World) -> None:
    world.stored[Reference("", "pods", "shop", "copier")] = COPIER


WITH_COPIER = both(BY_COPIER, copier)


NATIVE = of_backup(1, "volumeSnapshotsAttempted")
"""Velero has taken snapshots of its own: no object says of which volumes."""
NEEDS_NETWORK = needs("network-attachment-definitions.k8s.cni.cncf.io/lan/blue")
CASES: dict[str, tuple[str, Change]] = {
    "item-failed": (DB, put(Reference(
        "cdi.kubevirt.io", "datavolumes", "shop", "db-root"), "none", "spec", "source")),
    "not-created": (LEGACY, asked(excludedResources=["virtualmachines.kubevirt.io"])),
    "exists-in-target": (LEGACY, there(stored_machine(LEGACY))),
    "disk-stays": (
        LEGACY,
        both(
            asked(existingResourcePolicy="update"),
            there({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "legacy-disk", "namespace": "shop"},
            }),
        ),
    ),
    "made-by-another": (
        LEGACY,
        put(
            machine(LEGACY),
            [{"apiVersion": "a/v1", "kind": "Maker", "name": "m", "controller": True}],
            "metadata", "ownerReferences",
        ),
    ),
    "persistent-state": (
        LEGACY,
        put(
            machine(LEGACY), {"tpm": {"persistent": True}},
            "spec", "template", "spec", "domain", "devices",
        ),
    ),
    "without-its-pool": (
        LEGACY,
        put(
            machine(LEGACY),
            [{
                "apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool",
                "name": "p", "controller": True,
            }],
            "metadata", "ownerReferences",
        ),
    ),
    "volume-not-covered": (
        LEGACY,
        put(
            machine(LEGACY), [{"name": "node", "hostDisk": {"path": "/d", "type": "Disk"}}],
            "spec", "template", "spec", "volumes",
        ),
    ),
    "backup-failed": (LEGACY, of_backup("Failed", "phase")),
    "backup-being-deleted": (LEGACY, of_backup("Deleting", "phase")),
    "backup-goes-on": (LEGACY, of_backup("Finalizing", "phase")),
    "backup-expired": (LEGACY, of_backup("2026-11-27T11:59:59Z", "expiration")),
    "no-backup-object": (LEGACY, without_backup),
    "upload-missing": (LEGACY, moved(name="of-another")),
    "upload-not-completed": (LEGACY, moved({"phase": "Failed", "message": "no room"})),
    "uploads-of-one-claim": (LEGACY, both(moved(), moved(name="older"))),
    "snapshot-failed": (LEGACY, of_snapshot({"readyToUse": False, "error": {"message": "full"}})),
    "snapshot-not-ready": (LEGACY, of_snapshot({"readyToUse": False})),
    "claim-missing": (LEGACY, drop(claim("legacy-disk"))),
    "disk-without-data": (LEGACY, both(in_book(), NATIVE)),
    "disk-skipped": (LEGACY, SKIPPED),
    "disk-on-its-volume": (LEGACY, both(SKIPPED, kept)),
    "data-not-known": (LEGACY, both(without_data("legacy-disk"), kept)),
    "snapshot-missing": (LEGACY, without_snapshot),
    "files-not-completed": (LEGACY, both(COPIED, NATIVE)),
    "starts-after-files": (LEGACY, WITH_COPIER),
    "disk-without-way-back": (
        LEGACY,
        both(
            in_book(backupMethod="PodVolumeBackup", pvbInfo={
                "Phase": "Completed", "podName": "virt-launcher-legacy-x",
            }),
            NATIVE,
        ),
    ),
    "operation-failed": (LEGACY, failed_operation),
    "upload-of-another-backup": (
        LEGACY,
        both(moved(), put(
            data_upload.RESOURCE.named("velero", "nightly-1"), "u-other",
            "metadata", "labels", "velero.io/backup-uid",
        ), of_uid("u-1")),
    ),
    "data-not-restored": (LEGACY, without_data("legacy-disk")),
    "snapshot-without-handle": (LEGACY, put(content("legacy-disk"), {}, "status")),
    "driver-not-there": (LEGACY, put(content("legacy-disk"), "other.csi", "spec", "driver")),
    "storage-class-not-there": (LEGACY, not_there("StorageClass")),
    "network-not-there": (LEGACY, NEEDS_NETWORK),
    "needs-not-there": (LEGACY, needs("priorityclasses.scheduling.k8s.io/gold")),
    "api-not-there": (LEGACY, not_served("virtualmachines")),
    "quota-too-small": (LEGACY, there(quota(requests__storage="1Gi"))),
    "outside-limit-range": (LEGACY, there(limit_range(max={"storage": "1Gi"}))),
    "pod-outside-limit-range": (
        LEGACY, there(limit_range(type="Container", max={"memory": "1Gi"})),
    ),
    "instancetype-not-there": (DB, not_there("VirtualMachineClusterInstancetype")),
    "snapshot-elsewhere": (LEGACY, not_there("VolumeSnapshotContent", "legacy-disk")),
    "no-snapshot-class-there": (LEGACY, not_there("VolumeSnapshotClass")),
    "api-of-other-version": (LEGACY, of_other_version("virtualmachines", "v2")),
    "target-unknown": (LEGACY, unread("resourcequotas")),
}  # fmt: skip
ELSEWHERE = {"taken-back-by-pool"}  # test_a_pool_takes_its_machines_back


def verdict(world: World, name: str) -> tuple[Verdict, dict[str, Weight]]:
    found = examples.machine(world.restored(), name)
    return found.judged.verdict, {one.code: one.weight for one in found.judged.findings}


def changed(finished: World, change: Change) -> World:
    world = replace(
        finished,
        stored=dict(finished.stored),
        target=list(finished.target),
        spec={},
        unread=set(),
        served=[*KNOWN, VELERO],
        backup=BACKUP,
        books=Books(),
    )
    change(world)
    return world


def test_every_reason_has_its_test() -> None:
    assert {one.code for one in ARRIVAL_REASONS} == CASES.keys() | ELSEWHERE


@pytest.mark.parametrize("name", ["archive", "db", "legacy", "reports", "web"])
def test_a_machine_whose_target_has_everything_is_ready(finished: World, name: str) -> None:
    found, codes = verdict(finished, name)
    assert found is Verdict.READY
    assert codes == ({"persistent-state": Weight.NOTE} if name == "reports" else {})


@pytest.mark.parametrize("code", CASES)
def test_a_reason_holds_for_its_case(finished: World, code: str) -> None:
    name, change = CASES[code]
    found, codes = verdict(changed(finished, change), name)
    assert code in codes
    worst = {Weight.BLOCKS: Verdict.BLOCKED, Weight.NOTE: Verdict.READY}
    is_alone = set(codes) == {code}
    assert not is_alone or found is worst.get(codes[code], Verdict.DEGRADED)


@pytest.mark.parametrize(
    ("is_reached", "change"),
    [
        (False, lambda _world: None),
        (True, there({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
            "spec": {"csi": {"driver": DRIVER, "volumeHandle": "volume-legacy-disk"}},
        })),
        (False, there({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
            "spec": {"csi": {"driver": "other.csi", "volumeHandle": "volume-legacy-disk"}},
        })),
    ],
)  # fmt: skip
def test_a_storage_is_the_backups_if_it_has_the_snapshot_or_its_volume(
    finished: World, is_reached: bool, change: Change
) -> None:
    gone = not_there("VolumeSnapshotContent")
    _, codes = verdict(changed(finished, both(gone, change)), LEGACY)
    assert ("snapshot-elsewhere" in codes) is not is_reached


def test_an_object_that_is_still_there_shows_that_the_backup_is_of_this_cluster(
    finished: World,
) -> None:
    space = Reference("", "namespaces", "", "shop")
    again = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "u-1"}}
    gone = both(not_there("VolumeSnapshotContent"), put(space, "u-1", "metadata", "uid"))
    _, codes = verdict(changed(finished, both(gone, there(again))), LEGACY)
    assert "snapshot-elsewhere" not in codes
    again = it.with_value(again, "u-2", "metadata", "uid")
    _, codes = verdict(changed(finished, both(gone, there(again))), LEGACY)
    assert "snapshot-elsewhere" in codes


def test_data_that_was_moved_depends_on_no_snapshot(finished: World) -> None:
    assert verdict(changed(finished, moved()), LEGACY) == (Verdict.READY, {})


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, "legacy-disk (without a phase)"),
        ({"phase": "Failed", "message": "no room"}, "legacy-disk (Failed: no room)"),
        ({"phase": "Completed"}, "legacy-disk (Completed, without a snapshotID)"),
    ],
)
def test_an_upload_that_moved_nothing_is_said(finished: World, status: Item, said: str) -> None:
    found = examples.machine(changed(finished, moved(status)).restored(), LEGACY)
    [one] = [one for one in found.judged.findings if one.code == "upload-not-completed"]
    assert one.about == (said,)


def test_a_disk_that_the_backup_lacks_may_be_in_the_target(finished: World) -> None:
    gone = drop(claim("legacy-disk"))
    assert verdict(changed(finished, gone), LEGACY) == (
        Verdict.BLOCKED,
        {"claim-missing": Weight.BLOCKS},
    )
    there_already = there({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "legacy-disk", "namespace": "shop"},
    })  # fmt: skip
    assert verdict(changed(finished, both(gone, there_already)), LEGACY)[1] == {}


def test_a_skipped_disk_has_veleros_reason_and_is_on_its_volume_where_that_is_kept(
    finished: World,
) -> None:
    found = examples.machine(changed(finished, SKIPPED).restored(), LEGACY)
    said = {one.code: one.about for one in found.judged.findings}
    assert said["disk-skipped"] == ("legacy-disk (any: skipped due to resource policy)",)
    assert verdict(changed(finished, both(SKIPPED, kept)), LEGACY) == (
        Verdict.DEGRADED,
        {"disk-on-its-volume": Weight.UNCERTAIN},
    )


def test_a_skipped_disk_that_cdi_populates_again_is_skipped_all_the_same(finished: World) -> None:
    change = in_book("db-data", skipped=True)
    found = examples.machine(changed(finished, change).restored(), DB)
    said = {one.code: one.about for one in found.judged.findings}
    assert said.keys() == {"disk-skipped", "data-not-restored"}
    assert said["disk-skipped"] == ("db-data",)
    assert "CDI" in said["data-not-restored"][0]


def test_a_volume_that_the_backup_lacks_may_be_in_the_target(finished: World) -> None:
    name = it.text(finished.stored[claim("legacy-disk")], "spec", "volumeName")
    gone = both(SKIPPED, NATIVE, drop(Reference("", "persistentvolumes", "", name)))
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}}
    assert "disk-skipped" in verdict(changed(finished, gone), LEGACY)[1]
    _, codes = verdict(changed(finished, both(gone, there(volume))), LEGACY)
    assert codes == {"disk-on-its-volume": Weight.UNCERTAIN}


def test_a_loss_is_said_once(finished: World) -> None:
    assert verdict(changed(finished, in_book()), LEGACY)[1] == {"data-not-restored": Weight.BLOCKS}


def test_a_disk_that_had_no_bytes_has_lost_none(finished: World) -> None:
    pending = put(claim("legacy-disk"), {"phase": "Pending"}, "status")
    for change in (both(in_book(), NATIVE, pending), both(SKIPPED, pending)):
        assert verdict(changed(finished, change), LEGACY)[1] == {}


def test_an_upload_that_names_no_claim_stands_in_nobodys_way(finished: World) -> None:
    broken = data_upload.RESOURCE.named("velero", "broken")

    def change(world: World) -> None:
        moved()(world)
        world.stored[broken] = {
            **OF_UPLOAD, "metadata": {"name": "broken", "namespace": "velero"}, "spec": [],
        }  # fmt: skip

    assert verdict(changed(finished, change), LEGACY) == (Verdict.READY, {})


def test_what_the_backup_is_counts_for_each_machine(finished: World) -> None:
    for phase, code in (("FailedValidation", "backup-failed"), ("", "backup-goes-on")):
        world = changed(finished, of_backup(phase, "phase"))
        assert all(verdict(world, name)[1].keys() >= {code} for name in (LEGACY, DB))
    later = changed(finished, of_backup("2026-11-27T12:00:01Z", "expiration"))
    assert verdict(later, LEGACY) == (Verdict.READY, {})


def test_a_snapshot_that_became_ready_after_all_is_good(finished: World) -> None:
    after_all = of_snapshot({"readyToUse": True, "error": {"message": "busy"}})
    assert verdict(changed(finished, after_all), LEGACY) == (Verdict.READY, {})


@pytest.mark.parametrize(
    ("limits", "is_exceeded"),
    [
        ({"requests__storage": "10Ti"}, False),
        ({"persistentvolumeclaims": "8"}, True),
        ({"persistentvolumeclaims": "9"}, False),
        ({"count_virtualmachines__kubevirt__io": "4"}, True),
        ({"count_virtualmachines__kubevirt__io": "5"}, False),
        ({"ceph-block__storageclass__storage__k8s__io_requests__storage": "1Gi"}, True),
        ({"other__storageclass__storage__k8s__io_requests__storage": "1Gi"}, False),
        ({"other__storageclass__storage__k8s__io_persistentvolumeclaims": "0"}, False),
        ({"ceph-block__storageclass__storage__k8s__io_persistentvolumeclaims": "1"}, True),
        ({"limits__memory": "1Gi"}, True),
        ({"limits__memory": "1Ti"}, False),
        ({"requests__cpu": "100m"}, True),
        ({"requests__devices__kubevirt__io_kvm": "3"}, True),
        ({"requests__devices__kubevirt__io_kvm": "4"}, False),
        ({"pods": "1"}, True),
        ({"count_virtualmachineinstances__kubevirt__io": "0"}, True),
        ({"count_configmaps": "0"}, False),
        ({"replicationcontrollers": "0"}, False),
    ],
)
def test_a_quota_counts_all_that_would_be_restored(
    finished: World, limits: dict[str, str], is_exceeded: bool
) -> None:
    _, codes = verdict(changed(finished, there(quota(**limits))), LEGACY)
    assert ("quota-too-small" in codes) is is_exceeded


def test_what_is_used_of_a_quota_is_not_left(finished: World) -> None:
    used = it.with_value(quota(persistentvolumeclaims="9"), "1", "status", "used",
                         "persistentvolumeclaims")  # fmt: skip
    assert "quota-too-small" in verdict(changed(finished, there(used)), LEGACY)[1]
    of_some = it.with_value(used, ["BestEffort"], "spec", "scopes")
    assert verdict(changed(finished, there(of_some)), LEGACY)[1] == {}


@pytest.mark.parametrize(
    ("scopes", "is_of_launchers"),
    [
        ({"scopes": ["NotBestEffort", "NotTerminating"]}, True),
        ({"scopes": ["NotBestEffort", "Terminating"]}, False),
        ({"scopeSelector": priority("DoesNotExist")}, True),
        ({"scopeSelector": priority("In", "gold")}, False),
        ({"scopeSelector": priority("NotIn", "gold")}, True),
        ({"scopeSelector": priority("Exists")}, False),
        ({"scopes": ["VolumeAttributesClass"]}, False),
    ],
)
def test_a_quota_with_scopes_counts_the_pods_of_these(
    finished: World, scopes: Item, is_of_launchers: bool
) -> None:
    small = quota(pods="0")
    small = {**small, "spec": {**it.mapping(small, "spec"), **scopes}}
    _, codes = verdict(changed(finished, there(small)), LEGACY)
    assert ("quota-too-small" in codes) is is_of_launchers


def test_a_launcher_pod_asks_for_more_than_the_guest_sees(finished: World) -> None:
    """Four guests start: their memory, what KubeVirt adds, and the containers beside them."""
    found = examples.machine(changed(finished, there(quota(requests__memory="1Gi"))).restored(), DB)
    [said] = [one.about for one in found.judged.findings if one.code == "quota-too-small"]
    [about] = said
    needed = re.fullmatch(
        r"shop/small \(requests.memory: at least (\d+)Mi needed, 1Gi left\)", about
    )
    assert needed
    guests = 1024 * sum(GUESTS.values())
    assert int(needed[1]) > guests + len(GUESTS) * (210 + 48 + 33)


def test_pods_that_are_restored_ask_for_what_they_did(finished: World) -> None:
    asked_for = {"requests": {"cpu": "2"}, "limits": {"memory": "3Gi"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "other"},
        "spec": {"containers": [{"name": "c", "resources": asked_for}]},
        "status": {"phase": "Running"},
    }

    def change(world: World) -> None:
        world.stored[Reference("", "pods", "other", "web")] = pod
        world.target += [
            it.with_value(quota(**hard), "other", "metadata", "namespace") for hard in (
                {"requests__cpu": "1"}, {"limits__memory": "1Gi"}, {"requests__memory": "1Gi"},
                {"count_pods": "1"}, {"pods": "0"},
            )
        ]  # fmt: skip
        for number, one in enumerate(world.target[-5:]):
            one["metadata"] = {"name": f"q{number}", "namespace": "other"}

    there_ = changed(finished, change).restored().machines[0]
    assert there_.judged.verdict is Verdict.READY  # of another namespace
    mapped = both(change, asked(namespaceMapping={"shop": "other"}))
    found = examples.machine(changed(finished, mapped).restored(), LEGACY)
    [said] = [one.about for one in found.judged.findings if one.code == "quota-too-small"]
    assert [one.partition(" ")[0] for one in said] == [f"other/q{one}" for one in range(5)]


def test_a_service_takes_ports_of_nodes_and_a_balancer(finished: World) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2}]},
    }

    def verdict_of(of_service: Item, **hard: str) -> bool:
        def change(world: World) -> None:
            world.stored[Reference("", "services", "shop", "db")] = of_service
            world.target.append(quota(**hard))

        return "quota-too-small" in verdict(changed(finished, change), LEGACY)[1]

    assert verdict_of(service, services__nodeports="1")
    assert not verdict_of(service, services__nodeports="2")
    assert verdict_of(service, services__loadbalancers="0")
    without = it.with_value(service, False, "spec", "allocateLoadBalancerNodePorts")
    assert not verdict_of(without, services__nodeports="0")
    assert not verdict_of(it.with_value(service, "ClusterIP", "spec", "type"),
                          services__loadbalancers="0")  # fmt: skip


def test_a_claim_without_a_class_has_the_default_one_and_a_mapped_one_the_new(
    finished: World,
) -> None:
    gold = {"gold__storageclass__storage__k8s__io_persistentvolumeclaims": "0"}
    marked = {"storageclass.kubernetes.io/is-default-class": "true"}
    default = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "gold", "annotations": marked, "creationTimestamp": "2026-11-01T00:00:00Z",
        },
    }  # fmt: skip
    nameless = put(claim("legacy-disk"), None, "spec", "storageClassName")
    assert verdict(changed(finished, there(quota(**gold), default)), LEGACY)[1] == {}
    _, codes = verdict(changed(finished, both(nameless, there(quota(**gold), default))), LEGACY)
    assert "quota-too-small" in codes
    _, codes = verdict(changed(finished, there(quota(**gold), default, MAPPING)), LEGACY)
    assert "quota-too-small" in codes


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"type": "Pod", "max": {"memory": "1Gi"}}, "the pod: memory: "),
        ({"type": "Container", "max": {"memory": "1Gi"}}, "a container: memory: "),
        ({"type": "Container", "default": {"memory": "1Gi"}},
         "a container: memory: 2336Mi, at most the default of 1Gi"),
        ({"type": "Container", "min": {"memory": "64Mi"}},
         "a container: memory: 33Mi, at least 64Mi by shop/limits"),
        ({"type": "Pod", "min": {"memory": "50M"}}, ""),
        ({"type": "Container", "max": {"memory": "100Gi"}}, ""),
    ],
)  # fmt: skip
def test_a_limit_range_is_for_pods_too(finished: World, limit: Item, said: str) -> None:
    world = changed(finished, there(limit_range(**limit)))
    world.target.append(KUBEVIRT)
    found = examples.machine(world.restored(), LEGACY)
    about = [
        each
        for one in found.judged.findings
        if one.code == "pod-outside-limit-range"
        for each in one.about
    ]
    assert any(each.startswith(said) for each in about) if said else about == []


def test_a_machine_that_stays_stopped_starts_no_pod(finished: World) -> None:
    small = there(quota(pods="0"), limit_range(type="Pod", max={"memory": "1Gi"}))
    halted = [put(machine(one), "Halted", "spec", "runStrategy") for one in ("legacy", *GUESTS)]
    assert verdict(changed(finished, both(small, *halted)), LEGACY)[1] == {}


@pytest.mark.parametrize(("mark", "starts"), [("Always", True), ("", False)])
def test_a_machine_that_the_restore_starts_later_starts_a_pod(mark: str, starts: bool) -> None:
    halted = it.with_value(stored_machine(LEGACY), "Halted", "spec", "runStrategy")
    marked = it.with_annotation(halted, pending_start.START_AS, mark)
    restored = RestoredItem(machine(LEGACY), RestoreResult.CREATED, marked)
    assert pods.starts(restored) is starts


def test_without_kubevirts_settings_the_size_of_pods_is_not_known(finished: World) -> None:
    change = unread("kubevirts.kubevirt.io")
    assert verdict(changed(finished, change), LEGACY)[1] == {"target-unknown": Weight.UNCERTAIN}
    assert verdict(changed(finished, change), "archive")[1] == {}


@pytest.mark.parametrize(
    ("limit", "is_outside"),
    [
        ({"min": {"storage": "1Gi"}, "max": {"storage": "10Ti"}}, False),
        ({"min": {"storage": "10Ti"}}, True),
        ({"max": {"storage": "1Gi"}, "type": "Pod"}, False),
    ],
)
def test_a_limit_range_is_for_claims(finished: World, limit: Item, is_outside: bool) -> None:
    _, codes = verdict(changed(finished, there(limit_range(**limit))), LEGACY)
    assert ("outside-limit-range" in codes) is is_outside


def test_limits_of_another_namespace_are_none_of_a_claim(finished: World) -> None:
    small = limit_range(max={"storage": "1Gi"})
    other = it.with_value(small, "other", "metadata", "namespace")
    assert verdict(changed(finished, there(other)), LEGACY)[1] == {}
    mapped = asked(namespaceMapping={"shop": "other"})
    _, codes = verdict(changed(finished, both(there(other), mapped)), LEGACY)
    assert "outside-limit-range" in codes


def test_another_namespace_is_looked_at_where_the_restore_maps_one(finished: World) -> None:
    mapped = both(asked(namespaceMapping={"shop": "drill"}), there(stored_machine(LEGACY)))
    assert verdict(changed(finished, mapped), LEGACY)[1] == {}
    small = it.with_value(quota(persistentvolumeclaims="1"), "drill", "metadata", "namespace")
    assert "quota-too-small" in verdict(changed(finished, both(mapped, there(small))), LEGACY)[1]


def test_a_network_of_the_machines_own_namespace_is_looked_for_where_it_goes(
    finished: World,
) -> None:
    network = {**NETWORK, "metadata": {"name": "blue", "namespace": "lan"}}
    assert verdict(changed(finished, both(NEEDS_NETWORK, there(network))), LEGACY)[1] == {}
    mapped = asked(namespaceMapping={"lan": "drill"})
    _, codes = verdict(changed(finished, both(NEEDS_NETWORK, there(network), mapped)), LEGACY)
    assert "network-not-there" in codes


def test_a_class_that_velero_maps_is_looked_for_by_its_new_name(finished: World) -> None:
    _, codes = verdict(changed(finished, there(MAPPING)), LEGACY)
    assert "storage-class-not-there" in codes


@pytest.mark.parametrize(
    ("beside", "at_target", "cause"),
    [
        (BACKUP, None, "the backup has no copy of its data"),
        (None, BACKUP, "the backup has no copy of its data"),
        (None, it.with_value(BACKUP, "other", "metadata", "name"), ""),
    ],
)
def test_how_files_were_copied_the_backup_says_where_it_is_known(
    finished: World, beside: Item | None, at_target: Item | None, cause: str
) -> None:
    """Where it is not, a policy may have had them copied through a pod that comes back."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "copier", "namespace": "shop"},
        "spec": {
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "legacy-disk"}}],
            "containers": [],
        },
        "status": {"phase": "Running"},
    }

    def change(world: World) -> None:
        without_data("legacy-disk")(world)
        world.stored[Reference("", "pods", "shop", "copier")] = pod
        world.backup = beside
        world.target.extend([at_target] if at_target else [])

    found = examples.machine(changed(finished, change).restored(), LEGACY)
    said = [one.sentence for one in found.judged.findings if one.code == "data-not-restored"]
    assert (cause in str(said)) if cause else not said


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("VirtualMachineClusterInstancetype", "instancetype"),
        ("VirtualMachineClusterPreference", "preference"),
    ],
)
def test_an_instancetype_or_preference_without_a_revision_has_to_be_there(
    finished: World, kind: str, field: str
) -> None:
    """With a revision in the backup a machine starts without the object itself."""
    gone = not_there(kind)
    _, codes = verdict(changed(finished, gone), DB)
    assert codes == {"instancetype-not-there": Weight.DEGRADES}
    without = both(
        put(machine(DB), {}, "status", f"{field}Ref"),
        put(machine(DB), "", "spec", field, "revisionName"),
    )
    _, codes = verdict(changed(finished, both(gone, without)), DB)
    assert codes == {"needs-not-there": Weight.BLOCKS}


def test_an_older_version_that_the_target_still_serves_will_do(finished: World) -> None:
    newer = of_other_version("virtualmachines", "v2")

    def serves_both(world: World) -> None:
        newer(world)
        world.served[:] = [
            one._replace(older=("v1",)) if one.plural == "virtualmachines" else one
            for one in world.served
        ]

    assert verdict(changed(finished, newer), LEGACY)[0] is Verdict.BLOCKED
    assert verdict(changed(finished, serves_both), LEGACY) == (Verdict.READY, {})


def test_what_was_not_read_is_not_missing(finished: World) -> None:
    change = both(not_there("StorageClass"), unread("storageclasses.storage.k8s.io"))
    found, codes = verdict(changed(finished, change), LEGACY)
    assert "storage-class-not-there" not in codes
    assert codes["target-unknown"] is Weight.UNCERTAIN
    assert found is Verdict.DEGRADED


def test_a_pool_takes_its_machines_back(finished: World) -> None:
    owner = {
        "apiVersion": "pool.kubevirt.io/v1beta1",
        "kind": "VirtualMachinePool",
        "name": "p",
        "controller": True,
    }
    owned = put(machine(LEGACY), [owner], "metadata", "ownerReferences")

    def with_pool(world: World) -> None:
        reference = Reference("pool.kubevirt.io", "virtualmachinepools", "shop", "p")
        metadata = {"name": "p", "namespace": "shop"}
        world.stored[reference] = {**owner, "metadata": metadata, "spec": {"replicas": 1}}

    assert "taken-back-by-pool" in verdict(changed(finished, both(owned, with_pool)), LEGACY)[1]


def test_each_item_has_its_result(finished: World) -> None:
    found = finished.restored()
    results = {one.reference: one.result for one in found.restored}
    assert results[machine(LEGACY)] is RestoreResult.CREATED
    assert results.keys() == finished.stored.keys()
    assert found.of == "nightly"


NATIVE_ENTRY = {"backupMethod": "NativeSnapshot", "result": "succeeded"}
BY_PLUGIN = in_book(**NATIVE_ENTRY, nativeSnapshotInfo={"snapshotHandle": "snap-1"})
NOT_SHOWN = {"snapshot-elsewhere": Weight.UNCERTAIN}


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (both(BY_PLUGIN, NATIVE), NOT_SHOWN),
        (both(BY_PLUGIN, without_backup), NOT_SHOWN | {"no-backup-object": Weight.NOTE}),
        (
            both(BY_PLUGIN, NATIVE, asked(restorePVs=False)),
            {"disk-on-its-volume": Weight.UNCERTAIN},
        ),
        (
            both(BY_PLUGIN, NATIVE, asked(excludedResources=["persistentvolumes"])),
            NOT_SHOWN | {"data-not-restored": Weight.BLOCKS},
        ),
        (both(without_data("legacy-disk"), NATIVE), {"data-not-known": Weight.UNCERTAIN}),
        (
            both(without_data("legacy-disk"), without_backup),
            {"data-not-known": Weight.UNCERTAIN, "no-backup-object": Weight.NOTE},
        ),
    ],
)
def test_of_snapshots_by_a_plugin_of_velero_only_what_is_known_is_said(
    finished: World, change: Change, codes: dict[str, Weight]
) -> None:
    """The target may have the volume snapshot location and the storage, or not."""
    assert verdict(changed(finished, change), LEGACY)[1] == codes


def test_snapshots_by_a_plugin_of_velero_are_there_where_they_were_taken(finished: World) -> None:
    change = both(BY_PLUGIN, NATIVE, there(stored_machine(DB)))
    assert verdict(changed(finished, change), LEGACY) == (Verdict.READY, {})


def test_files_that_no_pod_brings_back_are_no_missing_copy(finished: World) -> None:
    found = examples.machine(changed(finished, BY_COPIER).restored(), LEGACY)
    [said] = [one.sentence for one in found.judged.findings if one.code == "data-not-restored"]
    assert "copied as files through pod copier, which the restore does not bring back" in said


NOT_COPIER = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["copier"]}]}


def lost(finished: World, change: Change) -> list[str]:
    found = examples.machine(changed(finished, change).restored(), LEGACY)
    assert {one.code for one in found.judged.findings} <= {"data-not-restored", STARTS_LATER}
    return [one.sentence for one in found.judged.findings if one.code != STARTS_LATER]


def test_a_machine_starts_when_its_files_have_come_back(finished: World) -> None:
    world = changed(finished, WITH_COPIER)
    found = examples.machine(world.restored(), LEGACY)
    assert found.judged.verdict is Verdict.READY
    [said] = [one.sentence for one in found.judged.findings]
    assert said.endswith("put back the files of these disks: legacy-disk (pod copier)")
    [restored] = [one for one in world.restored().restored if one.reference == machine(LEGACY)]
    assert restored.item is not None
    assert restored.item["spec"]["runStrategy"] == "Halted"
    halted = both(WITH_COPIER, put(machine(LEGACY), "Halted", "spec", "runStrategy"))
    assert verdict(changed(finished, halted), LEGACY) == (Verdict.READY, {})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (asked(labelSelector=NOT_COPIER), "its labels do not match the selector of the Restore"),
        (there(COPIER), "exists already, Velero leaves it as it is"),
    ],
)
def test_files_come_back_through_their_pod_if_that_is_created(
    finished: World, change: Change, why: str
) -> None:
    """Velero makes a PodVolumeRestore for a pod that it has created, by its name."""
    assert lost(finished, WITH_COPIER) == []
    [said] = lost(finished, both(WITH_COPIER, change))
    assert f"files through pod copier, which the restore does not bring back: {why}; it" in said


@pytest.mark.parametrize(
    "change",
    [
        asked(excludedResources=["persistentvolumes"]),
        asked(includedResources=["pods", "pvc", "virtualmachines.kubevirt.io"]),
    ],
)
def test_no_files_come_back_where_the_restore_leaves_volumes_out(
    finished: World, change: Change
) -> None:
    """Velero creates the pod, and no PodVolumeRestore."""
    [said] = lost(finished, both(WITH_COPIER, change))
    assert "copied as files through a pod, and the Restore leaves persistentvolumes out" in said


@pytest.mark.parametrize("book", [in_book(), SKIPPED], ids=["no entry", "skipped"])
def test_files_that_a_pod_was_to_bring_and_the_book_has_not_are_lost(
    finished: World, book: Change
) -> None:
    world = changed(finished, both(book, copier))
    found = examples.machine(world.restored(), LEGACY)
    [said] = [one.sentence for one in found.judged.findings if one.code == "data-not-restored"]
    assert "to be copied as files through pod copier, of which Velero has no PodVolumeB" in said
    [restored] = [one for one in world.restored().restored if one.reference == machine(LEGACY)]
    assert pending_start.NOT_STARTED in it.annotations(restored.item or {})


@pytest.mark.parametrize("backup", [lambda _world: None, without_backup], ids=["with", "without"])
def test_files_of_which_no_book_tells_are_neither_lost_nor_waited_for(
    finished: World, backup: Change
) -> None:
    world = changed(finished, both(without_data("legacy-disk"), backup, copier))
    _, codes = verdict(world, LEGACY)
    assert codes.keys() - {"no-backup-object"} == {"data-not-known"}
    [restored] = [one for one in world.restored().restored if one.reference == machine(LEGACY)]
    assert it.text(restored.item or {}, "spec", "runStrategy") == "Always"


def volume_there(phase: str, **fields: object) -> Change:
    """The volume of the machine's disk is in the target, as it was or with other fields."""

    def change(world: World) -> None:
        name = it.text(world.stored[claim("legacy-disk")], "spec", "volumeName")
        stored = world.stored[Reference("", "persistentvolumes", "", name)]
        spec = {**stored["spec"], "persistentVolumeReclaimPolicy": "Retain", **fields}
        kept = {key: value for key, value in spec.items() if value is not None}
        world.target.append({**stored, "spec": kept, "status": {"phase": phase}})

    return change


MAPPED = asked(namespaceMapping={"shop": "drill"})
FREED_SOON = {"persistentVolumeReclaimPolicy": "Delete"}


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (volume_there("Released"), {"data-not-restored": Weight.BLOCKS}),
        (volume_there("Released", **FREED_SOON), {}),
        (both(volume_there("Released"), MAPPED), {}),
        (volume_there("Available", claimRef=None), {"disk-on-its-volume": Weight.UNCERTAIN}),
        (both(volume_there("Available", claimRef=None), MAPPED), {}),
    ],
)
def test_velero_makes_no_volume_of_a_snapshot_while_that_of_before_is_there(
    finished: World, change: Change, codes: dict[str, Weight]
) -> None:
    """With another namespace for the claim it makes one of another name."""
    native = both(BY_PLUGIN, NATIVE)
    assert verdict(changed(finished, both(native, change)), LEGACY)[1] == codes
