"""A rehearsal of a cluster that answers as an API server does, and of one that does not."""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from benchmarks.rehearse import many
from stillpoint import catalogue, cli
from stillpoint.calls.action import Kind, every
from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.sources import live_cluster
from stillpoint.resources import one_shot_resource
from stillpoint.resources.disks import volume_snapshot
from tests.api_server.server import ApiServer
from tests.unit.rehearsal import examples

BACKUP = {
    "apiVersion": "velero.io/v1",
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero"},
    "spec": {"includedNamespaces": ["shop"]},
    "status": {"phase": "Completed"},
}
SKIP_ALL = {
    "version": "v1",
    "volumePolicies": [{"conditions": {"csi": {}}, "action": {"type": "skip"}}],
}
KUBEVIRT = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "KubeVirt",
    "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
    "spec": {"configuration": {"developerConfiguration": {"featureGates": ["Snapshot"]}}},
}


class Cluster(ApiServer):
    """A cluster of which some resources may not be read, or some groups are not installed."""

    def __init__(
        self, objects: Iterable[Item], forbidden: str = "", absent: Collection[str] = ()
    ) -> None:
        super().__init__(objects)
        self.forbidden = forbidden
        self.absent = absent

    def answer(self, target: str, accept: str = "") -> tuple[int, bytes]:
        status, body = super().answer(target, accept)
        path = target.partition("?")[0]
        if self.forbidden and path.endswith(f"/{self.forbidden}"):
            failure = {"kind": "Status", "message": f"{self.forbidden} is forbidden"}
            return 403, json.dumps(failure).encode()
        if path == "/apis":
            document = json.loads(body)
            groups = document["items"]
            document["items"] = [
                one for one in groups if one["metadata"]["name"] not in self.absent
            ]
            return status, json.dumps(document).encode()
        return status, body


@contextmanager
def running(
    folder: Path, forbidden: str = "", absent: Collection[str] = (), *more: Item
) -> Iterator[tuple[Cluster, list[str]]]:
    """The server, and how to begin a command line that asks it."""
    objects = [*examples.objects(), BACKUP, KUBEVIRT, *more]
    with Cluster(objects, forbidden, absent) as server:
        yield server, ["rehearse", "--kubeconfig", str(server.kubeconfig(folder / "kubeconfig"))]


def test_a_live_cluster_gives_the_same_verdicts_as_its_manifests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as (server, command):
        assert cli.main([*command, "-n", "shop", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unread"] == []
    assert {one["name"]: one["verdict"] for one in found["machines"]} == {
        "archive": "ready",
        "db": "ready",
        "legacy": "degraded",
        "reports": "degraded",
        "web": "ready",
    }
    assert {one.verb for one in server.requests} <= {"get", "list", "discover"}


def test_a_backup_of_the_cluster_is_rehearsed_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as (_, command):
        assert cli.main([*command, "--backup", "nightly"]) == 0
        assert "shop/db" in capsys.readouterr().out
        assert cli.main([*command, "--backup", "weekly"]) == 3
    assert "HINT: there are: nightly" in capsys.readouterr().err


def test_before_its_first_backup_a_schedule_of_the_cluster_is_rehearsed_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = {
        "apiVersion": "velero.io/v1",
        "kind": "Schedule",
        "metadata": {"name": "weekly", "namespace": "velero"},
        "spec": {"schedule": "0 1 * * 0", "template": {"includedNamespaces": ["shop"]}},
    }
    with running(tmp_path, "", (), schedule) as (server, command):
        assert cli.main([*command, "--backup", "nightly"]) == 0
        assert not any("schedules" in one.path for one in server.requests), "not needed"
        capsys.readouterr()
        assert cli.main([*command, "--backup", "weekly"]) == 0
        assert "shop/db" in capsys.readouterr().out
        assert cli.main([*command, "--backup", "daily"]) == 3
    assert "HINT: there are: nightly, weekly" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("forbidden", "code"),
    [
        ("persistentvolumes", "disk-unknown"),
        ("volumesnapshotclasses", "disk-unknown"),
        ("persistentvolumeclaims", "disk-unknown"),
        ("secrets", "contents-unknown"),
        ("virtualmachineinstances", "state-unknown"),
        ("backups", ""),
    ],
)
def test_a_missing_right_is_named_and_what_it_leaves_open_is_not_called_ready(
    forbidden: str, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, forbidden) as (_, command):
        status = cli.main([*command, "-n", "shop", "-o", "json"])
    found = json.loads(capsys.readouterr().out)
    [unread] = found["unread"]
    assert f"no right to list {forbidden}" in unread["cause"]
    assert f'resources: ["{forbidden}"], verbs: ["get", "list"]' in unread["remedy"]
    [db] = [one for one in found["machines"] if one["name"] == "db"]
    if code:
        assert code in {one["code"] for one in db["reasons"]}
        assert db["verdict"] != "ready"
    assert status in (1, 3)


def test_what_no_python_object_can_hold_is_a_kind_that_could_not_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Cluster.answer

    def newer(server: Cluster, target: str, accept: str = "") -> tuple[int, bytes]:
        status, body = answer(server, target, accept)
        if "/secrets" in target:
            body = body.replace(b'"items":[{', b'"items":[{"newer":1e400,')
        return status, body

    monkeypatch.setattr(Cluster, "answer", newer)
    with running(tmp_path) as (_, command):
        assert cli.main([*command, "-n", "shop", "-o", "json"]) == 3
    [unread] = json.loads(capsys.readouterr().out)["unread"]
    assert unread["resource"] == "secrets"
    assert "the response is no JSON that can be decoded" in unread["cause"]


@pytest.mark.parametrize(
    ("group", "words", "status"),
    [
        ("kubevirt.io", "KubeVirt is not installed in this cluster", 3),
        ("snapshot.storage.k8s.io", "no snapshot can be taken", 1),
        ("velero.io", "Velero is not installed in this cluster", 0),
    ],
)
def test_what_a_cluster_does_not_have_is_said_and_the_rest_is_answered(
    group: str, words: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, "", [group]) as (_, command):
        assert cli.main([*command, "-n", "shop"]) == status
    output = " ".join(capsys.readouterr().out.split())
    assert words in output
    assert ("no-snapshot-class" in output) is (group == "snapshot.storage.k8s.io")


def test_a_cluster_that_does_not_answer_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["rehearse", "--kubeconfig", str(tmp_path / "none")]) == 3
    assert "cannot connect to a cluster" in capsys.readouterr().err
    with running(tmp_path) as (server, command):
        content = yaml.safe_load((tmp_path / "kubeconfig").read_text())
        content["users"][0]["user"]["token"] = "wrong"
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content))
        assert cli.main(command) == 3
    errors = capsys.readouterr().err
    assert "the cluster: cannot discover its resources: HTTP 401" in errors
    assert server.token not in errors


@pytest.mark.parametrize(
    ("forbidden", "code"), [("", "disk-skipped"), ("of-volumes", "policy-unknown")]
)
def test_the_policies_of_a_backup_are_read_beside_it_where_the_rights_allow(
    forbidden: str, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "of-volumes", "namespace": "velero"},
        "data": {"policy": yaml.safe_dump(SKIP_ALL)},
    }
    chosen = {"kind": "configmap", "name": "of-volumes"}
    file = tmp_path / "backup.yaml"
    file.write_text(yaml.safe_dump(it.with_value(BACKUP, chosen, "spec", "resourcePolicy")))
    with running(tmp_path, forbidden, (), policy) as (server, command):
        cli.main([*command, "--backup", str(file), "-n", "shop", "-o", "json"])
        asked = [one.path for one in server.requests if "configmaps" in one.path]
    found = json.loads(capsys.readouterr().out)
    [db] = [one for one in found["machines"] if one["name"] == "db"]
    codes = {one["code"] for one in db["reasons"]}
    assert codes & {"disk-skipped", "policy-unknown"} == {code}
    assert asked.count("/api/v1/namespaces/velero/configmaps/of-volumes") == 1
    causes = [one["cause"] for one in found["unread"]]
    assert ["no right to get configmaps in namespace velero" in one for one in causes] == (
        [True] if forbidden else []
    )


def test_a_pool_is_read_with_its_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = {
        "apiVersion": "pool.kubevirt.io/v1beta1",
        "kind": "VirtualMachinePool",
        "metadata": {"name": "desks", "namespace": "shop", "uid": "u-desks"},
        "spec": {"virtualMachineTemplate": {"spec": {"template": {"spec": {}}}}},
    }
    owner = {"kind": "VirtualMachinePool", "name": "desks", "uid": "u-desks", "controller": True}
    machine = it.with_value(
        examples.find([*examples.objects()], "VirtualMachine", "archive"),
        [owner | {"apiVersion": pool["apiVersion"]}],
        "metadata",
        "ownerReferences",
    )
    desk = it.with_value(machine, "desks-0", "metadata", "name")
    with running(tmp_path, "", (), pool, desk) as (_, command):
        cli.main([*command, "-n", "shop", "-o", "json"])
    machines = json.loads(capsys.readouterr().out)["machines"]
    [found] = [one for one in machines if one["name"] == "desks-0"]
    codes = {one["code"] for one in found["reasons"]}
    assert codes & {"taken-back-by-pool", "without-its-pool"} == {"taken-back-by-pool"}


def test_what_actions_of_a_backup_are_for_is_read() -> None:
    names = {
        name
        for entry in every(catalogue)
        if entry.kind is not Kind.RESTORE
        for name in entry.action.APPLIES_TO.resources
    }
    of_a_moment = {str(one) for one in (*one_shot_resource.RESOURCES, volume_snapshot.RESOURCE)}
    assert names - of_a_moment <= {*live_cluster._AROUND_MACHINES}


def test_objects_of_unknown_kinds_are_part_of_the_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = {
        "apiVersion": "example.org/v1",
        "kind": "Gadget",
        "metadata": {"name": "one", "namespace": "shop"},
    }
    with running(tmp_path, "", (), unknown) as (_, command):
        assert cli.main([*command, "-n", "shop", "--every-resource", "-o", "json"]) == 0
        assert "gadgets.example.org shop/one" in json.loads(capsys.readouterr().out)["items"]
        assert cli.main([*command, "-n", "shop", "-o", "json"]) == 0
        assert "gadgets.example.org shop/one" not in json.loads(capsys.readouterr().out)["items"]


def test_a_thousand_machines_cost_thirty_requests(tmp_path: Path) -> None:
    told = []
    with ApiServer(many(1_000)) as server:
        file = str(server.kubeconfig(tmp_path / "kubeconfig"))
        reader = KubernetesReader.connect(None, file)
        scope = live_cluster.Scope(("shop",))
        known = live_cluster.read(reader, scope, lambda *said: told.append(said))
        requests = len(server.requests)
    machines = [one for one in known.objects if one["kind"] == "VirtualMachine"]
    assert len(machines) == 1_000
    assert requests <= 30
    assert told[-1][0] == told[-1][1] == len(told)
