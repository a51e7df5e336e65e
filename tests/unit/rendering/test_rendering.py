"""What is written is YAML of what was asked for, whatever that is, and passes the check."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from stillpoint import cli
from stillpoint.check import report
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.model.item import Item
from stillpoint.rendering import dpa, policy, rbac, schedule, velero, velero_answers
from stillpoint.rendering.location import Location
from stillpoint.velero import preparation
from tests.unit.check import world

INSTALL = Path(__file__).parents[3] / "docs/install"
HOSTILE = "a: b\n- c # 'd' \"e\" {f} $(g) \x1b[31m é"

PROVIDERS = {
    "aws": ["--region", "eu-west-1"],
    "gcp": [],
    "azure": ["--resource-group", "rg", "--storage-account", "backups"],
    "s3": ["--region", "any", "--s3-url", "https://store.example.com:9000"],
}


def rendered(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Any]:
    assert cli.main(["render", *arguments]) == ExitStatus.GOOD
    return list(yaml.safe_load_all(capsys.readouterr().out))


def dpa_arguments(provider: str, *more: str) -> list[str]:
    image = "registry.example.com/stillpoint:1.0"
    place = ["--provider", provider, "--bucket", "backups", "--prefix", "here"]
    return ["dpa", "--image", image, *place, *PROVIDERS[provider], *more]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("more", [[], ["--no-move-data"]], ids=["moved", "kept"])
def test_a_rendered_dpa_passes_its_check(
    provider: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["render", *dpa_arguments(provider, *more, "--check")]) == ExitStatus.GOOD
    printed = capsys.readouterr()
    assert printed.err == ""
    (made,) = yaml.safe_load_all(printed.out)
    assert made["spec"]["configuration"]["velero"]["defaultSnapshotMoveData"] is not bool(more)


def velero_arguments(provider: str, *more: str) -> list[str]:
    return ["velero", *dpa_arguments(provider, *more)[1:]]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("more", [[], ["--no-move-data"]], ids=["moved", "kept"])
def test_a_rendered_velero_passes_its_check(
    provider: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = velero_arguments(provider, *more, "--check", "-n", "backup")
    assert cli.main(["render", *given]) == ExitStatus.GOOD
    printed = capsys.readouterr()
    made = list(yaml.safe_load_all(printed.out))
    kinds = {one["kind"] for one in made}
    assert ("DaemonSet" in kinds) is ("ConfigMap" in kinds) is not bool(more)
    assert printed.err == ""


@pytest.mark.parametrize("more", [[], ["--no-move-data"]], ids=["moved", "kept"])
def test_a_rendered_velero_that_runs_has_no_finding(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    label = "node-role.kubernetes.io/worker="
    made = [
        *rendered(capsys, *velero_arguments("s3", "--node-selector", label, *more)),
        *rendered(capsys, "policy", "-n", "velero", "--name", "policies"),
        *rendered(
            capsys, "schedule", "-n", "velero", "--take", "shop", "--policy", "policies", *more
        ),
    ]
    status = {
        "Deployment": {"readyReplicas": 1},
        "DaemonSet": {"desiredNumberScheduled": 1, "numberReady": 1},
        "BackupStorageLocation": {
            "phase": "Available",
            "lastValidationTime": "2026-11-01T11:59:30Z",
        },
    }
    made = [{**one, "status": status.get(one["kind"], {})} for one in made]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "cloud-credentials", "namespace": "velero"},
        "data": {"cloud": "eA=="},
    }
    of = [one for one in world.objects(world.VELERO) if not any(map(same(one), made))]
    found = report.judge(world.case([*of, *made, secret]))
    assert world.codes(found) == set()
    assert found.open == ()


def test_the_level_to_demand_reaches_each_backup(capsys: pytest.CaptureFixture[str]) -> None:
    """Velero copies annotations of the Schedule itself; its template has none."""
    given = ("schedule", "--take", "shop", "--require", "filesystem")
    (made,) = rendered(capsys, *given)
    assert made["metadata"]["annotations"] == {"stillpoint.dev/require": "filesystem"}
    assert (
        preparation.of_schedule(made)["metadata"]["annotations"] == made["metadata"]["annotations"]
    )
    assert "annotations" not in rendered(capsys, *given[:3])[0]["metadata"]


def test_a_rendered_installation_has_no_finding(capsys: pytest.CaptureFixture[str]) -> None:
    label = "node-role.kubernetes.io/worker="
    made = [
        *rendered(capsys, *dpa_arguments("aws", "--node-selector", label)),
        *rendered(capsys, "policy", "-n", "openshift-adp", "--name", "policies"),
        *rendered(
            capsys, "schedule", "-n", "openshift-adp", "--take", "shop", "--policy", "policies"
        ),
    ]
    of = [one for one in world.objects() if not any(map(same(one), made))]
    (dpa, *_) = made
    dpa["status"] = next(one["status"] for one in world.objects() if one["kind"] == dpa["kind"])
    found = report.judge(world.case([*of, *made]))
    assert world.codes(found) == set()
    assert found.open == ()


def same(one: Item) -> Any:
    def is_same(other: Item) -> bool:
        names = [
            (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace"))
            for each in (one, other)
        ]
        return names[0] == names[1]

    return is_same


PLACE = Location("s3", HOSTILE, HOSTILE, {"region": HOSTILE, "s3_url": HOSTILE}, HOSTILE, HOSTILE)
LABELS = {HOSTILE: HOSTILE}


def test_every_answer_comes_back_as_it_was() -> None:
    """Whatever it is: what the command lets through is a matter of its own."""
    given = dpa.Answers(HOSTILE, HOSTILE, HOSTILE, PLACE, moves_data=True, node_selector=LABELS)
    made = yaml.safe_load(dpa.manifest(given))
    assert made["metadata"] == {"name": HOSTILE, "namespace": HOSTILE}
    (location,) = made["spec"]["backupLocations"]
    assert location["velero"] == {
        "provider": "aws",
        "default": True,
        "credential": {"name": HOSTILE, "key": HOSTILE},
        "objectStorage": {"bucket": HOSTILE, "prefix": HOSTILE},
        "config": {"region": HOSTILE, "s3ForcePathStyle": "true", "s3Url": HOSTILE},
    }
    agent = made["spec"]["configuration"]["nodeAgent"]
    assert agent["podConfig"]["nodeSelector"] == LABELS
    made = yaml.safe_load(policy.manifest(HOSTILE, "p", ["true", "a: b"], is_grouped=False))
    volume_policies = yaml.safe_load(made["data"]["policies.yaml"])["volumePolicies"]
    assert [one["conditions"]["csi"]["driver"] for one in volume_policies] == ["true", "a: b"]
    of = schedule.Answers(
        HOSTILE, HOSTILE, [HOSTILE, "no"], HOSTILE, HOSTILE, moves_data=True, policy=HOSTILE
    )
    spec = yaml.safe_load(schedule.manifest(of))["spec"]
    assert spec["schedule"] == HOSTILE
    assert spec["template"]["includedNamespaces"] == [HOSTILE, "no"]
    assert spec["template"]["ttl"] == HOSTILE
    for one in yaml.safe_load_all(rbac.manifest(HOSTILE, HOSTILE)):
        for subject in one.get("subjects", ()):
            assert subject == {"kind": "ServiceAccount", "name": HOSTILE, "namespace": HOSTILE}


def test_a_velero_has_every_answer_as_it_was() -> None:
    given = velero_answers.Answers(
        HOSTILE,
        HOSTILE,
        PLACE,
        moves_data=True,
        node_selector=LABELS,
        velero_image=HOSTILE,
        provider_image=HOSTILE,
    )
    made = {one["kind"]: one for one in yaml.safe_load_all(velero.manifest(given))}
    namespaces = [one["metadata"].get("namespace") for one in made.values()]
    assert namespaces.count(HOSTILE) == len(made) - 2
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert [one["image"] for one in (*pod["initContainers"], *pod["containers"])] == [HOSTILE] * 3
    settings = json.loads(made["ConfigMap"]["data"]["node-agent-config.json"])
    selector = settings["loadAffinity"][0]["nodeSelector"]["matchLabels"]
    assert selector == made["DaemonSet"]["spec"]["template"]["spec"]["nodeSelector"] == LABELS
    location = made["BackupStorageLocation"]["spec"]
    assert location["objectStorage"] == {"bucket": HOSTILE, "prefix": HOSTILE}
    assert location["credential"] == {"name": HOSTILE, "key": HOSTILE}


def rights(of: list[Any]) -> set[tuple[str, ...]]:
    return {
        (one["kind"], one["metadata"]["name"], group, resource, verb)
        for one in of
        for rule in one.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_rights_are_those_of_the_manifest_in_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    documented = list(yaml.safe_load_all((INSTALL / "rbac.yaml").read_text()))
    made = rendered(capsys, "rbac")
    assert rights(made) == rights(documented)
    bindings = [[one for one in each if "roleRef" in one] for each in (made, documented)]
    assert bindings[0] == bindings[1]


def test_the_policy_is_that_of_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = rendered(capsys, "policy", "-n", "velero")
    documented = yaml.safe_load((INSTALL / "policy.yaml").read_text())
    texts = [one["data"].pop("policies.yaml") for one in (made, documented)]
    assert made == documented
    assert yaml.safe_load(texts[0]) == yaml.safe_load(texts[1])


@pytest.mark.parametrize("manifest", ["dpa", "velero"])
@pytest.mark.parametrize("provider", ["aws", "azure", "s3"])
def test_what_a_provider_needs_is_asked_for(
    provider: str, manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        *(manifest, "--image", "i", "--provider", provider, "--bucket", "b", "--prefix", "p"),
    ]
    with pytest.raises(SystemExit) as ended:
        cli.main(["render", *given])
    assert ended.value.code == ExitStatus.WRONG_USAGE
    assert PROVIDERS[provider][0] in capsys.readouterr().err


def test_no_secret_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", *velero_arguments("gcp", "--secret", "own", "--key", "k")]) == 0
    printed = capsys.readouterr().out
    assert "kind: Secret" not in printed
    assert "kubectl create secret generic own -n velero --from-file=k=FILE" in printed
    assert cli.main(["render", *dpa_arguments("gcp")]) == ExitStatus.GOOD
    printed = capsys.readouterr().out
    assert "kind: Secret" not in printed
    assert (
        "oc create secret generic cloud-credentials-gcp -n openshift-adp --from-file=cloud=FILE"
        in printed
    )


def test_a_policy_can_ask_for_group_snapshots(capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = rendered(capsys, "policy", "-n", "velero", "--driver", "fast.io", "--group")
    [policy] = yaml.safe_load(made["data"]["policies.yaml"])["volumePolicies"]
    assert policy["action"]["parameters"] == {"snapshotter": "stillpoint", "group": True}
