"""Each reason before a snapshot: what provokes it, and that it does not hold without that."""

from collections.abc import Callable
from typing import Any

import pytest

from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.reference import Resource
from stillpoint.resources.disks import persistent_volume_claim, storage_class, storage_profile
from stillpoint.resources.machines import kubevirt
from stillpoint.velero import own_objects
from stillpoint.vm_snapshots import creation
from stillpoint.vm_snapshots.creation import Intended
from stillpoint.vm_snapshots.facts import NamespaceFacts
from stillpoint.vm_snapshots.reasons import SNAPSHOT_REASONS, Effect
from tests.unit.dictionary_reader import DictionaryReader
from tests.unit.rehearsal import examples

Change = Callable[[list[Item]], None]
VM, VMI, POD = "VirtualMachine", "VirtualMachineInstance", "Pod"
CLAIM, FILLER, CLASS = "PersistentVolumeClaim", "DataVolume", "VolumeSnapshotClass"
INSTALLATION = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
    "spec": {"configuration": {"developerConfiguration": {"disabledFeatureGates": ["Snapshot"]}}},
}
BACKUP = {
    "apiVersion": "velero.io/v1",
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero"},
    "spec": {"includedNamespaces": ["shop"]},
    "status": {"phase": "InProgress"},
}


class Account(DictionaryReader):
    """A reader that may not read some resources."""

    def __init__(self, objects: list[Item], *forbidden: Resource) -> None:
        super().__init__(objects)
        self.forbidden = forbidden

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Any:
        if resource in self.forbidden:
            raise Forbidden(str(resource), "cannot list", "forbidden")
        return super().list(resource, namespace, labels)


def objects() -> list[Item]:
    """Those of the examples, with what CDI says of its DataVolumes."""
    return examples.objects()


def intended(objects: list[Item], name: str, *forbidden: Resource) -> Intended:
    facts = NamespaceFacts.read(Account(objects, *forbidden), "shop").machine(name)
    return creation.intended(facts, "one", "", "")


def put(kind: str, name: str, value: object, *path: str) -> Change:
    def change(objects: list[Item]) -> None:
        found = examples.find(objects, kind, name)
        objects[objects.index(found)] = it.with_value(found, value, *path)

    return change


def add(item: Item) -> Change:
    return lambda objects: objects.append(item)


def without(kind: str, name: str = "") -> Change:
    def change(objects: list[Item]) -> None:
        objects[:] = [
            one for one in objects if one["kind"] != kind or not it.name(one).startswith(name)
        ]

    return change


def second_class(objects: list[Item]) -> None:
    found = next(one for one in objects if one["kind"] == CLASS)
    plain = it.without(it.without(found, "metadata", "annotations"), "metadata", "labels")
    objects.append(it.with_value(plain, "other", "metadata", "name"))


def volume(entry: Item, kind: str = VM) -> Change:
    """Another volume of `db`, or of its guest alone."""
    path = ("spec", "template", "spec", "volumes") if kind == VM else ("spec", "volumes")

    def change(objects: list[Item]) -> None:
        found = examples.find(objects, kind, "db")
        volumes = [*it.sequence(found, *path), entry]
        objects[objects.index(found)] = it.with_value(found, volumes, *path)

    return change


def user_of_disks(objects: list[Item]) -> None:
    claim = next(
        it.name(one)
        for one in objects
        if one["kind"] == CLAIM and it.name(one).startswith("archive")
    )
    volumes = [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}]
    objects.append(
        {
            "apiVersion": "v1",
            "kind": POD,
            "metadata": {"name": "browser", "namespace": "shop"},
            "spec": {"volumes": volumes},
            "status": {"phase": "Running"},
        }
    )


def condition(kind: str, status: str) -> Change:
    def change(objects: list[Item]) -> None:
        found = examples.find(objects, VMI, "db")
        others = [one for one in found["status"]["conditions"] if one["type"] != kind]
        found["status"]["conditions"] = [*others, {"type": kind, "status": status}]

    return change


TPM = ("spec", "template", "spec", "domain", "devices", "tpm")
CASES: dict[str, tuple[str, Change]] = {
    "snapshot-gate-off": ("db", add(INSTALLATION)),
    "machine-being-deleted": (
        "db", put(VM, "db", "2026-01-01T00:00:00Z", "metadata", "deletionTimestamp"),
    ),
    "machine-state-unknown": ("archive", put(VM, "archive", {}, "status")),
    "restore-in-progress": ("db", put(VM, "db", "undo", "status", "restoreInProgress")),
    "disk-missing": ("db", without(CLAIM, "db-root")),
    "state-claim-missing": ("db", put(VM, "db", {"persistent": True}, *TPM)),
    "disk-being-deleted": (
        "db", put(CLAIM, "db-root", "2026-01-01T00:00:00Z", "metadata", "deletionTimestamp"),
    ),
    "disk-not-bound": ("db", put(CLAIM, "db-root", "Pending", "status", "phase")),
    "disk-not-populated": ("db", put(FILLER, "db-root", "ImportInProgress", "status", "phase")),
    "snapshot-class-undecided": ("db", second_class),
    "pods-use-disks": ("archive", user_of_disks),
    "migrating": ("db", put(VMI, "db", {"startTimestamp": "x"}, "status", "migrationState")),
    "frozen-by-others": ("db", put(VMI, "db", "frozen", "status", "fsFreezeStatus")),
    "backup-under-way": ("db", add(BACKUP)),
    "no-snapshot-class": ("db", without(CLASS)),
    "no-storage-class": ("db", put(CLAIM, "db-root", None, "spec", "storageClassName")),
    "disk-on-node": ("db", volume({"name": "local", "hostDisk": {"path": "/disk.img"}})),
    "plugged-only": (
        "db", volume({"name": "hot", "persistentVolumeClaim": {"claimName": "hot"}}, VMI),
    ),
    "paused": ("db", condition("Paused", "True")),
    "starting": ("db", put(VMI, "db", "Scheduling", "status", "phase")),
    "agent-not-connected": ("db", condition("AgentConnected", "False")),
    "agent-lacks-commands": ("db", condition("AgentVersionNotSupported", "True")),
    "snapshot-in-progress": ("db", put(VM, "db", "other", "status", "snapshotInProgress")),
}  # fmt: skip
BLIND = {
    "support-unknown": storage_class.RESOURCE,
    "backups-unread": own_objects.BACKUP,
    "gate-unread": kubevirt.RESOURCE,
}


def test_every_reason_has_its_test() -> None:
    assert {row.code for row in SNAPSHOT_REASONS} == {*CASES, *BLIND}


@pytest.mark.parametrize("code", CASES)
def test_a_reason_holds_where_it_is_provoked_and_not_before(code: str) -> None:
    name, change = CASES[code]
    known = objects()
    assert code not in {one.code for one in intended(known, name).findings}
    change(known)
    assert code in {one.code for one in intended(known, name).findings}


@pytest.mark.parametrize("code", BLIND)
def test_what_the_account_may_not_read_is_told(code: str) -> None:
    known = objects()
    put(VM, "db", [], "status", "volumeSnapshotStatuses")(known)
    assert code in {one.code for one in intended(known, "db", BLIND[code]).findings}


@pytest.mark.parametrize(("enabled", "code"), [(True, ""), (False, "no-snapshot-class")])
def test_without_rights_to_storage_classes_kubevirts_own_word_counts(
    enabled: bool, code: str
) -> None:
    known = objects()
    machine = examples.find(known, VM, "db")
    volumes = [one["name"] for one in machine["spec"]["template"]["spec"]["volumes"]]
    said = [{"name": name, "enabled": enabled} for name in volumes]
    put(VM, "db", said, "status", "volumeSnapshotStatuses")(known)
    found = intended(known, "db", storage_class.RESOURCE)
    partial = {one.code for one in found.findings if one.effect is Effect.PARTIAL}
    assert partial == ({code} if code else set())


def test_a_profile_of_cdi_decides_the_class() -> None:
    known = objects()
    claim = examples.find(known, CLAIM, "db-root")
    name = persistent_volume_claim.storage_class(claim)
    known.append(
        {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": storage_profile.RESOURCE.kind,
            "metadata": {"name": name},
            "status": {"snapshotClass": "gone"},
        }
    )
    codes = {one.code for one in intended(known, "db").findings}
    assert "no-snapshot-class" in codes


def test_a_machine_that_may_not_be_read_is_an_error_not_a_guess() -> None:
    with pytest.raises(ReadFailed):
        intended(objects(), "db", persistent_volume_claim.RESOURCE)


@pytest.mark.parametrize(
    ("name", "change", "level"),
    [
        ("db", lambda _: None, Level.FILESYSTEM),
        ("archive", lambda _: None, Level.STOPPED),
        ("legacy", lambda _: None, Level.CRASH),
        ("db", condition("Paused", "True"), Level.PAUSED),
        ("db", without(CLASS), Level.NONE),
    ],
)
def test_the_level_to_expect(name: str, change: Change, level: Level) -> None:
    known = objects()
    change(known)
    assert intended(known, name).expected is level
