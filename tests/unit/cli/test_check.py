"""`stillpoint check`: its outputs, exit statuses and sources."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import fastjsonschema
import pytest
import yaml

from stillpoint import cli
from stillpoint.check import registry
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output.terminal import WIDTH
from stillpoint.model.item import Item
from tests.unit.check import world
from tests.unit.cli.test_live_cluster import Cluster

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/check.schema.json").read_text())
REVIEWS = "subjectaccessreviews.authorization.k8s.io"
"""What this API server does not answer; tests/cluster has one that does."""

RBAC = Path(__file__).parents[3] / "docs/install/rbac.yaml"
MOST_REQUESTS = 35
MOST_REQUESTS_OF_NO_ADMIN = 60
"""With 5,000 objects, in pages."""

SECRET_VALUE = "c3RpbGxwb2ludC1zZWNyZXQ="


def folder(path: Path, of: Iterable[Item]) -> list[str]:
    (path / "objects.yaml").write_text(yaml.safe_dump_all(of))
    return ["check", "--from", str(path)]


def good() -> list[Item]:
    return world.objects()


def broken() -> list[Item]:
    """Two findings, and names that are no friends of a terminal, a shell or XML."""
    of = good()
    world.put("BackupStorageLocation", "Unavailable", "status", "phase")(of)
    message = "no \x1b[31mbucket\x00 <&\"'"
    world.put("BackupStorageLocation", message, "status", "message")(of)
    world.put("VolumeSnapshotClass", "Delete", "deletionPolicy")(of)
    world.put("VolumeSnapshotClass", "fast; rm -rf $HOME", "metadata", "name")(of)
    return of


def test_a_good_installation_is_said_to_be_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(folder(tmp_path, good())) == ExitStatus.GOOD
    printed = capsys.readouterr().out
    assert "0 findings." in printed
    assert "OADP 1.5 in openshift-adp" in printed


def test_what_blocks_is_not_safe_and_comes_with_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(folder(tmp_path, broken())) == ExitStatus.NOT_SAFE
    printed = capsys.readouterr().out
    assert "2 findings: 1 blocking, 1 to note." in printed
    assert "> kubectl describe backupstoragelocation -n openshift-adp default" in printed
    assert "\x1b" not in printed
    assert r"\x1b[31mbucket\x00" in printed
    assert "'fast; rm -rf $HOME'" in " ".join(printed.split())


def test_no_line_is_wider_than_the_page_and_a_mistyped_namespace_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*folder(tmp_path, broken()), "-n", "opnshift-adp"]) == ExitStatus.NOT_SAFE
    printed = " ".join(capsys.readouterr().out.split())
    assert "DataProtectionApplication of it in opnshift-adp; without -n it is looked for" in printed
    assert cli.main(folder(tmp_path, broken())) == ExitStatus.NOT_SAFE
    assert max(map(len, capsys.readouterr().out.splitlines())) <= WIDTH


@pytest.mark.parametrize("output", ["table", "json", "junit"])
def test_no_value_of_a_secret_is_printed(
    output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of = good()
    world.put(
        "BackupStorageLocation", {"name": "cloud-credentials", "key": "x"}, "spec", "credential"
    )(of)
    assert cli.main([*folder(tmp_path, of), "-o", output]) == ExitStatus.NOT_SAFE
    printed = capsys.readouterr().out
    assert "location-key-missing" in printed
    assert SECRET_VALUE not in printed


@pytest.mark.parametrize("of", [good(), broken()], ids=["good", "broken"])
def test_json_is_as_its_schema_says(
    of: list[Item], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main([*folder(tmp_path, of), "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    fastjsonschema.compile(SCHEMA)(document)
    assert document["namespaces"] == ["openshift-adp"]


def test_the_schema_has_the_words_of_the_code() -> None:
    finding = SCHEMA["properties"]["findings"]["items"]["properties"]
    assert finding["area"]["enum"] == [area.name for area in registry.AREAS]
    with pytest.raises(fastjsonschema.JsonSchemaException):
        fastjsonschema.compile(SCHEMA)({"schemaVersion": "1.0"})


def test_junit_has_a_case_for_each_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([*folder(tmp_path, broken()), "-o", "junit"])
    suites = ET.fromstring(capsys.readouterr().out)  # noqa: S314 - made by this very process
    cases = {one.get("name"): one for one in suites.iter("testcase")}
    assert cases.keys() == {row.code for _, row in registry.rows()}
    failed = [name for name, one in cases.items() if one.find("failure") is not None]
    assert failed == ["location-unavailable"]


@pytest.mark.parametrize("code", [row.code for _, row in registry.rows()])
def test_every_code_is_explained_without_a_cluster(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--explain", code]) == ExitStatus.GOOD
    printed = capsys.readouterr().out
    assert printed.startswith(code)
    assert all(f"  {title}" in printed for title in ("cause", "by hand", "remedy"))
    row = next(row for _, row in registry.rows() if row.code == code)
    assert not re.search(r"\{[a-z_]*\}", row.general_remedy)


def test_an_unknown_code_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--explain", "no-veleros"]) == ExitStatus.CANNOT_TELL
    assert "no-velero" in capsys.readouterr().err


def test_a_folder_that_says_no_time_leaves_ages_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of = good()
    world.off("Node", "status")(of)
    assert cli.main(folder(tmp_path, of)) == ExitStatus.CANNOT_TELL
    assert "how old its last validation is" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["first.yaml", "third.yaml"])
def test_copies_of_one_object_count_once(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `oc adm must-gather` leaves them: the newer state counts."""
    of = good()
    (location,) = (one for one in of if one["kind"] == "BackupStorageLocation")
    location["metadata"] |= {"uid": "1f", "resourceVersion": "20"}
    old = {**location, "metadata": {**location["metadata"], "resourceVersion": "9"}}
    old["status"] = {**location["status"], "phase": "Unavailable"}
    (tmp_path / place).write_text(yaml.safe_dump(old))
    assert cli.main(folder(tmp_path, of)) == ExitStatus.GOOD
    capsys.readouterr()


def test_a_cluster_without_rbac_leaves_rights_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Cluster(large(1), absent=["rbac.authorization.k8s.io"]) as server:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        cli.main(["check", "--kubeconfig", str(path), "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in document["notKnown"]] == ["rights-missing"]
    assert not [one for one in document["findings"] if "rights" in one["code"]]


def test_a_cluster_without_velero_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {"KubeVirt", "StorageClass", "VolumeSnapshotClass", "Node"}
    of = [one for one in good() if one["kind"] in kinds]
    with Cluster(of) as server:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        assert cli.main(["check", "--kubeconfig", str(path)]) == ExitStatus.NOT_SAFE
    assert "no-velero" in capsys.readouterr().out


@pytest.mark.parametrize("namespaces", [[], ["-n", "openshift-adp"]], ids=["looked for", "named"])
def test_a_live_cluster_is_read_with_few_requests(
    namespaces: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Cluster(good()) as server:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        cli.main(["check", "--kubeconfig", str(path), *namespaces, "-o", "json"])
        asked = len(server.requests)
    document = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in document["findings"]] == ["location-validation-old"]
    assert document["unread"] == []
    assert document["notKnown"] == []
    assert asked <= MOST_REQUESTS


OF_MACHINES = {"VirtualMachine", "VirtualMachineInstance", "PersistentVolumeClaim",
               "PersistentVolume", "Pod"}  # fmt: skip


def large(machines: int) -> list[Item]:
    """Five objects for each machine, and roles that are no cluster-admin's, all but one verb."""
    of = [one for one in good() if one["kind"] != "ClusterRoleBinding"]
    for number in range(machines):
        for one in good():
            if one["kind"] in OF_MACHINES:
                metadata = {**one["metadata"], "name": f"{one['metadata']['name']}-{number}"}
                of.append({**one, "metadata": metadata})
    text = RBAC.read_text().replace("namespace: velero", "namespace: openshift-adp")
    return [*of, *yaml.safe_load_all(text.replace("[get, list, watch]", "[get, list]"))]


@pytest.mark.parametrize("namespaces", [[], ["-n", "openshift-adp"]], ids=["looked for", "named"])
def test_an_account_that_is_no_admin_costs_few_requests_more(
    namespaces: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Cluster(large(1000)) as server:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        cli.main(["check", "--kubeconfig", str(path), *namespaces, "-o", "json"])
        asked = len(server.requests)
    document = json.loads(capsys.readouterr().out)
    found = {one["code"]: one["about"][0]["subject"] for one in document["findings"]}
    account = "service account openshift-adp/velero"
    assert found["rights-missing"] == f"{account}: watch virtualmachineinstances.kubevirt.io"
    assert "optional-rights-missing" not in found
    assert document["unread"] == []
    assert asked <= MOST_REQUESTS_OF_NO_ADMIN


@pytest.mark.parametrize("resource", ["clusterroles", "roles", "clusterrolebindings"])
def test_roles_that_may_not_be_read_leave_rights_open(
    resource: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Cluster(large(1), resource) as server:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        cli.main(["check", "--kubeconfig", str(path), "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    name = f"{resource}.rbac.authorization.k8s.io"
    assert {one["resource"] for one in document["unread"]} == {name, REVIEWS}
    assert [one["code"] for one in document["notKnown"]] == ["rights-missing"]
    assert not [one for one in document["findings"] if "rights" in one["code"]]


def test_what_is_forbidden_is_said_and_the_rest_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Cluster(broken(), "nodes") as server:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        assert cli.main(["check", "--kubeconfig", str(path), "-o", "json"]) == ExitStatus.NOT_SAFE
    document = json.loads(capsys.readouterr().out)
    assert [one["resource"] for one in document["unread"]] == ["nodes"]
    assert {
        "code": "node-selector-without-node",
        "area": "set-up",
        "causes": ["nodes were not read"],
    } in (document["notKnown"])
    assert "location-unavailable" in [one["code"] for one in document["findings"]]
