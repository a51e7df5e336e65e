"""Each reason: what provokes it, and that it does not hold without that.

All cases are namespaces of one rehearsal. The other half, a machine without the reason, is the same
machine unchanged.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.weight import Weight
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.velero_steps import backup_request, restore_request
from stillpoint.rehearsal.velero_steps.restore import Restoration
from stillpoint.rehearsal.verdict.case import Case, Surroundings
from stillpoint.rehearsal.verdict.reasons import REASONS
from stillpoint.rehearsal.verdict.verdict import Verdict, judge
from tests.unit.rehearsal import examples, world

EXCLUDED = {"velero.io/exclude-from-backup": "true"}
VM, VMI, POD = "VirtualMachine", "VirtualMachineInstance", "Pod"
CLAIM, VOLUME, FILLER = "PersistentVolumeClaim", "PersistentVolume", "DataVolume"


def put(kind: str, name: str, value: object, *path: str) -> world.Change:
    """One field of each object of that kind whose name has these letters."""

    def change(objects: list[Item]) -> None:
        found = [item for item in objects if item["kind"] == kind and name in it.name(item)]
        assert found
        for one in found:
            objects[objects.index(one)] = it.with_value(one, value, *path)

    return change


def without(kind: str, name: str = "") -> world.Change:
    def change(objects: list[Item]) -> None:
        left = [one for one in objects if one["kind"] != kind or name not in it.name(one)]
        assert len(left) < len(objects)
        objects[:] = left

    return change


def both(*changes: world.Change) -> world.Change:
    def change(objects: list[Item]) -> None:
        for one in changes:
            one(objects)

    return change


def condition(kind: str, status: str) -> world.Change:
    def change(objects: list[Item]) -> None:
        instance = examples.find(objects, VMI, "")
        others = [one for one in instance["status"]["conditions"] if one["type"] != kind]
        instance["status"]["conditions"] = [*others, {"type": kind, "status": status}]

    return change


def driver(name: str, classes: int, labelled: int = 0) -> world.Change:
    """Another StorageClass and driver for the disks, with so many snapshot classes."""

    def change(objects: list[Item]) -> None:
        for item in objects:
            if item["kind"] == CLAIM:
                item["spec"]["storageClassName"] = name
            if item["kind"] == VOLUME:
                item["spec"]["csi"]["driver"] = name
        storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": name}
        objects.append({**storage, "metadata": {"name": name}})
        for number in range(classes):
            labels = {"velero.io/csi-volumesnapshot-class": "true"} if number < labelled else {}
            objects.append(
                {
                    "apiVersion": "snapshot.storage.k8s.io/v1",
                    "kind": "VolumeSnapshotClass",
                    "metadata": {"name": f"{name}-{number}", "labels": labels},
                    "driver": name,
                }
            )

    return change


def add_volume(entry: Item) -> world.Change:
    def change(objects: list[Item]) -> None:
        volumes = examples.find(objects, VM, "")["spec"]["template"]["spec"]["volumes"]
        volumes.append(entry)

    return change


def many_disks(objects: list[Item]) -> None:
    """Sixty-one claims, in the instance and in the launcher pod too."""
    claim = examples.find(objects, CLAIM, "legacy-disk")
    launcher, instance = examples.find(objects, POD, "virt-"), examples.find(objects, VMI, "")
    condition("AgentConnected", "True")(objects)
    for number in range(60):
        name = f"data-{number}"
        objects.append(it.with_value(claim, name, "metadata", "name"))
        entry = {"name": name, "persistentVolumeClaim": {"claimName": name}}
        launcher["spec"]["volumes"].append(entry)
        instance["spec"]["volumes"].append(entry)
        add_volume(entry)(objects)


def second_backup(objects: list[Item]) -> None:
    objects.append(
        {
            "apiVersion": "velero.io/v1",
            "kind": "Backup",
            "metadata": {"name": "nightly", "namespace": "velero"},
            "spec": {"includedNamespaces": ["second-backup"]},
            "status": {"phase": "InProgress"},
        }
    )


def not_in_spec(objects: list[Item]) -> None:
    template = examples.find(objects, VM, "web")["spec"]["template"]["spec"]
    template["volumes"] = [one for one in template["volumes"] if one["name"] != "uploads"]
    assert len(template["volumes"]) < len(examples.find(objects, VMI, "web")["spec"]["volumes"])


def add(item: Item) -> world.Change:
    def change(objects: list[Item]) -> None:
        namespace = it.namespace(examples.find(objects, VM, ""))
        objects.append({**item, "metadata": {**item["metadata"], "namespace": namespace}})

    return change


PHASE = ("status", "phase")
OWNERS = ("metadata", "ownerReferences")
MACHINE: Item = {"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "Machine", "name": "m"}
MACHINE |= {"uid": "1", "controller": True}
POOL: Item = {
    "apiVersion": "pool.kubevirt.io/v1beta1",
    "kind": "VirtualMachinePool",
    "name": "till",
}
POOL |= {"uid": "2", "controller": True}
POOL_ITEM: Item = {
    "apiVersion": POOL["apiVersion"],
    "kind": POOL["kind"],
    "metadata": {"name": "till"},
    "spec": {"virtualMachineTemplate": {"spec": {"template": {"spec": {}}}}},
}
COPIER: Item = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "copier", "annotations": {"backup.velero.io/backup-volumes": "d"}},
    "spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "legacy-disk"}}]},
    "status": {"phase": "Running"},
}
ANNOTATIONS, LABELS = ("metadata", "annotations"), ("metadata", "labels")
CASES: dict[str, tuple[str, world.Change]] = {
    "item-failed": ("db", put(VMI, "db", EXCLUDED, *LABELS)),
    "disk-missing": ("db", without(CLAIM, "db-data")),
    "disk-left-out": ("archive", put(CLAIM, "archive-root", EXCLUDED, *LABELS)),
    "disk-being-deleted": (
        "archive",
        put(CLAIM, "archive-root", "2026-11-01T00:00:00Z", "metadata", "deletionTimestamp"),
    ),
    "disk-not-bound": ("archive", put(CLAIM, "archive-root", "Pending", *PHASE)),
    "disk-not-populated": (
        "db",
        both(
            put(FILLER, "db-data", "UploadReady", *PHASE),
            put(FILLER, "db-data", {"upload": {}}, "spec", "source"),
        ),
    ),
    "disk-being-filled": ("db", put(FILLER, "db-data", "ImportInProgress", *PHASE)),
    "made-by-another": ("db", put(VM, "db", [MACHINE], *OWNERS)),
    "taken-back-by-pool": ("db", both(put(VM, "db", [POOL], *OWNERS), add(POOL_ITEM))),
    "without-its-pool": ("db", put(VM, "db", [POOL], *OWNERS)),
    "disk-without-csi": ("db", put(VOLUME, "pvc-", {"nfs": {}}, "spec")),
    "no-storage-class": ("legacy", put(CLAIM, "legacy-disk", "gone", "spec", "storageClassName")),
    "no-snapshot-class": ("legacy", driver("unknown.csi.test", 0)),
    "snapshot-class-not-chosen": ("legacy", driver("two.csi.test", 2)),
    "several-snapshot-classes": ("legacy", driver("both.csi.test", 2, labelled=2)),
    "disk-copied-as-files": (
        "legacy",
        put(POD, "virt-launcher", "root", *ANNOTATIONS, "backup.velero.io/backup-volumes"),
    ),
    "disk-without-way-back": (
        "legacy",
        put(POD, "virt-launcher", "root", *ANNOTATIONS, "backup.velero.io/backup-volumes"),
    ),
    "starts-after-files": (
        "legacy", both(put(CLAIM, "legacy-disk", "Filesystem", "spec", "volumeMode"), add(COPIER)),
    ),
    "snapshot-goes-with-volume": (
        "legacy",
        both(
            driver("driver.longhorn.io", 1),
            put("VolumeSnapshotClass", "driver", {"type": "snap"}, "parameters"),
        ),
    ),
    "data-in-storage": ("db", lambda _objects: None),
    "volume-not-covered": ("db", add_volume({"name": "local", "hostDisk": {"path": "/d"}})),
    "outside-the-backup": ("db", without("Secret", "db-cloud-init")),
    "second-backup": ("db", second_backup),
    "frozen-now": ("db", put(VMI, "db", "frozen", "status", "fsFreezeStatus")),
    "migrating": ("db", put(VMI, "db", {"migrationUid": "1"}, "status", "migrationState")),
    "starting": ("db", put(VMI, "db", "Scheduled", *PHASE)),
    "paused": ("db", condition("Paused", "True")),
    "hooks-off": (
        "db",
        both(
            put(POD, "virt-launcher", {}, *ANNOTATIONS),
            put(VMI, "db", {"kubevirt.io/skip-backup-hooks": "true"}, *ANNOTATIONS),
        ),
    ),
    "hooks-absent": ("db", put(POD, "virt-launcher", {}, *ANNOTATIONS)),
    "agent-not-connected": ("db", condition("AgentConnected", "False")),
    "agent-lacks-commands": ("db", condition("AgentVersionNotSupported", "True")),
    "freeze-too-long": ("legacy", many_disks),
    "freeze-too-long-for-vss": ("db", put(VMI, "db", "mswindows", "status", "guestOSInfo", "id")),
    "disk-not-in-spec": ("web", not_in_spec),
    "state-unknown": ("archive", put(VM, "archive", {}, "status")),
    "disk-unknown": ("archive", put(CLAIM, "archive-root", {}, "status")),
    "contents-unknown": (
        "db",
        add_volume({"name": "sa", "serviceAccount": {"serviceAccountName": "robot"}}),
    ),
    "persistent-state": (
        "db",
        put(VM, "db", {"persistent": True}, *("spec", "template", "spec"), *("domain", "devices"),
            "tpm"),
    ),
    "guest-hooks-unknown": ("db", lambda _objects: None),
    "frozen-window": ("db", lambda _objects: None),
    "needed-at-target": ("db", lambda _objects: None),
}  # fmt: skip
ELSEWHERE = {
    "disk-skipped",
    "disk-saved-by-others",
    "policy-unknown",
    "disk-outside-block",
    "disk-not-cut",
    "disk-not-restored",
    "disk-stays",
    "disk-waits-for-consumer",
    "metadata-only",
    "not-created",
    "exists-in-target",
    "snapshot-gate-off",
    "velero-refuses-policy",
    "plugin-absent",
    "plugin-older",
    "plugin-unknown",
    "disk-taken-apart",
    "disk-left-to-velero",
}
"""Provoked by the Backup, the Restore, KubeVirt's or Velero's objects, in tests of their own."""

MACHINES = {name for name, _ in CASES.values()}
CHANGES_NOTHING = ("guest-hooks-unknown", "needed-at-target", "data-in-storage", "frozen-window")


@pytest.fixture(scope="module")
def found() -> Rehearsal:
    unchanged = {name: (name, lambda _objects: None) for name in MACHINES}
    return examples.rehearsed(world.namespaces({**unchanged, **CASES}))


@pytest.mark.parametrize("code", CASES)
def test_a_reason_holds_where_it_is_provoked(found: Rehearsal, code: str) -> None:
    machine = examples.machine(found, CASES[code][0], code)
    assert code in examples.codes(machine)


@pytest.mark.parametrize("code", [one for one in CASES if one not in CHANGES_NOTHING])
def test_and_does_not_hold_for_the_same_machine_unchanged(found: Rehearsal, code: str) -> None:
    name = CASES[code][0]
    if name == "legacy" and code == "agent-not-connected":
        pytest.fail("legacy has no agent in the first place")
    assert code not in examples.codes(examples.machine(found, name, name))


@pytest.mark.parametrize("code", CASES)
def test_only_what_is_neither_provoked_nor_open_is_ready(found: Rehearsal, code: str) -> None:
    machine = examples.machine(found, CASES[code][0], code)
    weights = {one.code: one.weight for one in machine.judged.findings}
    is_note = weights[code] is Weight.NOTE
    assert (machine.judged.verdict is Verdict.READY) == (
        is_note and set(weights.values()) == {Weight.NOTE}
    )
    assert (machine.judged.verdict is Verdict.BLOCKED) == (Weight.BLOCKS in weights.values())


def test_a_stopped_machine_has_no_freeze_to_speak_of(found: Rehearsal) -> None:
    assert "guest-hooks-unknown" not in examples.codes(
        examples.machine(found, "archive", "archive")
    )


LEVELS = {
    **{one.code: one.level for one in REASONS if one.level and one.code in CASES},
    "second-backup": Level.FILESYSTEM,
    "disk-being-deleted": Level.STOPPED,
}


@pytest.mark.parametrize("code", LEVELS)
def test_the_level_is_what_the_reason_leaves(found: Rehearsal, code: str) -> None:
    assert examples.machine(found, CASES[code][0], code).judged.level is LEVELS[code]


@pytest.mark.parametrize("code", [code for code, level in LEVELS.items() if level is Level.CRASH])
def test_nothing_is_said_of_a_freeze_that_is_not_to_be_expected(
    found: Rehearsal, code: str
) -> None:
    findings = examples.machine(found, CASES[code][0], code).judged.findings
    assert "guest-hooks-unknown" not in {one.code for one in findings}


@pytest.mark.parametrize("code", CASES)
def test_sentences_and_remedies_are_filled_in(found: Rehearsal, code: str) -> None:
    for finding in examples.machine(found, CASES[code][0], code).judged.findings:
        text = finding.sentence + finding.remedy
        assert "{about}" not in text
        assert "{name" not in text
        assert not finding.sentence.endswith(": ")


def test_every_reason_has_its_test() -> None:
    codes = [reason.code for reason in REASONS]
    assert len(codes) == len(set(codes))
    assert set(codes) == CASES.keys() | ELSEWHERE


def test_a_disk_that_no_freeze_covers_is_told() -> None:
    """Our item blocks hold every disk, so the block is taken away here: a net, should one not."""
    found = examples.rehearsed(examples.objects())
    request = backup_request.of_flags([], None)
    restored = Restoration(found.restored, restore_request.plain())
    around = Surroundings.of(found.known, found.selection, request, found.backup, restored)
    case = Case.of(examples.machine(found, "db").reference, around)
    assert "disk-outside-block" not in {one.code for one in judge(case).findings}
    torn = replace(case, block=tuple(one for one in case.block if one.name != "db-data"))
    assert "disk-outside-block" in {one.code for one in judge(torn).findings}
    assert judge(torn).level is Level.MIXED


def asked(change: Callable[[Item], None]) -> Item:
    backup = backup_request.of_flags(["shop"], None)
    change(backup)
    return backup


def test_a_backup_without_snapshots_blocks_unless_metadata_was_asked_for() -> None:
    backup = asked(lambda one: one["spec"].update(snapshotVolumes=False))
    machine = examples.machine(examples.rehearsed(examples.objects(), backup=backup), "db")
    assert machine.judged.findings[0].code == "disk-not-cut"
    assert machine.judged.level is Level.NONE
    backup["metadata"]["labels"] = {"velero.kubevirt.io/metadataBackup": "true"}
    machine = examples.machine(examples.rehearsed(examples.objects(), backup=backup), "db")
    assert "disk-not-cut" not in examples.codes(machine)
    assert "metadata-only" in examples.codes(machine)
    assert machine.judged.verdict is Verdict.DEGRADED


def test_nothing_is_needed_at_the_target_that_the_backup_brings() -> None:
    backup = asked(lambda one: one["spec"].update(includeClusterResources=True))
    machine = examples.machine(examples.rehearsed(examples.objects(), backup=backup), "db")
    assert "needed-at-target" not in examples.codes(machine)


def test_hooks_that_are_off_for_the_whole_cluster_are_found() -> None:
    objects = examples.objects()
    put(POD, "virt-launcher-db", {}, *ANNOTATIONS)(objects)
    objects.append(
        {
            "apiVersion": "kubevirt.io/v1",
            "kind": "KubeVirt",
            "metadata": {
                "name": "kubevirt",
                "namespace": "kubevirt",
                "annotations": {"kubevirt.io/skip-backup-hooks": "true"},
            },
        }
    )
    codes = examples.codes(examples.machine(examples.rehearsed(objects, "shop"), "db"))
    assert "hooks-off" in codes
    assert "hooks-absent" not in codes


@pytest.mark.parametrize(
    ("action", "code", "verdict"),
    [
        ("skip", "disk-skipped", Verdict.BLOCKED),
        ("fs-backup", "disk-without-way-back", Verdict.BLOCKED),
        ("custom", "disk-saved-by-others", Verdict.DEGRADED),
        ("snapshot", "", Verdict.READY),
    ],
)
def test_a_volume_policy_decides_about_the_data_of_disks(
    action: str, code: str, verdict: Verdict
) -> None:
    policies = f"""
version: v1
volumePolicies:
- conditions: {{storageClass: [ceph-block]}}
  action: {{type: {action}}}
"""
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"policies.yaml": policies},
    }
    chosen = {"kind": "configmap", "name": "policies"}
    backup = asked(lambda one: one["spec"].update(resourcePolicy=chosen))
    found = examples.rehearsed([*examples.objects(), config_map], backup=backup)
    machine = examples.machine(found, "archive")
    assert machine.judged.verdict is verdict
    weighty = {one.code for one in machine.judged.findings if one.weight is not Weight.NOTE}
    assert weighty == {code} - {""}


def test_a_policy_that_was_not_read_leaves_the_answer_open() -> None:
    chosen = {"kind": "configmap", "name": "policies"}
    backup = asked(lambda one: one["spec"].update(resourcePolicy=chosen))
    found = examples.rehearsed(examples.objects(), backup=backup)
    machine = examples.machine(found, "archive")
    assert "policy-unknown" in examples.codes(machine)
    assert machine.judged.verdict is Verdict.DEGRADED


STATE_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": "persistent-state-for-db-x7k2p",
        "namespace": "shop",
        "labels": {"persistent-state-for": "db"},
    },
    "spec": {"volumeName": "pv-x", "storageClassName": "ceph-block"},
    "status": {"phase": "Bound"},
}


@pytest.mark.parametrize(
    ("says_so", "is_kept"),
    [
        (put(VMI, "db", {"persistent": True}, "spec", "domain", "devices", "tpm"), True),
        (put(VMI, "db", {}, "spec", "domain", "devices", "tpm"), False),
        (lambda objects: objects.append(STATE_CLAIM), True),
        (
            put(
                "ControllerRevision",
                "db-rhel.9",
                {"persistent": True},
                *("data", "spec", "devices", "preferredTPM"),
            ),
            True,
        ),
    ],
    ids=["instance", "vTPM without a memory", "label of a claim", "revision of the preference"],
)
def test_persistent_state_is_told_wherever_it_comes_from(
    says_so: world.Change, is_kept: bool
) -> None:
    objects = examples.objects()
    says_so(objects)
    machine = examples.machine(examples.rehearsed(objects, "shop"), "db")
    assert ("persistent-state" in examples.codes(machine)) is is_kept


@pytest.mark.parametrize("status", [None, {}, {"phase": ""}])
def test_of_an_instance_without_a_status_nothing_but_that_is_said(status: Item | None) -> None:
    """No status is none that is bad: neither agent nor hook is found wanting."""
    probe: Item = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": "probe", "namespace": "plant"},
        "spec": {"domain": {"devices": {}}},
    }
    found = examples.rehearsed([probe if status is None else {**probe, "status": status}])
    machine = examples.machine(found, "probe", "plant")
    assert examples.codes(machine) == {"state-unknown"}
    assert machine.judged.level is Level.UNKNOWN
