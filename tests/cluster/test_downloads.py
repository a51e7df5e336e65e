"""Downloads by DownloadRequests, from a server of S3 with TLS by an authority of its own."""

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from stillpoint import cli
from stillpoint.cluster.kubernetes_writer import KubernetesWriter
from stillpoint.downloads import trust
from stillpoint.downloads.connection import Connection
from stillpoint.downloads.errors import DownloadFailed
from stillpoint.downloads.files import DownloadedFiles
from stillpoint.downloads.requests import DownloadRequests
from stillpoint.downloads.transfer import Transfer
from stillpoint.downloads.trust import Trust
from stillpoint.velero import own_objects
from tests.cluster import s3
from tests.cluster.cluster import Cluster, velero_object
from tests.cluster.manifests import Disk, Machine
from tests.cluster.velero import API_VERSION, NAMESPACE

RIGHTS = Path(__file__).parents[2] / "docs" / "install" / "rbac-report.yaml"
ACCOUNT = "stillpoint-report"
POLICY = {
    "policy": "{version: v1, volumePolicies: [{conditions: {pvcLabels: {how: skip}}, "
    "action: {type: skip}}]}"
}


@pytest.fixture(scope="module")
def store(cluster: Cluster) -> Iterator[s3.Store]:
    """With a Velero that keeps backups in it, and an account with the documented rights alone."""
    with s3.serving(cluster) as store:
        create_account(cluster)
        yield store


@pytest.mark.usefixtures("store")
def test_no_credential_is_written_anew_while_a_plugin_may_read_it(cluster: Cluster) -> None:
    """Velero has looked at the location, and would have written one that is in a Secret."""
    written = (cluster.velero.folder / "tmp" / "credentials" / NAMESPACE).glob("s3*")
    assert list(written) == []


def test_files_come_from_the_object_store_with_no_more_rights_than_documented(
    cluster: Cluster, store: s3.Store
) -> None:
    backed_up(cluster, "downloaded")
    kubeconfig = str(cluster.control_plane.kubeconfig(ACCOUNT))
    check_downloads(cluster, KubernetesWriter.connect(file=kubeconfig), store)


def test_a_restore_is_rehearsed_of_a_backup_by_its_name_into_another_context(
    cluster: Cluster, store: s3.Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its archive alone does not say that a policy has skipped a disk; the books beside it do."""
    backed_up_machines(cluster)
    words = ["rehearse", "--restore", str(restore_into_drill(tmp_path)), "-o", "json"]
    kubeconfig = both_contexts(cluster, tmp_path)
    place = ["--kubeconfig", str(kubeconfig), "--context", ACCOUNT, "--into-context", "admin"]

    assert cli.main([*words, "--of", "by-name", "-n", NAMESPACE, *place]) == 1
    by_name = machines(capsys)
    assert by_name["db"] == ("ready", set())
    assert by_name["web"] == ("blocked", {"disk-skipped", "data-not-restored"})

    archive = str(store.path("by-name", ".tar.gz"))
    assert cli.main([*words, "--of", archive, *place]) == 1
    assert machines(capsys)["web"] == ("blocked", {"data-not-restored"})
    assert cluster.api.list(API_VERSION, "DownloadRequest", NAMESPACE) == []


def machines(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, set[str]]]:
    """Verdict and reasons of each machine, by its name."""
    found = json.loads(capsys.readouterr().out)["machines"]
    return {
        one["name"]: (one["verdict"], {each["code"] for each in one["reasons"]}) for one in found
    }


def backed_up_machines(cluster: Cluster) -> None:
    cluster.create_namespace("by-name")
    web = Machine("by-name", "web", (Disk("root"), Disk("scratch")))
    cluster.create_vms([Machine("by-name", "db", (Disk("root"), Disk("data"))), web])
    labels = {"metadata": {"labels": {"how": "skip"}}}
    cluster.api.patch("v1", "PersistentVolumeClaim", "by-name", "web-scratch", labels)
    metadata = {"name": "by-name", "namespace": NAMESPACE}
    policy = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": POLICY}
    cluster.api.create(policy)
    spec = {
        "includedNamespaces": ["by-name"],
        "storageLocation": s3.LOCATION,
        "resourcePolicy": {"kind": "configmap", "name": "by-name"},
    }
    assert cluster.backup("by-name", spec)["status"]["phase"] == "Completed"


def restore_into_drill(folder: Path) -> Path:
    restore = velero_object("Restore", "drill", {"namespaceMapping": {"by-name": "drill"}})
    (folder / "restore.yaml").write_text(yaml.safe_dump(restore))
    return folder / "restore.yaml"


def both_contexts(cluster: Cluster, folder: Path) -> Path:
    """A kubeconfig with a context for each account, called after it."""
    accounts = (ACCOUNT, "admin")
    each = {
        one: yaml.safe_load(cluster.control_plane.kubeconfig(one).read_text()) for one in accounts
    }
    merged = each[ACCOUNT] | {
        "users": [one["users"][0] for one in each.values()],
        "contexts": [
            {"name": name, "context": {"cluster": "test", "user": name}} for name in accounts
        ],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(merged))
    return folder / "kubeconfig"


def test_a_file_comes_although_velero_has_given_a_request_up(
    cluster: Cluster, store: s3.Store
) -> None:
    """Its plugin finds no credential, until a download pauses before its next try."""
    client = KubernetesWriter.connect(file=str(cluster.control_plane.kubeconfig("admin")))
    trusted = Trust(store.authority)
    backed_up(cluster, "given-up")
    credential = store.credential.read_text()
    pauses: list[float] = []

    def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        store.credential.write_text(credential)

    store.credential.write_text("")
    files = of_backup(client, trusted, "given-up", sleep)
    try:
        assert content(files, "BackupLog") == store.path("given-up", "-logs.gz").read_bytes()
    finally:
        store.credential.write_text(credential)
    assert len(pauses) == 1
    assert cluster.api.list(API_VERSION, "DownloadRequest", NAMESPACE) == []


def check_downloads(cluster: Cluster, client: KubernetesWriter, store: s3.Store) -> None:
    location = client.get(own_objects.STORAGE_LOCATION, NAMESPACE, s3.LOCATION)
    assert location is not None
    trusted = trust.of_location(location, client.secret_value)
    files = of_backup(client, trusted)
    assert (files.backup() or {})["status"]["phase"] == "Completed"
    assert content(files, "BackupContents") == store.path("downloaded", ".tar.gz").read_bytes()
    assert content(files, "BackupLog") == store.path("downloaded", "-logs.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content(files, "BackupContents"))) as archive:
        assert "resources/configmaps/namespaces/downloaded/kept.json" in archive.getnames()
    store.path("downloaded", "-itemoperations.json.gz").unlink()
    assert files.open("BackupItemOperations") is None

    by_secret = {"caCertRef": {"name": s3.AUTHORITY, "key": "ca.crt"}}
    referring = {**location, "spec": {**location["spec"], "objectStorage": by_secret}}
    assert trust.of_location(referring, client.secret_value) == trusted

    with pytest.raises(DownloadFailed) as caught:
        of_backup(client, Trust()).open("BackupLog")
    assert "is not trusted" in caught.value.cause
    assert "--cacert" in caught.value.hint
    assert content(of_backup(client, Trust(verifies=False)), "BackupLog")
    assert cluster.api.list(API_VERSION, "DownloadRequest", NAMESPACE) == []


def backed_up(cluster: Cluster, backup: str) -> None:
    """A backup with one ConfigMap, of a namespace of its name."""
    cluster.create_namespace(backup)
    metadata = {"name": "kept", "namespace": backup}
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    spec = {"includedNamespaces": [backup], "storageLocation": s3.LOCATION}
    assert cluster.backup(backup, spec)["status"]["phase"] == "Completed"


def create_account(cluster: Cluster) -> None:
    """An account with the rights of the documentation and no others."""
    for manifest in yaml.safe_load_all(RIGHTS.read_text()):
        cluster.api.create(manifest)
    account = cluster.api.path("v1", "ServiceAccount", NAMESPACE, ACCOUNT)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = cluster.api.request("POST", f"{account}/token", request)["status"]["token"]
    cluster.control_plane.tokens[ACCOUNT] = token


def of_backup(
    client: KubernetesWriter,
    trusted: Trust,
    backup: str = "downloaded",
    sleep: Callable[[float], None] = time.sleep,
) -> DownloadedFiles:
    requests = DownloadRequests(client, NAMESPACE)
    transfer = Transfer(Connection(trusted), sleep=sleep)
    return DownloadedFiles(backup, requests, lambda: transfer, ignore)


def content(files: DownloadedFiles, kind: str) -> bytes:
    found = files.open(kind)
    assert found is not None
    with found:
        return found.read()


def ignore(done: int, whole: int, what: str) -> None:
    del done, whole, what
