"""A good backup as Velero leaves it, changes to it, and a report on the result."""

import copy
import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import orjson

from stillpoint.backup_files.files import Kind
from stillpoint.evidence import document, verified
from stillpoint.evidence.document import Event, Evidence, Span, Statement, Subject
from stillpoint.evidence.sealed import Key
from stillpoint.evidence.verified import Verification
from stillpoint.model import item as it
from stillpoint.model.api_resources import KNOWN
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.report import contents, judge
from stillpoint.report.model import Machine, Report
from stillpoint.velero import seal_secret
from stillpoint.velero.volumes import data_upload

NAME, UID, VELERO = "nightly", "5b5a011b-f65b-43f3-9d17-15cee6d1d864", "velero"
KEY = Key("9f3c")
UID_KEY = Key(UID, is_uid=True)
ANOTHER_KEY = Key("of another backup")
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TAKEN = datetime(2026, 11, 27, 1, 33, 12, 250_000, tzinfo=UTC)

SUFFIXES = {
    Kind.CONTENTS: ".tar.gz",
    Kind.VOLUMES: "-volumeinfo.json.gz",
    Kind.OPERATIONS: "-itemoperations.json.gz",
    Kind.LOG: "-logs.gz",
}


@dataclass
class World:
    """The parts of a backup; `Files` once they are as a test wants them."""

    items: list[Item] = field(default_factory=list)
    volumes: list[Item] | None = field(default_factory=list)
    operations: list[Item] | None = field(default_factory=list)
    object: Item | None = None
    has_archive: bool = True
    log: bytes | None = b""
    name: str = NAME
    origin: str = "a test"

    def backup(self) -> Item | None:
        return self.object

    def open(self, kind: Kind) -> IO[bytes] | None:
        content = self.content(kind)
        return None if content is None else io.BytesIO(content)

    def content(self, kind: Kind) -> bytes | None:
        if kind is Kind.CONTENTS:
            return gzip.compress(archive(self.items), 1) if self.has_archive else None
        if kind is Kind.LOG:
            return None if self.log is None else gzip.compress(self.log, 1)
        book = {Kind.VOLUMES: self.volumes, Kind.OPERATIONS: self.operations}.get(kind)
        return None if book is None else gzip.compress(orjson.dumps(book), 1)

    def write(self, folder: Path, name: str = NAME) -> Path:
        """The folder of the backup in the object store."""
        folder.mkdir(parents=True, exist_ok=True)
        for kind, suffix in SUFFIXES.items():
            if (content := self.content(kind)) is not None:
                (folder / f"{name}{suffix}").write_bytes(content)
        named = it.with_value(self.object, name, "metadata", "name") if self.object else None
        (folder / "velero-backup.json").write_bytes(orjson.dumps(named))
        return folder

    def item(self, kind: str, name: str) -> Item:
        [found] = [
            one for one in self.items if (one["kind"], one["metadata"]["name"]) == (kind, name)
        ]
        return found

    def remove(self, kind: str, name: str) -> None:
        self.items.remove(self.item(kind, name))

    def volume(self, claim: str) -> Item:
        [found] = [one for one in self.volumes or () if one["pvcName"] == claim]
        return found

    def put(self, evidence: Evidence, kind: str, name: str, key: Key | None = None) -> None:
        """Seals evidence as that of this object; by default with the secret of the backup."""
        key, holder = key or KEY, self.item(kind, name)["metadata"]
        is_bound = kind == "VolumeSnapshot" and not key.is_uid
        evidence = replace(evidence, snapshot=holder["uid"] if is_bound else "")
        annotations = holder.setdefault("annotations", {})
        annotations[document.ANNOTATION] = document.to_annotation(evidence, key)

    def verify(self, found: Mapping[str, Verification]) -> None:
        """Leaves verifications on the Backup, as `stillpoint verify` does."""
        assert self.object is not None
        text = verified.annotation(self.object, found, max(one.at for one in found.values()))
        self.object["metadata"].setdefault("annotations", {})[verified.ANNOTATION] = text


Change = Callable[[World], None]


def archive(items: list[Item]) -> bytes:
    """The tar file, with each object a second time under its version."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        add(tar, "metadata/version", b"1.1.0\n")
        for one in items:
            for path in paths(one):
                add(tar, path, orjson.dumps(one))
    return stream.getvalue()


def paths(item: Item) -> list[str]:
    served = {one.kind: one.name for one in KNOWN}
    resource = (served | {"DataUpload": str(data_upload.RESOURCE)})[item["kind"]]
    version = item["apiVersion"].rpartition("/")[2]
    namespace, name = item["metadata"].get("namespace"), item["metadata"]["name"]
    scope = f"namespaces/{namespace}" if namespace else "cluster"
    return [
        f"resources/{resource}/{scope}/{name}.json",
        f"resources/{resource}/{version}-preferredversion/{scope}/{name}.json",
    ]


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    tar.addfile(header, io.BytesIO(content))


def report(world: World, now: datetime = NOW) -> Report:
    return judge.judge(contents.read(world), now)


def machine(world: World, name: str = "db") -> Machine:
    [found] = [one for one in report(world).machines if one.name == name]
    return found


def good() -> World:
    """`db` runs on two disks, in snapshots; `archive` is off, its disk was moved."""
    world = World(object=backup())
    world.items += [
        *virtual_machine("db", "root", "data", needs="db-cloud-init"),
        instance("db", "root", "data"),
        obj("v1", "Secret", "db-cloud-init", data={"userdata": "c2VjcmV0"}),
        *virtual_machine("archive", "old"),
        obj("storage.k8s.io/v1", "StorageClass", "fast", namespace=""),
    ]
    for name in ("db-root", "db-data"):
        put_snapshot(world, name)
        world.put(evidence(name), "VolumeSnapshot", f"velero-{name}")
    put_upload(world, "archive-old")
    stopped = evidence("archive-old", "archive", level=Level.STOPPED, frozen=None)
    world.put(stopped, "DataUpload", "nightly-archive-old")
    return world


def backup(phase: str = "Completed") -> Item:
    status = {
        "phase": phase,
        "startTimestamp": "2026-11-27T01:33:11Z",
        "completionTimestamp": "2026-11-27T01:33:25Z",
        "hookStatus": {"hooksAttempted": 2},
    }
    annotations = {seal_secret.ANNOTATION: f"{UID}.{KEY.secret}"}
    metadata = {"name": NAME, "namespace": VELERO, "uid": UID, "annotations": annotations}
    return {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": metadata, "status": status}


def obj(version: str, kind: str, name: str, namespace: str = "shop", **fields: Any) -> Item:
    metadata: Item = {"name": name, "uid": f"uid-{name}", "managedFields": [{"manager": "x"}]}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def volumes(name: str, disks: tuple[str, ...], needs: str = "") -> list[Item]:
    found: list[Item] = [
        {"name": disk, "persistentVolumeClaim": {"claimName": f"{name}-{disk}"}} for disk in disks
    ]
    secret = [{"name": "init", "cloudInitNoCloud": {"secretRef": {"name": needs}}}] if needs else []
    return [*found, *secret]


def virtual_machine(name: str, *disks: str, needs: str = "") -> list[Item]:
    specification = {"volumes": volumes(name, disks, needs)}
    spec = {"runStrategy": "Always", "template": {"spec": specification}}
    return [
        obj("kubevirt.io/v1", "VirtualMachine", name, spec=spec),
        *(claim(f"{name}-{disk}") for disk in disks),
    ]


def instance(name: str, *disks: str) -> Item:
    agent = {"type": "AgentConnected", "status": "True"}
    spec = {"volumes": volumes(name, disks)}
    status = {"phase": "Running", "conditions": [agent]}
    made = obj("kubevirt.io/v1", "VirtualMachineInstance", name, spec=spec, status=status)
    made["metadata"]["ownerReferences"] = [{"kind": "VirtualMachine", "name": name}]
    return made


def claim(name: str) -> Item:
    spec = {
        "storageClassName": "fast",
        "volumeName": f"pvc-{name}",
        "resources": {"requests": {"storage": "10Gi"}},
    }
    made = obj("v1", "PersistentVolumeClaim", name, spec=spec, status={"phase": "Bound"})
    made["metadata"]["annotations"] = {}
    return made


def put_snapshot(world: World, name: str) -> None:
    """A snapshot of a claim as Velero leaves it."""
    snapshot, content, handle = f"velero-{name}", f"snapcontent-{name}", f"handle-{name}"
    annotations = world.item("PersistentVolumeClaim", name)["metadata"]["annotations"]
    annotations["velero.io/volume-snapshot-name"] = snapshot
    version = "snapshot.storage.k8s.io/v1"
    status = {"boundVolumeSnapshotContentName": content, "readyToUse": True}
    spec = {"source": {"persistentVolumeClaimName": name}}
    made = obj(version, "VolumeSnapshot", snapshot, spec=spec, status=status)
    made["metadata"]["annotations"] = {"velero.io/csi-volumesnapshot-handle": handle}
    of_content = {"snapshotHandle": handle, "restoreSize": 10 * 1024**3, "readyToUse": True}
    world.items += [
        made,
        obj(
            version, "VolumeSnapshotContent", content, "", spec={"driver": "csi"}, status=of_content
        ),
    ]
    information = {"snapshotHandle": handle, "driver": "csi", "size": 1, "ReadyToUse": True}
    put_volume(world, name, csiSnapshotInfo=information)


def put_upload(world: World, name: str) -> None:
    """A DataUpload of a claim as Velero leaves it."""
    annotations = world.item("PersistentVolumeClaim", name)["metadata"]["annotations"]
    annotations["velero.io/volume-snapshot-name"] = f"velero-{name}"
    annotations["velero.io/data-upload-name"] = f"velero/nightly-{name}"
    spec = {"sourcePVC": name, "sourceNamespace": "shop", "csiSnapshot": {"driver": "csi"}}
    status = {"phase": "Completed", "snapshotID": "moved-1", "progress": {"totalBytes": 1024}}
    upload = obj("velero.io/v2alpha1", "DataUpload", f"nightly-{name}", VELERO, spec=spec)
    world.items.append(upload | {"status": status})
    information = {"snapshotHandle": "moved-1", "Phase": "Completed"}
    put_volume(world, name, snapshotDataMoved=True, snapshotDataMovementInfo=information)


def put_volume(world: World, claim: str, method: str = "CSISnapshot", **fields: Any) -> None:
    entry = {"pvcName": claim, "pvcNamespace": "shop", "backupMethod": method, "skipped": False}
    if world.volumes is not None:
        world.volumes = [one for one in world.volumes if one["pvcName"] != claim]
        world.volumes.append({**entry, "result": "succeeded", **fields})


def after(seconds: float) -> datetime:
    return TAKEN + timedelta(seconds=seconds)


FROZEN = Span(TAKEN, after(0.41))


def evidence(
    claim: str,
    machine: str = "db",
    *,
    level: Level = Level.FILESYSTEM,
    machine_level: Level | None = None,
    frozen: Span | None = FROZEN,
    uid: str = "",
    **fields: Any,
) -> Evidence:
    begin = 0.1 if claim.endswith("root") else 0.12
    defaults: dict[str, Any] = {
        "proofs": (Statement("frozen-by-hook", "the hook froze it at 01:33:12.250 UTC", TAKEN),),
        "cut": Span(after(begin), after(begin + 0.02)),
        "events": (
            Event(TAKEN, "plugin", "frozen", "the guest stands still"),
            Event(after(begin), "plugin", "snapshot-taken", f"of {claim}"),
        ),
    }
    return Evidence(
        claim=Subject("PersistentVolumeClaim", claim, uid or f"uid-{claim}"),
        machine=Subject("VirtualMachine", machine, f"uid-{machine}"),
        level=level,
        machine_level=machine_level or level,
        frozen=frozen,
        **{**defaults, **fields},
    )


def copied(world: World) -> World:
    return copy.deepcopy(world)
