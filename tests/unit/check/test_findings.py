"""Each finding: what provokes it, in a good installation that has none.

Any two changes give both codes, and no other that neither gives alone.
"""

import json
import shlex
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import pytest
import yaml

from stillpoint.check import registry, report, rights
from stillpoint.check.case import Case
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.velero.selection.discovery import Discovery
from stillpoint.velero.volumes import own_snapshots
from tests.unit.check import world
from tests.unit.check.world import OPENSHIFT, VELERO, Change, put

RBAC = Path(__file__).parents[3] / "docs/install/rbac.yaml"
DPA, SERVER, AGENT = "DataProtectionApplication", "Deployment", "DaemonSet"
LOCATION, CLASS, SECRET = "BackupStorageLocation", "VolumeSnapshotClass", "Secret"
CONFIGURATION = ("spec", "configuration")


def both(*changes: Change) -> Change:
    def change(of: list[Item]) -> None:
        for one in changes:
            one(of)

    return change


def condition(kind: str, status: str, message: str) -> Change:
    def change(of: list[Item]) -> None:
        (one,) = (one for one in of if one["kind"] == DPA)
        conditions = one["status"]["conditions"]
        others = [each for each in conditions if each["type"] != kind]
        one["status"]["conditions"] = [
            *others,
            {"type": kind, "status": status, "message": message},
        ]

    return change


def plugins(*names: str) -> Change:
    return put(DPA, list(names), *CONFIGURATION, "velero", "defaultPlugins")


def version(kind: str, text: str) -> Change:
    fields = {
        "KubeVirt": ("status", "observedKubeVirtVersion"),
        "ClusterServiceVersion": ("spec", "version"),
    }
    return put(kind, text, *fields[kind])


def image(name: str) -> Change:
    def change(of: list[Item]) -> None:
        (one,) = (one for one in of if one["kind"] == SERVER)
        one["spec"]["template"]["spec"]["containers"][0]["image"] = name

    return change


def setting(value: object, *path: str) -> Change:
    """Of a location, and of the DataProtectionApplication that it is made of."""
    return put(LOCATION, value, "spec", *path)


def no_location(of: list[Item]) -> None:
    world.without(LOCATION)(of)
    put(DPA, [], "spec", "backupLocations")(of)


def no_installation(of: list[Item]) -> None:
    for kind in (LOCATION, DPA, SERVER):
        world.without(kind)(of)


def marked(*names: str) -> Change:
    """Only these classes of the driver, each with Velero's label."""

    def change(of: list[Item]) -> None:
        for one in [one for one in of if one["kind"] == CLASS]:
            one["metadata"]["labels"] = {world.CHOSEN: "true"} if it.name(one) in names else {}

    return change


def schedule(value: object, *path: str) -> Change:
    return put("Schedule", value, "spec", "template", *path)


def policy(text: str) -> Change:
    return put("ConfigMap", {"policies.yaml": text}, "data", name="policies")


def driver_policy(driver: str, action: str = "snapshot") -> Change:
    return policy(
        "version: v1\nvolumePolicies:\n"
        f"- conditions: {{csi: {{driver: '{driver}'}}}}\n  action: {{type: {action}}}\n"
    )


def left_behind(of_backup: str = "openshift-adp/deleted", *, is_archived: bool = False) -> Change:
    """A VolumeSnapshot that the plugin took for a backup."""

    def change(of: list[Item]) -> None:
        claim = {"metadata": {"name": "db-root", "namespace": "shop", "uid": "u-1"}}
        namespace, _slash, name = of_backup.partition("/")
        backup = {"metadata": {"name": name, "namespace": namespace, "uid": "b-1"}}
        snapshot = own_snapshots.new(claim, backup, "fast", "group")
        if not of_backup:
            del snapshot["metadata"]["annotations"]
        if is_archived:
            snapshot["metadata"]["annotations"] |= {"velero.io/csi-volumesnapshot-handle": "s-1"}
        of.append(snapshot)
        for one in of:
            if one["kind"] == "Backup" and it.name(one) == name:
                one["metadata"]["uid"] = "b-1"

    return change


def user_s_own(of: list[Item]) -> None:
    metadata = {"name": "mine", "namespace": "shop"}
    of.append({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
               "metadata": metadata, "spec": {}})  # fmt: skip


HOOK = "pre.hook.backup.velero.io/timeout"

CASES: dict[str, Change] = {
    "velero-too-old": both(
        version("ClusterServiceVersion", "1.4.3"),
        put("ClusterVersion", [{"state": "Completed", "version": "4.18.2"}], "status", "history"),
        put("HyperConverged", [{"name": "operator", "version": "4.18.1"}], "status", "versions"),
    ),
    "versions-do-not-fit": image("velero/velero:v1.15.2"),
    "version-not-in-matrix": version("KubeVirt", "v1.10.0"),
    "no-kubevirt": world.without("KubeVirt"),
    "kubevirt-too-old": both(version("KubeVirt", "v1.3.1"), world.without("Pod")),
    "no-velero": no_installation,
    "dpa-missing": world.without(DPA),
    "several-dpas": world.copied(DPA, "second"),
    "dpa-without-operator": both(
        world.without("ClusterServiceVersion"),
        put(DPA, {}, "status"),
        image("velero/velero:v1.16.2"),
    ),
    "dpa-not-reconciled": condition("Reconciled", "False", "secret not found"),
    "dpa-part-not-ready": condition("KubevirtDatamoverReady", "False", "0/1 replicas ready"),
    "openshift-plugin-missing": plugins("csi", "aws"),
    "csi-missing": plugins("openshift", "aws"),
    "kubevirt-plugin-asked-for": plugins("openshift", "csi", "aws", "kubevirt"),
    "resource-timeout-short": put(DPA, "1m30s", *CONFIGURATION, "velero", "resourceTimeout"),
    "node-agent-not-asked-for": put(DPA, False, *CONFIGURATION, "nodeAgent", "enable"),
    "uploader-not-kopia": put(DPA, "restic", *CONFIGURATION, "nodeAgent", "uploaderType"),
    "node-selector-without-node": put("Node", {}, "metadata", "labels"),
    "files-copied-by-default": put(DPA, True, *CONFIGURATION, "velero", "defaultVolumesToFSBackup"),
    "no-default-location-incomplete": put(
        DPA, True, *CONFIGURATION, "velero", "noDefaultBackupLocation"
    ),
    "images-without-prefix": both(
        world.off(DPA, "spec", "backupImages"),
        put(
            DPA,
            [{"name": "default", "velero": {"provider": "aws", "objectStorage": {"bucket": "b"}}}],
            "spec",
            "backupLocations",
        ),
    ),
    "unsupported-overrides": put(DPA, {"veleroImageFqin": "x"}, "spec", "unsupportedOverrides"),
    "no-server": world.without(SERVER),
    "velero-not-ready": put(SERVER, {"replicas": 1}, "status"),
    "plugin-missing": world.without_plugin("stillpoint"),
    "plugin-twice": world.plugin("other", "registry.example.com/stillpoint:0.3.0"),
    "kubevirt-plugin-beside": world.plugin(
        "kubevirt-velero-plugin", "quay.io/kubevirt/kubevirt-velero-plugin:v0.8.0"
    ),
    "csi-feature-off": world.argument(SERVER, "--features=EnableCSI", ""),
    "server-copies-files": world.argument(
        SERVER, "--default-volumes-to-fs-backup=false", "--default-volumes-to-fs-backup"
    ),
    "no-node-agent": world.without(AGENT),
    "node-agents-not-ready": put(AGENT, 0, "status", "numberReady"),
    "no-location": no_location,
    "location-unavailable": put(LOCATION, "Unavailable", "status", "phase"),
    "location-not-validated": world.off(LOCATION, "status", "lastValidationTime"),
    "location-validation-old": put(
        LOCATION, "2026-11-01T11:49:00Z", "status", "lastValidationTime"
    ),
    "location-validation-off": setting("0s", "validationFrequency"),
    "location-read-only": setting("ReadOnly", "accessMode"),
    "no-default-location": both(
        setting(False, "default"),
        put(LOCATION, "other", "metadata", "name"),
        put(DPA, [], "spec", "backupLocations"),
    ),
    "several-default-locations": world.copied(
        LOCATION, "second", put(LOCATION, "there", "spec", "objectStorage", "prefix")
    ),
    "location-without-bucket": setting("", "objectStorage", "bucket"),
    "location-shares-folder": world.copied(
        LOCATION,
        "second",
        put(LOCATION, "here/again", "spec", "objectStorage", "prefix"),
        setting(False, "default"),
    ),
    "provider-plugin-missing": world.without_plugin("velero-plugin-for-aws"),
    "location-secret-missing": world.without(SECRET),
    "location-key-missing": put(SECRET, {"credentials": "eA=="}, "data"),
    "location-settings-missing": setting({"s3Url": "https://store.example.com"}, "config"),
    "location-tls-unverified": setting(
        {"region": "eu-west-1", "insecureSkipTLSVerify": "true"}, "config"
    ),
    "location-with-two-authorities": both(
        setting("eA==", "objectStorage", "caCert"),
        setting({"name": "cloud-credentials", "key": "cloud"}, "objectStorage", "caCertRef"),
    ),
    "disk-without-csi": put("PersistentVolume", {"nfs": {}}, "spec"),
    "no-snapshot-class": put(CLASS, "another.csi.example.com", "driver"),
    "snapshot-class-not-chosen": both(world.copied(CLASS, "slow"), marked()),
    "several-snapshot-classes": both(world.copied(CLASS, "slow"), marked("fast", "slow")),
    "snapshots-deleted-with-object": put(CLASS, "Delete", "deletionPolicy"),
    "snapshots-die-with-volume": both(
        put(CLASS, "driver.longhorn.io", "driver"),
        put("PersistentVolume", "driver.longhorn.io", "spec", "csi", "driver"),
        driver_policy("driver.longhorn.io"),
        put(CLASS, {"type": "snap"}, "parameters"),
        put(DPA, False, *CONFIGURATION, "velero", "defaultSnapshotMoveData"),
        world.argument(SERVER, "--default-snapshot-move-data=true", ""),
    ),
    "moved-data-waits-for-consumer": both(
        put("StorageClass", "WaitForFirstConsumer", "volumeBindingMode"),
        put("ConfigMap", {"node-agent-config": "{}"}, "data", name="node-agent"),
    ),
    "storage-profile-empty": put("StorageProfile", {}, "status"),
    "item-operations-end-early": world.argument(SERVER, "", "--default-item-operation-timeout=10m"),
    "early-polling-off": both(
        image("velero/velero:v1.18.3"), version("ClusterServiceVersion", "1.6.0")
    ),
    "concurrent-backups": world.argument(SERVER, "", "--concurrent-backups=3"),
    "kubevirt-not-deployed": put("KubeVirt", "Deploying", "status", "phase"),
    "hyperconverged-degraded": put(
        "HyperConverged",
        [{"type": "Available", "status": "False", "message": "KubeVirt is not available"}],
        "status",
        "conditions",
    ),
    "hooks-skipped-everywhere": put(
        "KubeVirt", {"kubevirt.io/skip-backup-hooks": "true"}, "metadata", "annotations"
    ),
    "hook-shorter-than-freeze": both(
        version("KubeVirt", "v1.8.1"), put("Pod", "30s", "metadata", "annotations", HOOK)
    ),
    "snapshot-gate-off": put("KubeVirt", {}, "spec"),
    "incremental-gate-off": plugins("openshift", "csi", "aws", "kubevirt-datamover"),
    "serial-log-off": put(
        "KubeVirt", {}, "spec", "configuration", "virtualMachineOptions", "disableSerialConsoleLog"
    ),
    "no-schedule": world.without("Schedule"),
    "schedule-paused": put("Schedule", True, "spec", "paused"),
    "schedule-invalid": put("Schedule", ["no such cron"], "status", "validationErrors"),
    "schedule-without-location": schedule("nowhere", "storageLocation"),
    "schedule-copies-files": schedule(True, "defaultVolumesToFsBackup"),
    "schedule-expires-early": schedule("1h", "ttl"),
    "snapshot-wait-beyond-thaw": world.off("Schedule", "spec", "template", "csiSnapshotTimeout"),
    "schedule-policy-missing": schedule("others", "resourcePolicy", "name"),
    "schedule-policy-invalid": policy("version: v1\nvolumePolicies: [{action: {type: fly}}]"),
    "policy-driver-pattern": driver_policy("*.csi.example.com"),
    "policy-misses-driver": driver_policy("other.csi.example.com"),
    "no-group-snapshot-class": policy(
        "version: v1\nvolumePolicies:\n- conditions: {csi: {}}\n"
        "  action: {type: custom, parameters: {snapshotter: stillpoint, group: true}}\n"
    ),
    "machine-without-schedule": schedule(["elsewhere"], "includedNamespaces"),
    "last-backup-failed": put("Backup", "PartiallyFailed", "status", "phase"),
    "snapshots-left-behind": left_behind(),
    "backup-stuck": world.copied(
        "Backup",
        "by-hand",
        put("Backup", {}, "metadata", "labels"),
        put("Backup", {"phase": "InProgress", "startTimestamp": "2026-10-30T01:00:00Z"}, "status"),
    ),
}
"""By code, what provokes it; each in a good installation with OADP."""

BY_OTHER_WAYS = {"no-snapshot-api", "rights-missing", "optional-rights-missing"}
"""Of what no object says: see below."""


def test_every_finding_has_its_test() -> None:
    rows = {row.code for _, row in registry.rows()}
    assert CASES.keys() | BY_OTHER_WAYS == rows


def phase_of_backup(phase: str) -> Change:
    return put("Backup", phase, "status", "phase")


@pytest.mark.parametrize(
    "changes",
    [
        (left_behind("openshift-adp/nightly-1"), phase_of_backup("Failed")),
        (left_behind("openshift-adp/nightly-1", is_archived=True), phase_of_backup("Failed")),
        (left_behind("openshift-adp/nightly-1"),),
    ],
    ids=["failed", "failed before its archive was stored", "ended without it"],
)
def test_a_snapshot_that_no_archive_has_is_named_with_the_command_to_delete_it(
    changes: tuple[Change, ...],
) -> None:
    found = world.judged(*changes)
    [finding] = [one for one in found.findings if one.row.code == "snapshots-left-behind"]
    [subject] = finding.subjects
    name = subject.remedy.removeprefix("kubectl delete volumesnapshots -n shop ")
    assert name.startswith("velero-db-root-")
    assert subject.about == f"namespace shop: {name}"


def test_a_former_member_of_a_group_is_released_before_it_is_deleted() -> None:
    """Otherwise its bytes would stay; what it says of its content may be a lie."""

    def freed(of: list[Item]) -> None:
        left_behind()(of)
        of[-1]["metadata"] |= {"uid": "u-2"}
        of[-1]["metadata"]["annotations"] |= {"stillpoint.dev/seal": "x"}
        of[-1]["status"] = {"boundVolumeSnapshotContentName": "content; reboot"}

    found = world.judged(freed)
    [finding] = [one for one in found.findings if one.row.code == "snapshots-left-behind"]
    patch, _, delete = finding.subjects[0].remedy.rpartition("; ")
    *words, change, _end, name = shlex.split(patch)
    assert " ".join(words) == (
        "kubectl patch volumesnapshotcontents --subresource=status --type=json"
    )
    assert name == "content; reboot"
    assert json.loads(change.removeprefix("--patch=")) == [
        {"op": "test", "path": "/spec/volumeSnapshotRef/uid", "value": "u-2"},
        {"op": "remove", "path": "/status/volumeGroupSnapshotHandle"},
    ]
    assert delete.startswith("kubectl delete volumesnapshots -n shop velero-db-root-")


@pytest.mark.parametrize(
    "changes",
    [
        (left_behind(is_archived=True),),
        (left_behind("openshift-adp/nightly-1"), phase_of_backup("InProgress")),
        (left_behind("another-velero/nightly"),),
        (user_s_own,),
    ],
    ids=["archived", "under way", "of another Velero", "a user's own"],
)
def test_a_snapshot_that_somebody_has_or_may_have_is_not_left_behind(
    changes: tuple[Change, ...],
) -> None:
    found = world.judged(*changes)
    assert "snapshots-left-behind" not in world.codes(found) | world.open_codes(found)


def test_a_snapshot_that_names_no_backup_is_not_to_be_deleted() -> None:
    found = world.judged(left_behind(""))
    assert world.codes(found) == set()
    assert world.open_codes(found) == {"snapshots-left-behind"}


def test_codes_are_used_once() -> None:
    found = [row.code for _, row in registry.rows()]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("file", [OPENSHIFT, VELERO], ids=["OADP", "Velero"])
def test_a_good_installation_has_no_finding(file: Path) -> None:
    found = world.judged(file=file)
    assert world.codes(found) == set()
    assert found.open == ()


@pytest.mark.parametrize("code", CASES)
def test_what_provokes_a_finding_gives_that_one(code: str) -> None:
    found = world.judged(CASES[code])
    assert world.codes(found) == {code}
    assert world.open_codes(found) == set()


OF_VELERO = {
    row.code
    for area, row in registry.rows()
    if area.name in ("set-up", "running", "locations", "schedules") and row.code != "no-velero"
} | {
    "velero-too-old",
    "versions-do-not-fit",
    "moved-data-waits-for-consumer",
    "snapshots-left-behind",
}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("30d", "ttl"),
        ("5 minutes", "csiSnapshotTimeout"),
        ("4", "itemOperationTimeout"),
    ],
)
def test_a_span_that_velero_cannot_read_is_found(value: str, field: str) -> None:
    assert "schedule-invalid" in world.codes(world.judged(schedule(value, field)))


def test_a_name_that_no_backup_can_have_as_a_label_is_found() -> None:
    named = put("Schedule", "nightly-" + "a" * 55, "metadata", "name")
    assert "schedule-invalid" not in world.codes(world.judged(named))
    named = put("Schedule", "nightly-" + "a" * 56, "metadata", "name")
    assert "schedule-invalid" in world.codes(world.judged(named))


HIDES = {
    "no-velero": OF_VELERO,
    "versions-do-not-fit": {"velero-too-old"},
    "no-kubevirt": {"incremental-gate-off"},
    "dpa-missing": {"node-selector-without-node"},
    "no-server": {"dpa-missing", "no-node-agent"},
    "no-location": {
        "provider-plugin-missing",
        "location-secret-missing",
        "location-key-missing",
    },
    "disk-without-csi": {
        "no-snapshot-class",
        "snapshot-class-not-chosen",
        "several-snapshot-classes",
        "snapshots-deleted-with-object",
        "policy-misses-driver",
        "no-group-snapshot-class",
    },
    "no-schedule": {
        "schedule-policy-invalid",
        "policy-driver-pattern",
        "policy-misses-driver",
        "no-group-snapshot-class",
        "last-backup-failed",
    },
    "schedule-policy-missing": {
        "schedule-policy-invalid",
        "policy-driver-pattern",
        "policy-misses-driver",
        "no-group-snapshot-class",
    },
    "snapshots-die-with-volume": {"no-node-agent", "moved-data-waits-for-consumer"},
}
"""What is no question any more where another thing is missing: data that nobody moves, say."""


def test_any_two_changes_of_different_objects_give_both_codes() -> None:
    base = world.objects()
    touched = {code: touched_by(change, base) for code, change in CASES.items()}
    pairs = [pair for pair in combinations(CASES, 2) if not touched[pair[0]] & touched[pair[1]]]
    assert len(pairs) > 2000
    for one, other in pairs[::3]:  # all of them take a quarter of a minute
        found = world.codes(world.judged(CASES[one], CASES[other]))
        assert found == {one, other} - HIDES.get(one, set()) - HIDES.get(other, set())


def touched_by(change: Change, base: list[Item]) -> set[str]:
    """Kinds of the objects that it changes."""
    changed = world.objects()
    change(changed)
    kept = [one for one in base if one in changed]
    return {one["kind"] for one in (*base, *changed) if one not in kept}


@pytest.mark.parametrize("resource", sorted(world.EVERY))
@pytest.mark.parametrize("file", [OPENSHIFT, VELERO], ids=["OADP", "Velero"])
def test_what_may_not_be_read_is_said_and_never_found_wanting(resource: str, file: Path) -> None:
    found = report.judge(world.case(world.objects(file), unread=[resource]))
    assert world.codes(found) == set()
    if file is OPENSHIFT and resource not in FOR_VERSIONS:
        causes = [cause for one in found.open for cause in one.causes]
        assert any(resource.partition(".")[0][:-1] in cause for cause in causes)


FOR_VERSIONS = {
    "volumegroupsnapshotclasses.groupsnapshot.storage.k8s.io",
    "cdis.cdi.kubevirt.io",
    "storageclasses.storage.k8s.io",
    "persistentvolumes",
    "configmaps",
}
"""Without these the answer is the same, or their lack is said in other words."""


def test_without_the_right_to_read_secrets_the_rest_is_judged() -> None:
    of = world.objects()
    put(LOCATION, "Unavailable", "status", "phase")(of)
    found = report.judge(world.case(of, unread=["secrets"]))
    assert world.codes(found) == {"location-unavailable"}
    assert world.open_codes(found) == {"location-secret-missing", "location-key-missing"}


def test_rights_that_the_plugin_lacks_are_found() -> None:
    found = world.lacking(rights.Right("kubevirt.io", "virtualmachines", "patch"))
    (finding,) = (one for one in found.findings if one.row.code == "rights-missing")
    account = "service account openshift-adp/velero"
    assert finding.subjects[0].about == f"{account}: patch virtualmachines.kubevirt.io"
    optional = world.lacking(rights.Right("", "secrets", "get", rights.SECRETS))
    assert world.codes(optional) & BY_OTHER_WAYS == {"optional-rights-missing"}


def test_a_right_that_two_parts_need_is_named_once() -> None:
    group, resource = "snapshot.storage.k8s.io", "volumesnapshots"
    found = world.lacking(
        *(rights.Right(group, resource, "patch", role) for role in (rights.GROUPS, rights.EVIDENCE))
    )
    (finding,) = (one for one in found.findings if one.row.code == "optional-rights-missing")
    assert finding.subjects[0].about.endswith(": patch volumesnapshots.snapshot.storage.k8s.io")


def test_the_rights_are_those_of_the_manifest() -> None:
    found = set()
    for manifest in yaml.safe_load_all(RBAC.read_text()):
        role = manifest["metadata"]["name"]
        for rule in manifest.get("rules", ()):
            for group, name, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"]):
                found.add(rights.Right(group, name, verb, role, manifest["kind"] == "Role"))
    assert found == set(rights.NEEDED)


def test_an_api_that_is_not_served_is_found() -> None:
    of = world.objects()
    world.without(CLASS)(of)
    case = world.case(of)
    others = [one for one in case.known.discovery.served if one.plural != "volumesnapshotclasses"]
    known = replace(case.known, discovery=Discovery(others))
    found = report.judge(Case(known, {}, (), world.NOW))
    assert "no-snapshot-api" in world.codes(found)


def subjects(found: report.Report, code: str) -> list[str]:
    return [each.about for one in found.findings if one.row.code == code for each in one.subjects]


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("velero-plugin-for-aws:v1.11.0", "takes 1.14"),
        ("velero-plugin-for-microsoft-azure:v1.13.1", "takes 1.14"),
        ("velero-plugin-for-gcp:v1.14.2", ""),
        ("velero-plugin-for-aws@sha256:0a", ""),
        ("other:v1.0.0", ""),
    ],
)
def test_a_providers_plugin_for_another_velero_is_found(provider: str, text: str) -> None:
    change = world.plugin("more", f"registry.example.com/velero/{provider}")
    found = subjects(world.judged(change, file=VELERO), "versions-do-not-fit")
    assert [text in one for one in found] == [True] * bool(text)


def snapshotter(tag: str) -> Change:
    containers = [{"name": "x", "image": f"registry.example.com/x/snapshot-controller{tag}"}]
    return put("Pod", containers, "spec", "containers", name="snapshot-controller")


@pytest.mark.parametrize(
    ("tag", "code", "told"),
    [
        (":v3.0.3", "versions-do-not-fit", "3.0"),
        (":v4.0.0", "", "4.0"),
        (":v8.6.1", "", "8.6"),
        (":v8.7.0", "version-not-in-matrix", "8.7"),
        ("@sha256:0a", "", "not known"),
    ],
)
def test_the_version_of_external_snapshotter_is_said(tag: str, code: str, told: str) -> None:
    found = world.judged(snapshotter(tag), file=VELERO)
    assert world.codes(found) == ({code} if code else set())
    assert f"external-snapshotter {told}" in found.versions
    assert found.open == ()


def test_openshift_virtualization_is_of_the_same_version_as_openshift() -> None:
    versions = [{"name": "operator", "version": "4.18.9"}]
    found = world.judged(put("HyperConverged", versions, "status", "versions"))
    text = "OpenShift Virtualization 4.18 is for OpenShift 4.18, not 4.19"
    assert subjects(found, "versions-do-not-fit") == [text]
    upstream = [{"name": "operator", "version": "1.15.0"}]
    assert not world.codes(world.judged(put("HyperConverged", upstream, "status", "versions")))


def test_the_version_of_the_plugin_is_said() -> None:
    assert "stillpoint 0.4.0 in openshift-adp" in world.judged().versions
