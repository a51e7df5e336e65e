"""Where a cause lies: hooks of a pod or of the Backup, annotations, gates, shared claims."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.velero_steps import backup_request
from tests.unit.rehearsal import examples

SKIPS = "kubevirt.io/skip-backup-hooks"
VM, VMI, POD = "VirtualMachine", "VirtualMachineInstance", "Pod"
FREEZE = ["/usr/bin/virt-freezer", "--freeze", "--name", "db", "--namespace", "shop"]


def without_own_hooks() -> list[Item]:
    """The examples, with KubeVirt's hooks off."""
    objects = examples.objects()
    launcher = examples.find(objects, POD, "virt-launcher-db")
    launcher["metadata"]["annotations"] = {"kubevirt.io/domain": "db"}
    return objects


def with_hook(hook: dict[str, Any], command: list[str] = FREEZE) -> Item:
    """A Backup of the shop with a hook of its own."""
    backup = backup_request.of_flags(["shop"], None)
    backup["spec"]["hooks"] = {"resources": [{"pre": [{"exec": {"command": command}}], **hook}]}
    return backup


def judged(objects: list[Item], backup: Item | None = None, name: str = "db") -> Machine:
    return examples.machine(examples.rehearsed(objects, "shop", backup=backup), name)


def remedy(machine: Machine, code: str) -> str:
    (found,) = (one.remedy for one in machine.judged.findings if one.code == code)
    return found


@pytest.mark.parametrize(
    ("hook", "is_frozen"),
    [
        ({}, True),
        ({"labelSelector": {"matchLabels": {"kubevirt.io": "virt-launcher"}}}, True),
        ({"labelSelector": {"matchLabels": {"kubevirt.io": "hotplug-disk"}}}, False),
        ({"includedNamespaces": ["sh*"]}, True),
        ({"includedNamespaces": ["plant"]}, False),
        ({"excludedNamespaces": ["shop"]}, False),
        ({"includedResources": ["po"]}, True),
        ({"includedResources": ["deployments.apps"]}, False),
        ({"excludedResources": ["pods"]}, False),
    ],
)
def test_a_hook_of_the_backup_freezes_the_guests_that_its_selectors_fit(
    hook: dict[str, Any], is_frozen: bool
) -> None:
    machine = judged(without_own_hooks(), with_hook(hook))
    assert (machine.judged.level is Level.FILESYSTEM) is is_frozen
    assert ("hooks-absent" in examples.codes(machine)) is not is_frozen


def test_a_hook_of_the_backup_that_does_something_else_freezes_nobody() -> None:
    machine = judged(without_own_hooks(), with_hook({}, ["/bin/echo", "hello"]))
    assert machine.judged.level is Level.CRASH


def test_a_pod_with_an_annotation_has_no_hook_but_that() -> None:
    objects = without_own_hooks()
    launcher = examples.find(objects, POD, "virt-launcher-db")
    launcher["metadata"]["annotations"]["pre.hook.backup.velero.io/command"] = '["/bin/sync"]'
    assert judged(objects, with_hook({})).judged.level is Level.CRASH


def annotated(kind: str, *path: str) -> Callable[[list[Item]], None]:
    def change(objects: list[Item]) -> None:
        one = examples.find(objects, kind, "db")
        objects[objects.index(one)] = it.with_value(one, "true", *path, SKIPS)

    return change


OWN = ("metadata", "annotations")


@pytest.mark.parametrize(
    ("place", "is_in", "wanted"),
    [
        ("machine", (VM, *OWN), f"oc annotate vm -n shop db {SKIPS}-"),
        (
            "template",
            (VM, "spec", "template", *OWN),
            (
                'oc patch vm -n shop db --type=json -p=\'[{"op": "remove", "path": '
                '"/spec/template/metadata/annotations/kubevirt.io~1skip-backup-hooks"}]\'; '
                "virtctl restart db -n shop"
            ),
        ),
        ("instance", (VMI, *OWN), f"oc annotate vmi -n shop db {SKIPS}-"),
    ],
)
def test_the_remedy_takes_the_annotation_off_where_it_is(
    place: str, is_in: tuple[str, ...], wanted: str
) -> None:
    objects = without_own_hooks()
    annotated(VMI, *OWN)(objects)  # KubeVirt carries it there from wherever it is
    annotated(*is_in)(objects)
    assert remedy(judged(objects), "hooks-off") == wanted, place


KUBEVIRT = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kv", "namespace": "cnv"},
}


def test_the_remedy_names_the_installation_that_turns_hooks_off() -> None:
    installation = it.with_value(KUBEVIRT, "true", *OWN, SKIPS)
    wanted = f"oc annotate kubevirt -n cnv kv {SKIPS}-; virtctl restart db -n shop"
    assert remedy(judged([*without_own_hooks(), installation]), "hooks-off") == wanted


def gate(version: str, **developer: list[str]) -> Item:
    status = {"observedKubeVirtVersion": version} if version else {}
    return {
        **KUBEVIRT,
        "spec": {"configuration": {"developerConfiguration": developer}},
        "status": status,
    }


@pytest.mark.parametrize(
    ("installation", "is_off"),
    [
        (gate("v1.8.2"), True),
        (gate("v1.9.0"), False),
        (gate("v1.10.1"), False),
        (gate(""), False),
        (gate("v1.8.2", featureGates=["Snapshot"]), False),
        (gate("v1.9.0", disabledFeatureGates=["Snapshot"]), True),
        (gate("v1.9.0", disabledFeatureGates=["Snapshot"], featureGates=["Snapshot"]), False),
    ],
)
def test_a_gate_of_beta_is_on_since_1_9_unless_it_is_turned_off(
    installation: Item, is_off: bool
) -> None:
    machine = judged([*examples.objects(), installation], name="archive")
    assert ("snapshot-gate-off" in examples.codes(machine)) is is_off


def test_the_gate_is_turned_on_where_that_lasts() -> None:
    plain = gate("v1.8.2", featureGates=["Root"])
    found = judged([*examples.objects(), plain], name="archive")
    assert remedy(found, "snapshot-gate-off") == (
        "oc patch kubevirt -n cnv kv --type=merge -p='"
        '{"spec": {"configuration": {"developerConfiguration": {"featureGates": ["Root", '
        '"Snapshot"]}}}}\''
    )
    owned = copy.deepcopy(plain)
    owned["metadata"]["ownerReferences"] = [{"kind": "HyperConverged", "name": "hco"}]
    found = judged([*examples.objects(), owned], name="archive")
    assert remedy(found, "snapshot-gate-off").startswith("oc annotate hyperconverged -n cnv hco ")


def many(count: int, *, is_shared: bool) -> list[Item]:
    """Copies of one machine, with one more claim in each; the same one if that is asked for."""
    base = examples.objects()
    objects = [one for one in base if it.namespace(one) != "shop"]
    own = [one for one in base if it.namespace(one) == "shop" and "legacy" in it.name(one)]
    for number in range(count):
        text = f"m{number:02}"
        for one in own:
            each: Item = _renamed(one, "legacy", text)
            each["metadata"]["uid"] = f"{it.uid(one)}-{text}"
            if each["kind"] == POD:
                claim = "tools-iso" if is_shared else f"{text}-tools"
                volume = {"name": "tools", "persistentVolumeClaim": {"claimName": claim}}
                each["spec"]["volumes"].append(volume)
            objects.append(each)
    claims = ["tools-iso"] if is_shared else [f"m{number:02}-tools" for number in range(count)]
    template = examples.find(base, "PersistentVolumeClaim", "legacy")
    for name in claims:
        objects.append(copy.deepcopy(template))
        objects[-1]["metadata"] = {"name": name, "namespace": "shop", "uid": name}
    agent = {"type": "AgentConnected", "status": "True"}
    for one in objects:
        if one["kind"] == VMI:
            one["status"]["conditions"] = [agent]
    return objects


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, old, new) for inner in value]
    return value.replace(old, new) if isinstance(value, str) else value


def test_one_claim_that_joins_many_machines_is_named_with_a_remedy_that_helps() -> None:
    machine = judged(many(61, is_shared=True), name="m00")
    assert "freeze-too-long" in examples.codes(machine)
    said = remedy(machine, "freeze-too-long")
    assert said.startswith("claim tools-iso joins 61 machines: m00, m01, ")
    assert "volume-group" not in said
    assert len(said) < 1000


def test_machines_that_share_nothing_are_frozen_one_by_one() -> None:
    machine = judged(many(61, is_shared=False), name="m00")
    assert "freeze-too-long" not in examples.codes(machine)


def test_a_restore_into_an_empty_cluster_asks_an_empty_cluster() -> None:
    """What is missing there is found, and nothing of the machine's own is taken for there."""
    found = examples.rehearsed(examples.objects(), "shop")
    said = [line.message for line in found.log]
    assert not any("exists" in line for line in said), said
    assert any("needs what is missing here" in line and "StorageClass" in line for line in said)


def test_a_restore_into_the_cluster_that_was_read_asks_that() -> None:
    restore = {
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {"name": "r", "namespace": "velero"},
        "spec": {"backupName": "b", "namespaceMapping": {"shop": "drill"}},
    }
    found = examples.rehearsed(examples.objects(), "shop", restore=restore)
    assert not any("needs what is missing here" in line.message for line in found.log)


@pytest.mark.parametrize(
    ("action", "level"),
    [
        ("skip", Level.NONE),
        ("fs-backup", Level.NONE),
        ("custom", Level.FILESYSTEM),
        ("snapshot", Level.FILESYSTEM),
    ],
)
def test_a_guest_none_of_whose_disks_is_cut_reaches_no_level(action: str, level: Level) -> None:
    policies = f"version: v1\nvolumePolicies: [{{conditions: {{}}, action: {{type: {action}}}}}]"
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "policies", "namespace": "velero"},
        "data": {"policies.yaml": policies},
    }
    backup = backup_request.of_flags(["shop"], None)
    backup["spec"]["resourcePolicy"] = {"kind": "configmap", "name": "policies"}
    assert judged([*examples.objects(), config_map], backup).judged.level is level


SKIP_ALL = "version: v1\nvolumePolicies: [{conditions: {}, action: {type: skip}}]"
WITHOUT_CLAIMS = "includeExcludePolicy: {excludedNamespaceScopedResources: [pvc]}"
CUT_ALL = SKIP_ALL.replace("skip", "snapshot")


def policies(name: str, text: str) -> Item:
    metadata = {"name": name, "namespace": "velero"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"p": text}}


def server(*flags: str, namespace: str = "velero") -> Item:
    container = {"name": "velero", "command": ["/velero"], "args": ["server", *flags]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "velero", "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


FLAG = "--global-backup-volume-policies-configmap"


@pytest.mark.parametrize(
    ("servers", "is_skipped"),
    [
        ([server(f"{FLAG}=of-all")], True),
        ([server("--uploader-type", "kopia", FLAG, "of-all")], True),
        ([server()], False),
        ([server(f"{FLAG}=of-all", namespace="other")], False),
    ],
)
def test_policies_of_the_server_are_those_of_every_backup(
    servers: list[Item], is_skipped: bool
) -> None:
    machine = judged([*examples.objects(), policies("of-all", SKIP_ALL), *servers])
    assert ("disk-skipped" in examples.codes(machine)) is is_skipped


def test_policies_of_the_backup_come_before_those_of_the_server() -> None:
    backup = backup_request.of_flags(["shop"], None)
    backup["spec"]["resourcePolicy"] = {"kind": "configmap", "name": "own"}
    maps = (policies("of-all", SKIP_ALL), policies("own", CUT_ALL))
    machine = judged([*examples.objects(), *maps, server(f"{FLAG}=of-all")], backup)
    assert "disk-skipped" not in examples.codes(machine)


def test_policies_of_the_server_leave_the_choice_of_resources_to_the_backup() -> None:
    of_all = policies("of-all", f"{SKIP_ALL}\n{WITHOUT_CLAIMS}")
    machine = judged([*examples.objects(), of_all, server(f"{FLAG}=of-all")])
    assert {"disk-skipped", "disk-left-out"} & examples.codes(machine) == {"disk-skipped"}


def test_policies_of_the_backup_choose_resources() -> None:
    backup = backup_request.of_flags(["shop"], None)
    del backup["spec"]["includedNamespaces"]
    backup["spec"]["resourcePolicy"] = {"kind": "configmap", "name": "own"}
    machine = judged(
        [*examples.objects(), policies("own", f"{SKIP_ALL}\n{WITHOUT_CLAIMS}")], backup
    )
    assert "disk-left-out" in examples.codes(machine)


def test_the_volume_that_a_claim_names_and_is_not_bound_to_meets_no_policy() -> None:
    of_volumes = SKIP_ALL.replace("{}", "{volumeTypes: [csi]}")
    objects = [*examples.objects(), policies("of-all", of_volumes), server(f"{FLAG}=of-all")]
    assert "disk-skipped" in examples.codes(judged(objects))
    for name in ("db-root", "db-data"):
        examples.find(objects, "PersistentVolumeClaim", name)["status"]["phase"] = "Lost"
    assert "disk-skipped" not in examples.codes(judged(objects))


def test_policies_of_the_server_that_were_not_read_leave_the_answer_open() -> None:
    machine = judged([*examples.objects(), server(f"{FLAG}=of-all")])
    assert "policy-unknown" in examples.codes(machine)
