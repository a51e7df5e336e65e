"""A check of the live cluster: what the API server and Velero themselves say, and rights."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.resources.installation import secret
from tests.cluster.api import Object
from tests.cluster.audit import events
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import wait_until, wait_until_allowed
from tests.cluster.rights import without
from tests.cluster.velero import LOCATION, NAMESPACE

DEPLOYMENT = ("apps/v1", "Deployment", NAMESPACE, "velero")
STORE = ("velero.io/v1", "BackupStorageLocation", NAMESPACE, LOCATION)
RBAC = "rbac.authorization.k8s.io/v1"
SECRET = ("v1", "Secret", NAMESPACE, "check-credentials")


def role(name: str) -> tuple[str, str, None, str]:
    return RBAC, "ClusterRole", None, name


class Checked:
    """A cluster, checked as one of its users."""

    def __init__(self, cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
        self.cluster = cluster
        self._capsys = capsys

    def __call__(self, *arguments: str, user: str = "admin") -> tuple[int, dict[str, Any]]:
        kubeconfig = str(self.cluster.control_plane.kubeconfig(user))
        status = cli.main(["check", "--kubeconfig", kubeconfig, "-o", "json", *arguments])
        return status, json.loads(self._capsys.readouterr().out)

    def codes(self, *arguments: str) -> set[str]:
        _, document = self(*arguments)
        return {one["code"] for one in document["findings"]}


@pytest.fixture
def check(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(cluster, capsys)


@pytest.fixture
def template(cluster: Cluster) -> Iterator[None]:
    """Lets a test change the server's Deployment, which runs no pod here."""
    before = cluster.api.get(*DEPLOYMENT)["spec"]["template"]["spec"]
    yield
    change = [{"op": "replace", "path": "/spec/template/spec", "value": before}]
    path = cluster.api.path(*DEPLOYMENT)
    cluster.api.request("PATCH", path, change, "application/json-patch+json")


@pytest.fixture
def credential(cluster: Cluster) -> Iterator[None]:
    """A Secret that the location names: one key, written as text."""
    namespace, name = SECRET[2:]
    metadata = {"namespace": namespace, "name": name}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    cluster.api.create({**made, "stringData": {"cloud": "s3cret"}})
    cluster.api.patch(*STORE, {"spec": {"credential": {"name": name, "key": "cloud"}}})
    yield
    # A change of the specification has Velero look again: what it said before does not count.
    cluster.api.patch(*STORE, {"spec": {"credential": None}, "status": {"phase": None}})
    cluster.api.delete(*SECRET)
    wait_until(lambda: phase_of_store(cluster) == "Available", "it is available")


def phase_of_store(cluster: Cluster) -> str:
    return str(cluster.api.get(*STORE).get("status", {}).get("phase"))


@pytest.fixture
def few_rights(cluster: Cluster) -> str:
    """A user with the plugin's role: what the plugin's own account is refused, a test counts."""
    api, name = cluster.api, "check-few-rights"
    account = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata_of(account)})
    api.create(binding(name, "stillpoint", account))
    path = api.path("v1", "ServiceAccount", NAMESPACE, name)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = api.request("POST", f"{path}/token", request)
    cluster.control_plane.tokens[name] = answer["status"]["token"]
    wait_until_allowed(api, f"{NAMESPACE}/{name}", "list", "storageclasses.storage.k8s.io")
    return name


def metadata_of(subject: Object) -> Object:
    return {"name": subject["name"], "namespace": subject["namespace"]}


def binding(name: str, role: str, subject: Object) -> Object:
    return {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


@pytest.mark.usefixtures("template")
def test_what_is_missing_is_found_and_gone_when_it_is_there(
    check: Checked, cluster: Cluster
) -> None:
    status, document = check()
    assert status == ExitStatus.NOT_SAFE
    assert document["namespaces"] == [NAMESPACE]
    wanted = {"plugin-missing", "csi-feature-off", "velero-not-ready"}
    found = {one["code"] for one in document["findings"]}
    assert wanted <= found
    assert not {one for one in found if one.startswith("location")}
    container = {
        "name": "velero",
        "command": ["/velero"],
        "args": ["server", "--features=EnableCSI"],
    }
    plugins = [{"name": "stillpoint", "image": "registry.example.com/stillpoint:1"}]
    specification = {"containers": [container], "initContainers": plugins}
    kept = cluster.api.get(*DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]
    specification["containers"] = [{**kept, **container}]
    cluster.api.patch(*DEPLOYMENT, {"spec": {"template": {"spec": specification}}})
    assert check.codes() & wanted == {"velero-not-ready"}


@pytest.mark.usefixtures("credential")
def test_keys_of_a_secret_are_known_and_its_values_never_asked_for(
    check: Checked, cluster: Cluster
) -> None:
    reader = KubernetesReader.connect(file=str(cluster.control_plane.kubeconfig("admin")))
    metadata = reader.get(secret.RESOURCE, *SECRET[2:])
    assert metadata is not None
    assert metadata.keys() == {"apiVersion", "kind", "metadata"}
    assert secret.keys(metadata) == frozenset({"cloud"})
    assert "location-key-missing" not in check.codes()
    cluster.api.patch(*SECRET, {"data": {"cloud": None, "other": "eA=="}})
    _, document = check()
    (finding,) = (one for one in document["findings"] if one["code"] == "location-key-missing")
    assert finding["about"][0]["subject"].endswith("has no key cloud, there is: other")
    cluster.api.delete(*SECRET)
    assert "location-secret-missing" in check.codes()
    cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": NAMESPACE, "name": SECRET[3]},
        }
    )
    assert "location-key-missing" in check.codes()


def test_an_account_with_few_rights_is_told_which_it_lacks(check: Checked, few_rights: str) -> None:
    status, document = check("-n", NAMESPACE, user=few_rights)
    assert status == ExitStatus.NOT_SAFE
    unread = {one["resource"]: one["remedy"] for one in document["unread"]}
    assert {"nodes", "deployments.apps", "backupstoragelocations.velero.io"} <= unread.keys()
    assert 'resources: ["nodes"]' in unread["nodes"]
    assert "storageclasses.storage.k8s.io" not in unread
    blocking = [one["code"] for one in document["findings"] if one["weight"] == "blocks"]
    assert blocking == ["no-kubevirt"]  # which discovery says, and this cluster does without
    open_ = {one["code"] for one in document["notKnown"]}
    assert {"no-velero", "no-snapshot-class"} & open_


@pytest.mark.usefixtures("template")
def test_rights_of_veleros_account_are_the_servers_own_word(
    check: Checked, cluster: Cluster
) -> None:
    """The account is the one of rbac.yaml; the server's Deployment names it for this test."""
    change = {"spec": {"template": {"spec": {"serviceAccountName": "velero"}}}}
    cluster.api.patch(*DEPLOYMENT, change)
    assert not check.codes() & {"rights-missing", "optional-rights-missing"}
    with (
        without(cluster, role("stillpoint"), "virtualmachinepools"),
        without(cluster, role("stillpoint-secrets"), "secrets"),
    ):
        _, document = check()
    found = {one["code"]: one["about"][0]["subject"] for one in document["findings"]}
    lacking = "service account velero/velero: get, list, patch virtualmachinepools.pool.kubevirt.io"
    assert found["rights-missing"] == lacking
    assert found["optional-rights-missing"] == "service account velero/velero: get secrets"
    account = {"kind": "ServiceAccount", "name": "velero", "namespace": NAMESPACE}
    cluster.api.create(binding("check-administrator", "cluster-admin", account))
    wait_until_allowed(cluster.api, f"{NAMESPACE}/velero", "*", "*.*", "")
    before = len(list(events(cluster.control_plane.audit_log, "admin")))
    try:
        assert "rights-missing" not in check.codes()
    finally:
        cluster.api.delete(RBAC, "ClusterRoleBinding", None, "check-administrator")
    asked = list(events(cluster.control_plane.audit_log, "admin"))[before:]
    resources = [one.get("objectRef", {}).get("resource") for one in asked]
    assert resources.count("subjectaccessreviews") == 1


def test_it_writes_nothing(check: Checked, cluster: Cluster) -> None:
    before = len(list(events(cluster.control_plane.audit_log, "admin")))
    check()
    asked = list(events(cluster.control_plane.audit_log, "admin"))[before:]
    written = {one["objectRef"]["resource"] for one in asked if one["verb"] not in ("get", "list")}
    assert written <= {"subjectaccessreviews"}
