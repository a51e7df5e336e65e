"""An object store with the API of S3, over TLS by the cluster's own authority.

The server is versitygw on a folder, and Velero reaches it by its plugin for AWS.

The plugin has its credential as `velero install` gives it, in a file. One that a location names in
a Secret, each controller of Velero writes to one file anew before it starts a plugin: another that
reads it just then finds it empty. Then Velero fails a Restore, or gives no URL of a file (`Path` in
internal/credentials/file_store.go of v1.18; https://github.com/velero-io/velero/issues/8524).
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import urllib3

from tests.cluster.api import Object
from tests.cluster.certificates import write_certificate
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import wait_until
from tests.cluster.processes import free_ports
from tests.cluster.velero import API_VERSION, NAMESPACE, Settings
from tests.peers.build import binary

PLUGIN = "velero-plugin-for-aws"
LOCATION = "s3"
WHERE = (API_VERSION, "BackupStorageLocation", NAMESPACE, LOCATION)
LOOKED_AT_ONCE = "24h"
"""How often Velero looks whether it can use the store. By default it looks every 20 s, may do so in
the middle of the upload of a backup, and then refuses for 20 s what comes next."""

AUTHORITY = "s3-authority"
"""The Secret with the authority's certificate, at the key `ca.crt`."""

_BUCKET = "backups"
_KEY, _SECRET = "of-tests", "only-of-tests"
_CREDENTIAL = f"[default]\naws_access_key_id={_KEY}\naws_secret_access_key={_SECRET}\n"


@dataclass(frozen=True)
class Store:
    """A server that runs."""

    folder: Path
    port: int
    authority: str
    """In PEM."""

    @property
    def location(self) -> Object:
        storage = {"bucket": _BUCKET, "caCert": base64.b64encode(self.authority.encode()).decode()}
        return {
            "apiVersion": API_VERSION,
            "kind": "BackupStorageLocation",
            "metadata": {"name": LOCATION, "namespace": NAMESPACE},
            "spec": {
                "provider": "aws",
                "backupSyncPeriod": "0s",
                "objectStorage": storage,
                "config": {
                    "region": "test",
                    "s3ForcePathStyle": "true",
                    "s3Url": f"https://localhost:{self.port}",
                },
            },
        }

    @property
    def bucket(self) -> Path:
        return self.folder / _BUCKET

    @property
    def credential(self) -> Path:
        """The file that Velero's plugin reads as it starts."""
        return self.folder.with_name("s3-credential")

    def path(self, backup: str, ending: str) -> Path:
        """A file of the backup in the bucket."""
        return self.bucket / "backups" / backup / f"{backup}{ending}"


@contextmanager
def serving(cluster: Cluster) -> Iterator[Store]:
    """The server, and a Velero that has it for the location `s3`."""
    certificates = cluster.control_plane.certificates
    write_certificate(certificates, "s3", "/CN=s3", certificates / "extensions")
    (port,) = free_ports(1)
    store = Store(cluster.folder / "s3", port, (certificates / "ca.crt").read_text())
    store.bucket.mkdir(parents=True, exist_ok=True)
    processes = cluster.velero.processes
    server = processes.start(
        "versitygw",
        [
            *(binary("versitygw"), "--quiet", f"--port=127.0.0.1:{port}", "--region=test"),
            *(f"--cert={certificates}/s3.crt", f"--key={certificates}/s3.key"),
            *("posix", store.folder),
        ],
        environment={"ROOT_ACCESS_KEY": _KEY, "ROOT_SECRET_KEY": _SECRET},
    )
    try:
        processes.wait(server, lambda: _answers(store, certificates / "ca.crt"), "answering")
        with _location(cluster, store):
            yield store
    finally:
        processes.stop(server)


@contextmanager
def _location(cluster: Cluster, store: Store) -> Iterator[None]:
    made = (
        _secret(AUTHORITY, {"ca.crt": store.authority}),
        store.location,
    )
    store.credential.write_text(_CREDENTIAL)
    # Where it is empty, the plugin would ask a cloud that it takes itself to be in.
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": str(store.credential),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    settings = cluster.velero.settings or Settings()
    settings = replace(settings, stores=(PLUGIN,), environment=environment)
    with cluster.velero_with(settings):
        for each in made:
            cluster.api.create(each)
        try:
            wait_until(lambda: _phase(cluster) == "Available", "location s3 Available")
            # Velero looks again as soon as the specification changes: that look is waited for, too.
            seldom = {"spec": {"validationFrequency": LOOKED_AT_ONCE}, "status": {"phase": None}}
            cluster.api.patch(*WHERE, seldom)
            wait_until(lambda: _phase(cluster) == "Available", "location s3 Available again")
            yield
        finally:
            for each in made:
                cluster.api.delete(
                    each["apiVersion"], each["kind"], NAMESPACE, each["metadata"]["name"]
                )


def _phase(cluster: Cluster) -> str:
    found = cluster.api.get(*WHERE)
    return str(found.get("status", {}).get("phase"))


def _secret(name: str, values: dict[str, str]) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def _answers(store: Store, authority: Path) -> bool:
    with urllib3.PoolManager(retries=False, ca_certs=str(authority)) as pool:
        try:
            return pool.request("GET", f"https://localhost:{store.port}/").status == 403
        except urllib3.exceptions.HTTPError:
            return False
