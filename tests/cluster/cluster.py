"""The cluster as tests see it."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cluster import definitions, namespaces, virtual_machines
from tests.cluster.api import Api, Object
from tests.cluster.archive import Archive
from tests.cluster.audit import Request, requests
from tests.cluster.control_plane import ControlPlane
from tests.cluster.node import Freeze, Node
from tests.cluster.processes import Processes
from tests.cluster.storage import Cut, Storage
from tests.cluster.velero import (
    API_VERSION,
    LOCATION,
    NAMESPACE,
    PLUGIN_ACCOUNT,
    Settings,
    Velero,
)

MEMORY = Path("/dev/shm")  # noqa: S108 - etcd syncs on every write: on a disk that is most of its time
TERMINAL_PHASES = {"Completed", "PartiallyFailed", "Failed", "FailedValidation"}


class Cluster:
    """A control plane, one node, CSI storage and, once `start_velero` was called, Velero.

    Two of them can run at once. `close` ends every process and removes every file.

    Args:
        beside: a cluster whose disks and object store this one uses too, as a new cluster on the
            old storage does. It must be started before this one and closed after it.
        disks: the folder of its disks, which is not removed; by default one of its own.
        groups: the version of the API of group snapshots; with v1beta2 there is no v1.
    """

    def __init__(
        self, beside: "Cluster | None" = None, disks: Path | None = None, groups: str = "v1"
    ) -> None:
        memory = MEMORY if MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="stillpoint-cluster-"))
        etcd_folder = Path(tempfile.mkdtemp(prefix="stillpoint-etcd-", dir=memory))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self._processes = Processes(self.logs, remove_at_end=[self.folder, etcd_folder])
        self.control_plane = ControlPlane(self._processes, self.folder, etcd_folder)
        self.api: Api = self.control_plane.api("admin")
        self.node = Node(self._processes, self.control_plane, self.folder / "node")
        disks = beside.storage.folder if beside else disks or self.folder / "storage"
        self.storage: Storage = Storage(self._processes, self.control_plane, disks, groups)
        store = beside.velero.store if beside else None
        own = self.folder / "velero"
        self.velero: Velero = Velero(self._processes, self.control_plane, own, store)
        self.archive = Archive(self.velero.bucket)
        self.without_rights: list[tuple[datetime, datetime]] = []
        """When the plugin's account lacked one, on purpose."""

    def start(self) -> None:
        """Everything but Velero, which may be started in more than one way."""
        with ThreadPoolExecutor(1) as aside:
            wanted = aside.submit(definitions.all_definitions, self.storage.groups)
            self.control_plane.start()
            node = self.node.start()
            definitions.install(self.api, wanted.result())
        self.storage.start(self.api)
        self.velero.prepare(self.api)
        self._processes.wait(node, lambda: self.node.is_ready(self.api), "ready")

    def start_velero(self, settings: Settings | None = None) -> None:
        """By default with the plugin under test."""
        self.velero.start(self.api, settings or Settings(plugin=self.velero.plugin_under_test()))

    @contextmanager
    def velero_with(self, settings: Settings) -> Iterator[None]:
        """Velero set up in another way for a while; afterwards it is as it was before."""
        with self.velero.running(self.api, settings):
            yield

    def close(self) -> None:
        self.api.close()
        self._processes.close()

    def keep_logs(self, folder: Path) -> None:
        """Copies the logs of all processes, the audit log too, before `close` removes them."""
        shutil.copytree(self.logs, folder, dirs_exist_ok=True)
        if self.control_plane.audit_log.exists():
            shutil.copy(self.control_plane.audit_log, folder)

    def backup(
        self,
        name: str,
        spec: Object,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        timeout_s: float = 600,
    ) -> Object:
        """A Backup with that spec, as it is when it has ended, however it ended."""
        created = velero_object("Backup", name, {"storageLocation": LOCATION, **spec})
        return self._finished(created, labels, annotations, timeout_s)

    def restore(
        self,
        name: str,
        spec: Object,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        timeout_s: float = 600,
    ) -> Object:
        """A Restore with that spec, as it is when it has ended, however it ended."""
        return self._finished(velero_object("Restore", name, spec), labels, annotations, timeout_s)

    def _finished(
        self,
        manifest: Object,
        labels: Mapping[str, str] | None,
        annotations: Mapping[str, str] | None,
        timeout_s: float,
    ) -> Object:
        metadata = manifest["metadata"]
        metadata |= {"labels": dict(labels or {}), "annotations": dict(annotations or {})}
        self.api.create(manifest)
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.api.get(API_VERSION, manifest["kind"], NAMESPACE, metadata["name"])
            phase = found.get("status", {}).get("phase", "New")
            if phase in TERMINAL_PHASES:
                return found
            if time.monotonic() > deadline:
                what = f"{manifest['kind']} {metadata['name']}"
                raise TimeoutError(f"{what} still {phase} after {timeout_s} s")
            time.sleep(0.1)

    def restore_phase(self, name: str) -> str:
        """Of a Restore that goes on, or that nobody has made yet."""
        found = self.api.find(API_VERSION, "Restore", NAMESPACE, name)
        return str((found or {}).get("status", {}).get("phase"))

    def backup_items(self, name: str) -> dict[str, Object]:
        return self.archive.backup_items(name)

    def backup_log(self, name: str) -> str:
        return self.archive.backup_log(name)

    def backup_results(self, name: str) -> dict[str, Any]:
        return self.archive.backup_results(name)

    def restore_log(self, name: str) -> str:
        return self.archive.restore_log(name)

    def restore_results(self, name: str) -> dict[str, Any]:
        return self.archive.restore_results(name)

    def requests(self, since: datetime, until: datetime | None = None) -> Counter[Request]:
        """Requests that Velero and the plugin sent; their agents tell which."""
        log = self.control_plane.audit_log
        return requests(log, "velero", since, until) + requests(log, PLUGIN_ACCOUNT, since, until)

    def freezes(self) -> list[Freeze]:
        return self.node.freezes()

    def snapshots_cut(self) -> dict[str, list[Cut]]:
        return self.storage.cuts()

    def disk_path(self, namespace: str, claim: str) -> Path:
        return self.storage.disk_path(namespace, claim)

    def disk_image(self, namespace: str, claim: str) -> Path:
        return self.storage.image(namespace, claim)

    def create_namespace(self, name: str) -> None:
        namespaces.create_namespace(self.api, name)

    def delete_namespace(self, name: str) -> None:
        namespaces.delete_namespace(self.api, name)

    def create_vm(self, machine: virtual_machines.Machine) -> virtual_machines.Created:
        return virtual_machines.create(self, [machine])[0]

    def create_vms(
        self, machines: Iterable[virtual_machines.Machine]
    ) -> list[virtual_machines.Created]:
        return virtual_machines.create(self, list(machines))


def velero_object(kind: str, name: str, spec: Object) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
