"""Downloads by DownloadRequests, from a server of S3 with TLS by an authority of its own."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

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
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import wait_until
from tests.cluster.velero import API_VERSION, NAMESPACE, Settings

RIGHTS = Path(__file__).parents[2] / "docs" / "install" / "rbac-report.yaml"
ACCOUNT = "stillpoint-report"


def test_files_come_from_the_object_store_with_no_more_rights_than_documented(
    cluster: Cluster,
) -> None:
    settings = replace(cluster.velero.settings or Settings(), stores=(s3.PLUGIN,))
    with s3.serving(cluster) as store, cluster.velero_with(settings):
        wait_until(lambda: phase(cluster) == "Available", "location s3 Available")
        try:
            backed_up(cluster)
            check_downloads(cluster, reader(cluster), store)
        finally:
            cluster.api.delete(API_VERSION, "BackupStorageLocation", NAMESPACE, s3.LOCATION)


def check_downloads(cluster: Cluster, client: KubernetesWriter, store: s3.Store) -> None:
    location = client.get(own_objects.STORAGE_LOCATION, NAMESPACE, s3.LOCATION)
    assert location is not None
    trusted = trust.of_location(location, client.secret_value)
    files = of_backup(client, trusted)
    assert (files.backup() or {})["status"]["phase"] == "Completed"
    assert content(files, "BackupContents") == store.path("downloaded", ".tar.gz").read_bytes()
    assert content(files, "BackupLog") == store.path("downloaded", "-logs.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content(files, "BackupContents"))) as archive:
        assert "resources/configmaps/namespaces/downloads/kept.json" in archive.getnames()
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


def phase(cluster: Cluster) -> str:
    found = cluster.api.get(API_VERSION, "BackupStorageLocation", NAMESPACE, s3.LOCATION)
    return str(found.get("status", {}).get("phase"))


def backed_up(cluster: Cluster) -> None:
    cluster.create_namespace("downloads")
    metadata = {"name": "kept", "namespace": "downloads"}
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    spec = {"includedNamespaces": ["downloads"], "storageLocation": s3.LOCATION}
    assert cluster.backup("downloaded", spec)["status"]["phase"] == "Completed"


def reader(cluster: Cluster) -> KubernetesWriter:
    """A client with the rights of the documentation and no others."""
    for manifest in yaml.safe_load_all(RIGHTS.read_text()):
        cluster.api.create(manifest)
    account = cluster.api.path("v1", "ServiceAccount", NAMESPACE, ACCOUNT)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = cluster.api.request("POST", f"{account}/token", request)["status"]["token"]
    cluster.control_plane.tokens[ACCOUNT] = token
    return KubernetesWriter.connect(file=str(cluster.control_plane.kubeconfig(ACCOUNT)))


def of_backup(client: KubernetesWriter, trusted: Trust) -> DownloadedFiles:
    requests = DownloadRequests(client, NAMESPACE)
    transfer = Transfer(Connection(trusted))
    return DownloadedFiles("downloaded", requests, lambda: transfer, ignore)


def content(files: DownloadedFiles, kind: str) -> bytes:
    found = files.open(kind)
    assert found is not None
    with found:
        return found.read()


def ignore(done: int, whole: int, what: str) -> None:
    del done, whole, what
