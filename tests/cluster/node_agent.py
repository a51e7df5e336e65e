"""A stand-in for Velero's node agent: moves the bytes of DataUploads and DataDownloads.

What Velero and a user see of it is as in Velero v1.18 (pkg/controller/data_upload_controller.go and
data_download_controller.go, pkg/exposer): phases, times and progress of both objects; after an
upload the snapshot is gone; a download fills a claim of its own in Velero's namespace and then
gives the volume to the claim that waits for it, if need be for its first use. A finalizer keeps an
object until its work has ended; to delete it is to cancel it, but not while it waits for a use of
its claim. Between the two the bytes lie in a folder, which several clusters may share. Left out are
the pods of the data movers, repositories and retries.
"""

import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.cluster.api import Api, Object
from tests.cluster.manifests import owner
from tests.cluster.namespaces import wait_until
from tests.cluster.node import NAME as NODE
from tests.cluster.storage import AT_FIRST_USE, SELECTED_NODE, Storage
from tests.cluster.velero import NAMESPACE
from tests.cluster.watcher import Watcher, lost_race

VELERO = "velero.io/v2alpha1"
SNAPSHOTS = "snapshot.storage.k8s.io/v1"
CLAIM = ("v1", "PersistentVolumeClaim")
VOLUME = ("v1", "PersistentVolume")
FINALIZER = "velero.io/data-upload-download-finalizer"
DAEMON_SET = ("apps/v1", "DaemonSet", NAMESPACE, "node-agent")


class Cancelled(Exception):
    """Somebody has set `cancel` on the object, or deletes it."""


class NodeAgent(Watcher):
    """Works from `start` to `close`, on several objects at once.

    Args:
        repository: folder for moved bytes.
    """

    def __init__(self, api: Api, storage: Storage, repository: Path) -> None:
        self._api = api
        self._storage = storage
        self.repository = repository
        self._may_move = {"DataUpload": threading.Event(), "DataDownload": threading.Event()}
        for each in self._may_move.values():
            each.set()
        self._taken: dict[str, Future[None]] = {}
        self._workers = ThreadPoolExecutor(8, thread_name_prefix="node-agent")
        super().__init__(every_s=0.3)

    def start(self) -> None:
        """Returns when Velero takes the agent for ready."""
        self.repository.mkdir(exist_ok=True)
        self._api.create(daemon_set())
        wait_until(
            lambda: bool(self._api.get(*DAEMON_SET)["status"].get("numberReady")),
            "node agent is ready",
        )
        super().start()

    def close(self) -> None:
        for each in self._may_move.values():
            each.set()
        try:
            super().close()
        finally:
            self._workers.shutdown()
            self._api.delete(*DAEMON_SET)
        for done in self._taken.values():
            done.result()

    @contextmanager
    def held(self, kind: str) -> Iterator[None]:
        """Objects of a kind stop half-way, in progress, until the end of the context."""
        self._may_move[kind].clear()
        try:
            yield
        finally:
            self.release(kind)

    def release(self, kind: str) -> None:
        """Ends the hold of a kind before its context."""
        self._may_move[kind].set()

    def look(self) -> None:
        for kind, work in (("DataUpload", self._upload), ("DataDownload", self._download)):
            for found in self._api.list(VELERO, kind, NAMESPACE):
                uid = found["metadata"]["uid"]
                if uid not in self._taken:
                    self._taken[uid] = self._workers.submit(self._carry_out, found, work)

    def _carry_out(self, moved: Object, work: Callable[[Object], Object]) -> None:
        """Tells Velero how it went, unless the object is gone."""
        with lost_race():
            self._try(moved, work)

    def _try(self, moved: Object, work: Callable[[Object], Object]) -> None:
        if moved.get("status", {}).get("phase") in ("Completed", "Failed", "Canceled"):
            return
        self._keep(moved, FINALIZER)
        try:
            self._do(moved, work)
        finally:
            self._keep(moved)

    def _is_awaited(self, moved: Object) -> bool:
        """True if nobody has called it off, once the claim is there for a download."""
        where = (VELERO, moved["kind"], NAMESPACE, moved["metadata"]["name"])
        wanted = moved["spec"].get("targetVolume")
        while not self._ended.is_set():
            found = self._api.get(*where)
            if found["spec"].get("cancel") or is_going(found):
                return False
            if not wanted or self._api.find(*CLAIM, wanted["namespace"], wanted["pvc"]):
                return True
            time.sleep(0.3)
        return False

    def _do(self, moved: Object, work: Callable[[Object], Object]) -> None:
        if not self._is_awaited(moved):
            self._tell(moved, phase="Canceled", completionTimestamp=now())
            return
        accepted = {"acceptedByNode": NODE, "acceptedTimestamp": now()}
        self._tell(moved, phase="Accepted", **accepted)
        try:
            result = work(moved)
        except Cancelled:
            self._tell(moved, phase="Canceled", completionTimestamp=now())
        except Exception as error:  # noqa: BLE001 - the edge of a thread; Velero shows the message
            self._tell(moved, phase="Failed", message=str(error), completionTimestamp=now())
        else:
            self._tell(moved, phase="Completed", completionTimestamp=now(), **result)

    def _upload(self, upload: Object) -> Object:
        namespace = upload["spec"]["sourceNamespace"]
        name = upload["spec"]["csiSnapshot"]["volumeSnapshot"]
        content = self._content(namespace, name)
        source = self._storage.folder / "snapshots" / content["status"]["snapshotHandle"]
        snapshot = f"moved-{uuid.uuid4()}"
        try:
            size = self._move(upload, source, self.repository / snapshot)
        finally:
            self._api.delete(SNAPSHOTS, "VolumeSnapshot", namespace, name)
        moved = {"bytesDone": size, "totalBytes": size}
        return {"snapshotID": snapshot, "progress": moved, "nodeOS": "linux"}

    def _content(self, namespace: str, name: str) -> Object:
        def status() -> Object:
            found = self._api.get(SNAPSHOTS, "VolumeSnapshot", namespace, name)
            return dict(found.get("status") or {})

        wait_until(
            lambda: bool(status().get("readyToUse")), f"snapshot {namespace}/{name} is ready"
        )
        content = status()["boundVolumeSnapshotContentName"]
        return self._api.get(SNAPSHOTS, "VolumeSnapshotContent", None, content)

    def _download(self, download: Object) -> Object:
        wanted = download["spec"]["targetVolume"]
        target = (*CLAIM, wanted["namespace"], wanted["pvc"])
        claim = self._used(target)
        try:
            volume = self._provisioned(claim, download)
            handle = volume["spec"]["csi"]["volumeHandle"]
            source = self.repository / download["spec"]["snapshotID"]
            size = self._move(download, source, self._storage.folder / "volumes" / handle)
        except Exception:
            self._discard(download["metadata"]["name"])
            raise
        self._storage.link(wanted["namespace"], wanted["pvc"], handle)
        self._rebind(volume, target, download["metadata"]["name"])
        return {"progress": {"bytesDone": size, "totalBytes": size}}

    def _used(self, target: tuple[str, str, str, str]) -> Object:
        """The claim, when a pod uses it, if its class binds at first use."""
        while not self._ended.is_set():
            claim = self._api.find(*target)
            if claim is None:
                raise RuntimeError(f"error to wait target PVC consumed: {target} is not there")
            if is_bound(claim):
                raise RuntimeError(f"Target PVC {target[3]} has already been bound, abort")
            is_late = claim["spec"]["storageClassName"] == AT_FIRST_USE
            if not is_late or SELECTED_NODE in claim["metadata"].get("annotations", {}):
                return claim
            time.sleep(0.3)
        raise Cancelled

    def _discard(self, name: str) -> None:
        """Deletes the claim in Velero's namespace with its volume."""
        claim = self._api.find(*CLAIM, NAMESPACE, name)
        if claim and is_bound(claim):
            policy = {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
            self._api.patch(*VOLUME, None, claim["spec"]["volumeName"], policy)
        if claim:
            self._api.delete(*CLAIM, NAMESPACE, name)

    def _provisioned(self, target: Object, download: Object) -> Object:
        """The volume of a new claim in Velero's namespace, as large as the target."""
        left_out = ("selector", "volumeName", "dataSource", "dataSourceRef")
        spec = {key: target["spec"][key] for key in target["spec"] if key not in left_out}
        name = download["metadata"]["name"]
        metadata = {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner(download)]}
        chosen = target["metadata"].get("annotations", {}).get(SELECTED_NODE)
        metadata |= {"annotations": {SELECTED_NODE: chosen}} if chosen else {}
        self._api.create({"apiVersion": "v1", "kind": CLAIM[1], "metadata": metadata, "spec": spec})
        where = (*CLAIM, NAMESPACE, name)
        wait_until(lambda: is_bound(self._api.get(*where)), f"claim {name} is bound")
        return self._api.get(*VOLUME, None, self._api.get(*where)["spec"]["volumeName"])

    def _move(self, moved: Object, source: Path, target: Path) -> int:
        """Copies a folder or a file; the size in bytes."""
        files = [source] if source.is_file() else [*filter(Path.is_file, source.rglob("*"))]
        size = sum(file.stat().st_size for file in files)
        self._tell(moved, phase="Prepared", node=NODE)
        progress = {"bytesDone": size // 2, "totalBytes": size}
        self._tell(moved, phase="InProgress", startTimestamp=now(), progress=progress)
        self._wait_to_move(moved)
        if source.is_file():
            shutil.copyfile(source, target)
        else:
            shutil.copytree(source, target, dirs_exist_ok=True)
        return size

    def _wait_to_move(self, moved: Object) -> None:
        where = (VELERO, moved["kind"], NAMESPACE, moved["metadata"]["name"])
        is_held = True
        while is_held:
            is_held = not self._may_move[moved["kind"]].wait(0.3)
            found = self._api.get(*where)
            if found["spec"].get("cancel") or is_going(found):
                raise Cancelled

    def _rebind(self, volume: Object, target: tuple[str, str, str, str], claim: str) -> None:
        """Takes a volume from the claim in Velero's namespace and gives it to the target."""
        name = volume["metadata"]["name"]
        policy = volume["spec"]["persistentVolumeReclaimPolicy"]
        where = (*VOLUME, None, name)
        self._api.patch(*where, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
        self._api.delete(*CLAIM, NAMESPACE, claim)
        wait_until(
            lambda: self._api.find(*CLAIM, NAMESPACE, claim) is None, f"claim {claim} is gone"
        )
        found = self._api.patch(*target, {"spec": {"volumeName": name}})
        selector = found["spec"].get("selector", {}).get("matchLabels", {})
        reference = {"kind": CLAIM[1], "apiVersion": "v1"} | {
            "namespace": target[2], "name": target[3], "uid": None, "resourceVersion": None,
        }  # fmt: skip
        self._api.patch(*where, {"metadata": {"labels": selector}, "spec": {"claimRef": reference}})
        wait_until(lambda: is_bound(self._api.get(*target)), f"claim {target[3]} is bound")
        self._api.patch(*where, {"spec": {"persistentVolumeReclaimPolicy": policy}})

    def _keep(self, moved: Object, *finalizers: str) -> None:
        """Of an object that has ended none is kept, which may delete it."""
        where = (VELERO, moved["kind"], NAMESPACE, moved["metadata"]["name"])
        with lost_race():
            self._api.patch(*where, {"metadata": {"finalizers": list(finalizers)}})

    def _tell(self, moved: Object, **status: object) -> None:
        where = (VELERO, moved["kind"], NAMESPACE, moved["metadata"]["name"])
        self._api.patch(*where, {"status": status})


def is_going(one: Object) -> bool:
    return "deletionTimestamp" in one["metadata"]


def is_bound(claim: Object) -> bool:
    return bool(claim["status"].get("phase") == "Bound")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def daemon_set() -> Object:
    """What Velero looks at before it creates a DataUpload."""
    labels = {"name": "node-agent", "role": "node-agent"}
    container = {"name": "node-agent", "image": "velero/velero:none"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "node-agent", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
