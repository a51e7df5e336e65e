"""Rehearsals of backups whose snapshots the plugin takes, or could take."""

import json
import shlex
from typing import Any

import pytest
import yaml

from stillpoint.cli.output import document
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.velero_steps import backup_request
from stillpoint.rehearsal.verdict.verdict import Verdict
from stillpoint.velero.volumes.policy import Policy
from tests.unit.rehearsal import examples

OURS = "{type: custom, parameters: {snapshotter: stillpoint}}"
ALL_OURS = f"{{conditions: {{}}, action: {OURS}}}"
ANNOTATED = {"stillpoint.dev/snapshotter": "all"}
DATA = "pvcLabels: {app: db}"


def rehearsed(
    *policies: str, server: Item | None = None, objects: Any = None, **backup: Any
) -> Rehearsal:
    """The examples under these policies, and this server of Velero.

    Args:
        backup: fields of the Backup's spec; `annotations` are its own.
    """
    asked = backup_request.of_flags(["shop"], None)
    asked["metadata"]["annotations"] = backup.pop("annotations", {})
    asked["spec"] |= backup
    of = list(examples.objects() if objects is None else objects)
    if policies:
        asked["spec"]["resourcePolicy"] = {"kind": "configmap", "name": "policies"}
        of.append(config_map(f"{{version: v1, volumePolicies: [{', '.join(policies)}]}}"))
    return examples.rehearsed([*of, *([server] if server else [])], backup=asked)


def config_map(text: str) -> Item:
    metadata = {"name": "policies", "namespace": "velero"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"p": text}}


def server(image: str = "velero/velero:v1.18.3", *plugins: Item, **env: str) -> Item:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    pod = {
        "initContainers": list(plugins),
        "containers": [{"name": "velero", "image": image, "env": variables}],
    }
    metadata = {"name": "velero", "namespace": "velero"}
    spec = {"template": {"spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


PLUGIN: Item = {"name": "our-stillpoint", "image": "registry/our/stillpoint:99.0.0"}


def frozen(found: Rehearsal, name: str) -> Any:
    machines = document.document(found)["machines"]
    return next(one["frozenSeconds"] for one in machines if one["name"] == name)


def remedy(machine: Machine, code: str) -> str:
    return next(one.remedy for one in machine.judged.findings if one.code == code)


def sentence(machine: Machine, code: str) -> str:
    return next(one.sentence for one in machine.judged.findings if one.code == code)


def test_the_window_is_known_with_and_without_the_plugin() -> None:
    by_velero, by_plugin = rehearsed(), rehearsed(ALL_OURS, server=server("", PLUGIN))
    assert frozen(by_velero, "db") == {"expected": 10, "byVelero": 10, "byPlugin": 1}
    assert frozen(by_plugin, "db") == {"expected": 1, "byVelero": 10, "byPlugin": 1}
    for stands_still in ("archive", "legacy"):  # stopped, and without an agent
        assert frozen(by_plugin, stands_still) is None
    text = sentence(examples.machine(by_velero, "db"), "frozen-window")
    assert text.endswith("10 s or more, about 1 s if the plugin took the snapshots")
    text = sentence(examples.machine(by_plugin, "db"), "frozen-window")
    assert text.endswith("about 1 s, 10 s or more if Velero took the snapshots")


def test_velero_may_look_each_second() -> None:
    early = server("velero:v1.18.1", CSI_SNAPSHOT_EARLY_FREQUENT_POLLING="true")
    found = rehearsed(server=early)
    assert frozen(found, "reports") == {"expected": 2, "byVelero": 2, "byPlugin": 1}
    assert "freeze-too-long-for-vss" not in examples.codes(examples.machine(found, "reports"))
    for ignored in (
        server("velero:v1.18.0", CSI_SNAPSHOT_EARLY_FREQUENT_POLLING="true"),
        server("velero:v1.18.3", CSI_SNAPSHOT_EARLY_FREQUENT_POLLING="yes"),
    ):
        assert frozen(rehearsed(server=ignored), "reports")["expected"] == 10


@pytest.mark.parametrize("backup", [{}, {"snapshotVolumes": False, "annotations": ANNOTATED}])
def test_windows_is_ready_when_the_plugin_takes_the_snapshots(backup: Item) -> None:
    policies = [] if backup else [ALL_OURS]
    machine = examples.machine(rehearsed(*policies, server=server("", PLUGIN), **backup), "reports")
    assert machine.judged.verdict is Verdict.READY, examples.codes(machine)
    assert machine.judged.level is Level.FILESYSTEM


def test_the_remedy_for_a_long_freeze_is_a_policy_with_the_drivers_of_its_disks() -> None:
    objects = examples.objects()
    volume = next(
        one
        for one in objects
        if one["kind"] == "PersistentVolume" and one["spec"]["claimRef"]["name"] == "reports-root"
    )
    volume["spec"]["csi"]["driver"] = """it's "1.0".io"""
    machine = examples.machine(rehearsed(objects=objects), "reports")
    words = shlex.split(remedy(machine, "freeze-too-long-for-vss").partition("): ")[2])
    assert words[:6] == ["oc", "create", "configmap", "stillpoint-snapshots", "-n", "velero"]
    text = words[6].removeprefix("--from-literal=policies=")
    drivers = [one["conditions"]["csi"]["driver"] for one in yaml.safe_load(text)["volumePolicies"]]
    assert drivers == ["""it's "1.0".io""", "rbd.csi.ceph.com"]
    policies = Policy.parse(config_map(text))
    policies.check()
    again = rehearsed(
        *[json.dumps(one) for one in yaml.safe_load(text)["volumePolicies"]],
        objects=objects,
        server=server("", PLUGIN),
    )
    assert frozen(again, "reports")["expected"] == 1


def test_the_remedy_fits_what_the_backup_and_velero_have() -> None:
    other = "{conditions: {pvcPhase: [Pending]}, action: {type: skip}}"
    code = "freeze-too-long-for-vss"
    with_policies = remedy(examples.machine(rehearsed(other), "reports"), code)
    assert (
        "put first into volumePolicies of ConfigMap velero/policies: [{conditions" in with_policies
    )
    assert "second best, about 2 s: CSI_SNAPSHOT_EARLY_FREQUENT_POLLING=true" in with_policies
    assert "before Velero 1.18 snapshotVolumes: false" in with_policies
    new = remedy(examples.machine(rehearsed(server=server()), "reports"), code)
    assert "before Velero 1.18" not in new
    old = remedy(examples.machine(rehearsed(server=server("velero:v1.16.2")), "reports"), code)
    assert "configmap" not in old
    assert "snapshotVolumes: false and the annotation stillpoint.dev/snapshotter=all" in old


def test_disks_that_velero_takes_beside_the_plugins_make_the_freeze_longer() -> None:
    found = rehearsed("{conditions: {csi: {driver: no.such}}, action: {type: skip}}", ALL_OURS)
    assert "disk-left-to-velero" not in examples.codes(examples.machine(found, "db"))
    objects = examples.objects()
    examples.find(objects, "PersistentVolumeClaim", "db-data")["metadata"]["labels"] = {"app": "db"}
    by_velero = f"{{conditions: {{{DATA}}}, action: {{type: snapshot}}}}"
    found = rehearsed(by_velero, ALL_OURS, objects=objects, server=server("", PLUGIN))
    machine = examples.machine(found, "db")
    assert sentence(machine, "disk-left-to-velero").endswith(": db-data")
    assert frozen(found, "db") == {"expected": 6, "byVelero": 10, "byPlugin": 1}
    assert machine.judged.level is Level.FILESYSTEM  # all within the one window
    assert machine.judged.verdict is Verdict.DEGRADED


@pytest.mark.parametrize("action", ["custom", "fs-backup"])
def test_disks_that_others_take_leave_the_machine_mixed(action: str) -> None:
    objects = examples.objects()
    examples.find(objects, "PersistentVolumeClaim", "db-data")["metadata"]["labels"] = {"app": "db"}
    by_others = f"{{conditions: {{{DATA}}}, action: {{type: {action}}}}}"
    found = rehearsed(by_others, ALL_OURS, objects=objects, server=server("", PLUGIN))
    machine = examples.machine(found, "db")
    assert sentence(machine, "disk-taken-apart").endswith(": db-data")
    assert machine.judged.level is Level.MIXED
    stopped = examples.machine(found, "archive")
    assert "disk-taken-apart" not in examples.codes(stopped)


@pytest.mark.parametrize(
    ("deployment", "code"),
    [
        (None, "plugin-unknown"),
        (server(), "plugin-absent"),
        (server("", {"name": "velero-plugin-for-aws", "image": "velero/aws:1"}), "plugin-absent"),
        (server("", {"name": "stillpoint", "image": "mirror/a@sha256:0"}), ""),
        (server("", {"name": "a", "image": "mirror/stillpoint"}), ""),
        (server("", {"name": "a", "image": "mirror/stillpoint:0.0.9"}), "plugin-older"),
        (server("v/velero:v1.17.2", PLUGIN), "velero-refuses-policy"),
        (server("v/velero:oadp-1.5", PLUGIN), ""),
        (server("v/velero@sha256:0", PLUGIN), ""),
    ],
    ids=str,
)
def test_a_policy_without_a_plugin_that_obeys_is_reported(
    deployment: Item | None, code: str
) -> None:
    machine = examples.machine(rehearsed(ALL_OURS, server=deployment), "archive")
    of_server = {"plugin-unknown", "plugin-absent", "plugin-older", "velero-refuses-policy"}
    assert examples.codes(machine) & of_server == {code} - {""}
    by_velero = examples.machine(rehearsed(server=deployment), "archive")
    assert not examples.codes(by_velero) & of_server


def test_the_annotation_is_for_any_velero() -> None:
    old = server("v/velero:v1.16.2", PLUGIN)
    found = rehearsed(server=old, snapshotVolumes=False, annotations=ANNOTATED)
    assert examples.machine(found, "archive").judged.verdict is Verdict.READY


def test_a_switch_that_cannot_be_obeyed_stops_the_rehearsal() -> None:
    wrong = f"{{conditions: {{csi: {{driver: none}}}}, action: {OURS.replace('point', 'points')}}}"
    with pytest.raises(Refusal, match=r"ConfigMap velero/policies: .*snapshotter is 'stillpoints'"):
        rehearsed(wrong)
    with pytest.raises(Refusal, match=r"Backup velero/rehearsal: .*snapshotVolumes is not false"):
        rehearsed(annotations=ANNOTATED)
    with pytest.raises(Refusal, match="has no meaning with the value 'al'"):
        rehearsed(annotations={"stillpoint.dev/snapshotter": "al"})


def test_a_backup_without_snapshots_names_the_disks_that_nobody_takes() -> None:
    ours = f"{{conditions: {{pvcLabels: {{app: db}}}}, action: {OURS}}}"
    objects = examples.objects()
    examples.find(objects, "PersistentVolumeClaim", "db-data")["metadata"]["labels"] = {"app": "db"}
    found = rehearsed(ours, objects=objects, snapshotVolumes=False)
    assert sentence(examples.machine(found, "db"), "disk-not-cut").endswith(": db-root")


CLAIM = Reference("", "persistentvolumeclaims", "shop", "db-data")


def test_a_claim_is_stored_with_the_snapshot_that_the_plugin_would_take() -> None:
    claim = rehearsed(ALL_OURS).backup.stored[CLAIM]
    name = claim["metadata"]["annotations"]["velero.io/volume-snapshot-name"]
    assert name.startswith("velero-db-data-")
    assert not name.endswith("-rehearsed")  # as Velero's snapshots are in a rehearsal
    assert claim["metadata"]["labels"]["velero.io/volume-snapshot-name"] == name
    assert claim["metadata"]["annotations"]["backup.velero.io/must-include-additional-items"]


@pytest.mark.parametrize("resource", ["PersistentVolume", "VolumeSnapshotClass"])
def test_what_was_not_read_of_the_storage_leaves_open_whether_there_is_a_snapshot(
    resource: str,
) -> None:
    objects = [one for one in examples.objects() if one["kind"] != resource]
    machine = examples.machine(rehearsed(ALL_OURS, objects=objects), "archive")
    assert "disk-unknown" in examples.codes(machine)
    assert "item-failed" not in examples.codes(machine)


def test_a_driver_without_a_class_fails_as_in_the_backup() -> None:
    objects = examples.objects()
    for one in objects:
        if one["kind"] == "VolumeSnapshotClass":
            one["driver"] = "another.io"
    machine = examples.machine(rehearsed(ALL_OURS, objects=objects), "archive")
    assert {"no-snapshot-class", "item-failed"} <= examples.codes(machine)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(None, Verdict.READY), ({"numberReady": 2}, Verdict.READY), ({}, Verdict.BLOCKED)],
    ids=["not-read", "ready", "not-ready"],
)
def test_moved_data_needs_a_node_agent_that_is_ready(status: Item | None, verdict: Verdict) -> None:
    metadata = {"name": "node-agent", "namespace": "velero"}
    agent: Item = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata}
    if status is not None:
        agent["status"] = status
    objects = [*examples.objects(), agent]
    found = rehearsed(ALL_OURS, server=server("", PLUGIN), objects=objects, snapshotMoveData=True)
    machine = examples.machine(found, "db")
    assert machine.judged.verdict is verdict, examples.codes(machine)


def test_a_backup_would_delete_what_a_former_one_has_left_behind() -> None:
    left = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": "velero-db-root-x7k2p",
            "namespace": "shop",
            "labels": {"velero.io/backup-uid": "gone", "stillpoint.dev/taken-with": "x7k2p"},
            "annotations": {"stillpoint.dev/backup": "velero/gone"},
        },
        "spec": {"source": {"persistentVolumeClaimName": "db-root"}},
    }
    found = rehearsed(ALL_OURS, objects=[*examples.objects(), left])
    messages = [line.message for line in found.log]
    assert any("backup velero/gone has left behind" in each for each in messages)
    assert not any("a rehearsal changes nothing" in each for each in messages)


def test_a_group_is_rehearsed_as_single_snapshots() -> None:
    grouped = ALL_OURS.replace("stillpoint}", "stillpoint, group: true}")
    group_class = {
        "apiVersion": "groupsnapshot.storage.k8s.io/v1",
        "kind": "VolumeGroupSnapshotClass",
        "metadata": {"name": "groups"},
        "driver": "rbd.csi.ceph.com",
    }
    alone, together = (
        rehearsed(policy, server=server("", PLUGIN), objects=[*examples.objects(), group_class])
        for policy in (ALL_OURS, grouped)
    )
    assert document.document(together) == document.document(alone)
