"""Verifications in the cluster: what is written is what was asked for, and no more rights."""

import re
from typing import Any

import pytest
import yaml

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.rendering import verify, verify_fence
from stillpoint.rendering.verify_rights import cluster_name
from stillpoint.verification import restoring
from stillpoint.verification.scratch import Scratch
from tests.unit.rendering.test_rendering import HOSTILE, INSTALL, rendered, rights

IMAGE = ("--image", "registry.example.com/stillpoint:1.0")
OF_CONTENT = {"create", "patch", "delete"}
OF_READS = {"get", "list", "watch"}


def of_kind(made: list[Any], kind: str) -> Any:
    (one,) = (one for one in made if one["kind"] == kind)
    return one


def pod(made: list[Any]) -> Any:
    return of_kind(made, "Job")["spec"]["template"]["spec"]


def test_a_job_verifies_the_backup_that_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    made = rendered(capsys, "verify", *IMAGE, "--backup", "nightly", "--name", "now", "-n", "v")
    job = of_kind(made, "Job")
    assert job["metadata"] == {"name": "now", "namespace": "v"}
    assert job["spec"]["backoffLimit"] == 0
    (container,) = pod(made)["containers"]
    assert container["args"] == ["verify", "--namespace=v", "--yes", "nightly"]
    assert container["image"] == IMAGE[1]


def test_a_cron_job_verifies_the_newest_backup_and_never_two_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ("verify", *IMAGE, "--schedule", "nightly", "--cron", "30 4 * * *", "--", "--sample=3")
    made = rendered(capsys, *given)
    spec = of_kind(made, "CronJob")["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("30 4 * * *", "Forbid")
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    asked = ["--schedule=nightly", "--sample=3"]
    assert container["args"] == ["verify", "--namespace=velero", "--yes", *asked]
    assert "Job" not in {one["kind"] for one in made}


def test_machines_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("verify", *IMAGE, "--backup", "nightly", "--", "shop/db", "--timeout", "1h")
    (container,) = pod(rendered(capsys, *given))["containers"]
    assert container["args"][3:] == ["nightly", "shop/db", "--timeout", "1h"]


def test_it_has_time_to_delete_what_it_made(capsys: pytest.CaptureFixture[str]) -> None:
    made = pod(rendered(capsys, "verify", *IMAGE, "--backup", "nightly"))
    assert made["terminationGracePeriodSeconds"] >= 300
    assert made["restartPolicy"] == "Never"


def test_every_answer_comes_back_as_it_was() -> None:
    answers = verify.Answers(
        HOSTILE, HOSTILE, HOSTILE, schedule=HOSTILE, cron=HOSTILE, options=[f"--context={HOSTILE}"]
    )
    made = list(yaml.safe_load_all(verify.manifest(answers)))
    job = of_kind(made, "CronJob")
    assert job["metadata"] == {"name": HOSTILE, "namespace": HOSTILE}
    assert job["spec"]["schedule"] == HOSTILE
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == HOSTILE
    given = [f"--schedule={HOSTILE}", f"--context={HOSTILE}"]
    asked = [f"--namespace={HOSTILE}", "--yes", *given]
    assert container["args"] == ["verify", *asked]
    for one in made:
        for subject in one.get("subjects", ()):
            assert subject["namespace"] == HOSTILE
    (condition,) = of_kind(made, "ValidatingAdmissionPolicy")["spec"]["matchConditions"]
    assert "\\nb" not in condition["expression"].split("==")[0]
    answers = verify.Answers(HOSTILE, HOSTILE, HOSTILE, backup=HOSTILE)
    made = list(yaml.safe_load_all(verify.manifest(answers)))
    assert pod(made)["containers"][0]["args"][-1] == HOSTILE


def test_rights_are_those_of_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", "verify", "--rights"]) == ExitStatus.GOOD
    documented = (INSTALL / "rbac-verify.yaml").read_text()
    assert capsys.readouterr().out == documented, "HINT: stillpoint render verify --rights"


def test_all_that_roles_let_it_change_is_fenced(capsys: pytest.CaptureFixture[str]) -> None:
    """But requests for downloads: they change nothing."""
    made = rendered(capsys, "verify", "--rights")
    changed = {name for *_, name, verb in rights(made) if verb in OF_CONTENT}
    policy = of_kind(made, "ValidatingAdmissionPolicy")["spec"]
    fenced = [name for rule in policy["matchConstraints"]["resourceRules"]
              for name in rule["resources"]]  # fmt: skip
    conditions = "".join(one["expression"] for one in policy["validations"])
    assert changed - {"downloadrequests"} == set(fenced)
    assert [name for name in fenced if f"'{name}'" not in conditions] == []


def test_two_accounts_share_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Who renders for a second Velero takes neither rights nor the fence from the first."""
    made = [rendered(capsys, "verify", "--rights", "-n", one) for one in ("velero", "other")]
    first, second = (
        {
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
            for one in each
        }
        for each in made
    )
    assert len(first) == len(second) == 7
    assert first & second == set()
    for each in made:
        cluster_wide = of_kind(each, "ClusterRole")["metadata"]["name"]
        assert of_kind(each, "ClusterRoleBinding")["roleRef"]["name"] == cluster_wide
        policy = of_kind(each, "ValidatingAdmissionPolicy")["metadata"]["name"]
        assert of_kind(each, "ValidatingAdmissionPolicyBinding")["spec"]["policyName"] == policy


def test_two_names_are_never_one() -> None:
    names = [("a", "b.c"), ("a-b", "c"), ("a", "b-c"), ("c", "b"), ("b", "c")]
    assert len({cluster_name(*one) for one in names}) == len(names)


def test_what_it_reads_of_others_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", "verify", "--rights"]) == ExitStatus.GOOD
    text = capsys.readouterr().out
    said = " ".join(text.partition("\napiVersion")[0].replace("#", " ").split())
    everywhere = {
        resource
        for kind, _role, _group, resource, verb in rights(list(yaml.safe_load_all(text)))
        if kind == "ClusterRole" and verb in OF_READS
    }
    assert "pods/log" in everywhere
    assert [one for one in everywhere if not re.search(rf"\b{one}\b(?!/)", said)] == []


def test_the_restore_of_the_command_passes_the_fence() -> None:
    machine = ("shop", "db")
    made = restoring.restore(Scratch("stillpoint-verify-0", "run", "velero"), "b", machine, 1.0)
    assert set(made["spec"]) == set(verify_fence.FIELDS)


def test_without_an_image_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["render", "verify", "--backup", "nightly"])
    assert ended.value.code == ExitStatus.WRONG_USAGE
    assert "--image is needed" in capsys.readouterr().err


def test_an_option_that_the_verb_does_not_have_is_refused_before_the_first_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["render", "verify", *IMAGE, "--schedule", "nightly", "--", "--sampel=3"])
    assert caught.value.code == ExitStatus.WRONG_USAGE
    assert "stillpoint verify: error: unrecognized arguments: --sampel=3" in capsys.readouterr().err
