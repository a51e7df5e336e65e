"""A stand-in for Velero's node agent where it copies files through pods (fs-backup).

What Velero sees of it is as in Velero v1.18 (pkg/controller/pod_volume_backup_controller.go and
pod_volume_restore_controller.go): phases, times and the snapshot's name. The repository, which is a
folder here, is there and ready, so that Velero does not set up its own.
"""

import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.api import Api, Object
from tests.cluster.node_agent import now
from tests.cluster.storage import Storage
from tests.cluster.velero import API_VERSION, LOCATION, NAMESPACE
from tests.cluster.watcher import Watcher, lost_race

BACKUP, RESTORE = "PodVolumeBackup", "PodVolumeRestore"
ENDED = ("Completed", "Failed", "Canceled")


class PodVolumes(Watcher):
    """Works from `start` to `close`, beside a `NodeAgent`, which is the pod that Velero looks for.

    Args:
        repository: folder for copied files.
        namespace: whose files are copied; they may come back into others.
    """

    def __init__(self, api: Api, storage: Storage, repository: Path, namespace: str) -> None:
        self._api = api
        self._storage = storage
        self._repository = repository
        self._namespace = namespace
        self._may_restore = threading.Event()
        self._may_restore.set()
        self._broken: set[str] = set()
        super().__init__(every_s=0.2)

    def start(self) -> None:
        self._repository.mkdir(parents=True)
        self._api.create(repository(self._namespace))
        super().start()

    def close(self) -> None:
        self._may_restore.set()
        try:
            super().close()
        finally:
            name = repository(self._namespace)["metadata"]["name"]
            self._api.delete(API_VERSION, "BackupRepository", NAMESPACE, name)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Restores stop half-way, in progress, until the end of the context."""
        self._may_restore.clear()
        try:
            yield
        finally:
            self._may_restore.set()

    def fail_in(self, namespace: str) -> None:
        """No file comes back into this namespace."""
        self._broken.add(namespace)

    def of(self, kind: str, namespace: str) -> list[Object]:
        """The objects of a kind that are about a pod of this namespace."""
        found = self._api.list(API_VERSION, kind, NAMESPACE)
        return [each for each in found if each["spec"]["pod"]["namespace"] == namespace]

    def look(self) -> None:
        for kind, work in ((BACKUP, self._save), (RESTORE, self._put_back)):
            for found in self._api.list(API_VERSION, kind, NAMESPACE):
                if found.get("status", {}).get("phase") not in ENDED:
                    with lost_race():
                        work(found)

    def _save(self, copy: Object) -> None:
        volume, snapshot = self._volume(copy), uuid.uuid4().hex
        if volume is None:
            return
        shutil.copytree(volume, self._repository / snapshot)
        size = {"bytesDone": 1, "totalBytes": 1}
        self._tell(copy, "Completed", snapshotID=snapshot, progress=size)

    def _put_back(self, copy: Object) -> None:
        if not self._may_restore.is_set():
            if copy.get("status", {}).get("phase") != "InProgress":
                self._tell(copy, "InProgress")
        elif copy["spec"]["pod"]["namespace"] in self._broken:
            self._tell(copy, "Failed", message="the repository is broken")
        elif volume := self._volume(copy):
            source = self._repository / copy["spec"]["snapshotID"]
            shutil.copytree(source, volume, dirs_exist_ok=True)
            self._tell(copy, "Completed")

    def _volume(self, copy: Object) -> Path | None:
        """None as long as its claim is not bound, for which the real one's pod would wait."""
        through = copy["spec"]["pod"]
        pod = self._api.get("v1", "Pod", through["namespace"], through["name"])
        [claim] = [
            each["persistentVolumeClaim"]["claimName"]
            for each in pod["spec"]["volumes"]
            if each["name"] == copy["spec"]["volume"]
        ]
        try:
            return self._storage.disk_path(through["namespace"], claim)
        except FileNotFoundError:
            return None

    def _tell(self, copy: Object, phase: str, **status: object) -> None:
        where = (API_VERSION, copy["kind"], NAMESPACE, copy["metadata"]["name"])
        times = {"completionTimestamp": now()} if phase in ENDED else {"startTimestamp": now()}
        self._api.patch(*where, {"status": {"phase": phase} | times | status})


def repository(namespace: str) -> Object:
    """The repository of a namespace's files, ready and in no need of maintenance."""
    labels = {
        "velero.io/volume-namespace": namespace,
        "velero.io/storage-location": LOCATION,
        "velero.io/repository-type": "kopia",
    }
    spec = {
        "volumeNamespace": namespace,
        "backupStorageLocation": LOCATION,
        "repositoryType": "kopia",
        "resticIdentifier": "",
        "maintenanceFrequency": "168h0m0s",
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "BackupRepository",
        "metadata": {
            "name": f"{namespace}-{LOCATION}-kopia",
            "namespace": NAMESPACE,
            "labels": labels,
        },
        "spec": spec,
        "status": {"phase": "Ready", "lastMaintenanceTime": now()},
    }
