"""A cluster in memory in which Velero, KubeVirt and the storage are played, each in a line or two.

What they do is done when a request has come in, before it is answered.
"""

import json
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.errors import Conflict
from stillpoint.model.item import Item
from stillpoint.model.reader import Change, Lookup
from stillpoint.model.reference import Reference, Resource
from tests.unit.dictionary_reader import MemoryStream, merged
from tests.unit.verification.machines import RECORD

BEGAN = datetime(2026, 11, 27, 6, tzinfo=UTC)
ORIGINAL, SNAPSHOT = "volume-of-shop", "snapshot-of-backup"
"""What the storage has before, and must have after anything that a verification does."""

FROM = {"kind": "VolumeSnapshot", "name": "content"}

Key = tuple[str, str, str]


class Played:
    """The cluster: a `model.writer.Cluster`.

    Attributes:
        storage: names of volumes and snapshots that the storage has.
        requests: every request so far, such as `create namespaces stillpoint-verify-x`.
        on_request: called with the number of each request, from 1 on, before it is carried out.
        on_wait: called with the object that somebody waits for, before anything goes on with it.
        now: the time; it advances, too, when somebody waits for what never comes.
        never: kinds of which a watch brings nothing, for instance `VirtualMachineInstance`.
        kept: kinds of which a deletion deletes nothing, as a finalizer keeps the object.
        faults: what comes of requests, such as `delete virtualmachines`; of a watch as it is read.
        found: kinds that the namespace controller found at each look at a namespace.
        errors: of each Restore.
        reclaim: policy of the volumes that are provisioned.
        lines: what the guest prints.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[Key, Item] = {}
        self.storage = {ORIGINAL, SNAPSHOT}
        self.requests: list[str] = []
        self.on_request: Callable[[int], None] = lambda _number: None
        self.on_wait: Callable[[Key], None] = lambda _key: None
        self.now = BEGAN
        self.never: set[str] = set()
        self.reclaim = "Delete"
        self.phase = "Completed"
        self.errors = 0
        self.policy = "Retain"
        self.kept: set[str] = set()
        self.faults: dict[str, Exception] = {}
        self.found: list[set[str]] = []
        self.lines: Sequence[Item] = good_lines()
        self.restored: Callable[[Item], Iterator[Item]] = self.machine
        self.instance: Item = {}
        self._versions = count(1)
        self._watchers: dict[Key, list[MemoryStream[Change]]] = {}
        self.keep(volume(ORIGINAL, "pv-original", {"namespace": "shop", "name": "db-root"}))
        self.keep({"kind": "Namespace", "metadata": {"name": "shop"}})
        self.keep({"kind": "Backup", "metadata": {"name": "nightly", "namespace": "velero"}})
        self.before = set(self.objects)

    def keep(self, item: Item) -> Item:
        """The object as it is from now on."""
        with self.lock:
            key = identity(item)
            known = self.objects.get(key, {})
            version = {"resourceVersion": str(next(self._versions))}
            kept = {"uid": f"uid-{version['resourceVersion']}", "creationTimestamp": self._time()}
            kept |= {name: known["metadata"][name] for name in kept if known}
            self.objects[key] = {**item, "metadata": {**kept, **item["metadata"], **version}}
            for watcher in self._watchers.get(key, ()):
                watcher.send(Change(self.objects[key]))
            return self.objects[key]

    def drop(self, key: Key) -> None:
        """Nothing has that name any more."""
        with self.lock:
            if gone := self.objects.pop(key, None):
                for watcher in self._watchers.get(key, ()):
                    watcher.send(Change(gone, is_deleted=True))

    @property
    def clock(self) -> Clock:
        """The time advances when somebody sleeps."""

        def sleep(seconds: float) -> None:
            self.now += timedelta(seconds=seconds)

        return Clock(lambda: self.now, sleep)

    @property
    def left(self) -> list[Key]:
        """All that was not there at the beginning."""
        return sorted(set(self.objects) - self.before)

    def look(self) -> None:
        """The namespace controller looks at every namespace that is being deleted, once more."""
        for kind, _, name in [*self.objects]:
            if kind == "Namespace" and it.is_being_deleted(self.objects[kind, "", name]):
                self._end(name, 0)

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        self._request("get", resource, name)
        return self.objects.get((resource.kind, namespace, name))

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        self._request("list", resource, namespace)
        with self.lock:
            return [
                one
                for (kind, place, _), one in self.objects.items()
                if kind == resource.kind and namespace in ("", place) and fits(labels, one)
            ]

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> MemoryStream[Change]:
        self._request("watch", resource, name)
        key = resource.kind, namespace, name
        with self.lock:
            now = [Change(self.objects[key])] if key in self.objects else []
            stream = _Watch(now, lambda: self._go_on(key, stream, longest_s))
            if fault := self.faults.get(f"watch {resource.plural}"):
                self.now += timedelta(seconds=longest_s)
                stream.send(fault)
            if resource.kind in self.never:
                self.now += timedelta(seconds=longest_s)
                self.look()
                stream.close()
            self._watchers.setdefault(key, []).append(stream)
        return stream

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> MemoryStream[bytes]:
        del oldest_s, follow_s
        self._request("log", Resource("", "v1", "pods", "Pod"), f"{pod.name} {container}")
        stamp = "2026-11-27T06:01:00.0Z @stillpoint "
        return MemoryStream([f"{stamp}{json.dumps(line)}".encode() for line in self.lines])

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        raise NotImplementedError

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        raise NotImplementedError

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        raise NotImplementedError

    def patch(
        self, resource: Resource, namespace: str, name: str, change: Item, subresource: str = ""
    ) -> Item:
        assert not subresource
        self._request("patch", resource, name)
        with self.lock:
            before = self.objects[resource.kind, namespace, name]
            version = it.text(change, "metadata", "resourceVersion")
            require(version in ("", before["metadata"]["resourceVersion"]), "patch", name)
            require(it.uid(change) in ("", it.uid(before)), "patch", name)
            after = self.keep(merged(before, change))
            if resource.kind == "VirtualMachine" and after["spec"].get("runStrategy") == "Once":
                self.start(after)
            return after

    def create(self, resource: Resource, item: Item) -> Item | None:
        self._request("create", resource, it.name(item))
        with self.lock:
            if identity(item) in self.objects:
                return None
            if resource.kind == "ResourceQuota":
                item = {**item, "status": {"hard": item["spec"]["hard"]}}
            made = self.keep(item)
            if resource.kind == "Restore":
                for one in self.restored(made):
                    self.keep(one)
                self.keep({**made, "status": {"phase": self.phase, "errors": self.errors}})
            return made

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        self._request("delete", resource, name)
        with self.lock:
            key = resource.kind, namespace, name
            if (found := self.objects.get(key)) is None:
                return
            if resource.kind in self.kept:
                return
            require(uid in ("", it.uid(found)), "delete", name)
            require(version in ("", found["metadata"]["resourceVersion"]), "delete", name)
            if resource.kind == "VolumeSnapshotContent" and self._takes_snapshot(found):
                self.storage.discard(SNAPSHOT)
            if resource.kind in ("Namespace", "VirtualMachine"):
                self.keep(merged(found, {"metadata": {"deletionTimestamp": self._time()}}))
            else:
                self._go(key)

    def _go_on(self, key: Key, stream: MemoryStream[Change], longest_s: float) -> None:
        """What goes on while somebody waits for a change of an object."""
        kind, _, name = key
        self.on_wait(key)
        with self.lock:
            if kind in ("Namespace", "VirtualMachine") and key not in self.objects:
                self.now += timedelta(seconds=longest_s)  # nobody creates it any more
                stream.close()
            elif kind == "Restore" and kind in self.kept:
                self.now += timedelta(seconds=longest_s)
                stream.close()
            elif key not in self.objects or not it.is_being_deleted(self.objects[key]):
                return
            elif kind == "Namespace":
                self._end(name, longest_s)
            elif kind == "VirtualMachine":
                self._go(key)

    def _end(self, namespace: str, longest_s: float) -> None:
        """The namespace controller's first look at a namespace that is being deleted."""
        self.now += timedelta(seconds=min(5, longest_s))
        for key in [*self.objects]:
            is_going = it.is_being_deleted(self.objects.get(key, {}))
            if key[:2] == ("VirtualMachine", namespace) and is_going and key[0] not in self.kept:
                self._go(key)  # KubeVirt had the time to end it
        self.found.append({kind for kind, place, _ in self.objects if place == namespace})
        for key in [*self.objects]:
            if key[1] == namespace and key[0] not in self.kept:
                self._go(key)
        key = "Namespace", "", namespace
        if any(place == namespace for _, place, _ in self.objects):
            remaining = {"status": "True", "message": "finalizers remaining: kubevirt.io/stuck"}
            self.keep(merged(self.objects[key], {"status": {"conditions": [remaining]}}))
            self.now += timedelta(seconds=longest_s)
            for watcher in self._watchers.pop(key, ()):
                watcher.close()
        else:
            self.drop(key)

    def _go(self, key: Key) -> None:
        """An object goes with all that goes with it."""
        kind, namespace, name = key
        self.drop(key)
        for other, one in [*self.objects.items()]:
            specification = one.get("spec", {})
            of = specification.get("volumeSnapshotRef", {})
            is_of_snapshot = (of.get("namespace"), of.get("name")) == (namespace, name)
            if kind == "VolumeSnapshot" and is_of_snapshot and self._takes_snapshot(one):
                self.storage.discard(SNAPSHOT)
            claim = specification.get("claimRef", {})
            is_of_claim = (claim.get("namespace"), claim.get("name")) == (namespace, name)
            is_freed = specification.get("persistentVolumeReclaimPolicy") == "Delete"
            if kind == "PersistentVolumeClaim" and is_of_claim and is_freed:
                self.storage.discard(specification["csi"]["volumeHandle"])
                self.drop(other)
            is_run = other[0] in ("VirtualMachineInstance", "Pod") and name in other[2]
            if kind == "VirtualMachine" and other[1] == namespace and is_run:
                self.drop(other)

    @staticmethod
    def _takes_snapshot(content: Item) -> bool:
        return bool(content["spec"].get("deletionPolicy") == "Delete")

    def machine(self, restore: Item) -> Iterator[Item]:
        """What Velero creates of the machine `db`, with one disk."""
        [scratch] = restore["spec"]["namespaceMapping"].values()
        labels = {"velero.io/restore-name": it.name(restore)}
        metadata = {"namespace": scratch, "labels": labels}
        claim = self.keep(
            {
                "kind": "PersistentVolumeClaim",
                "metadata": {**metadata, "name": "db-root"},
                "spec": {
                    "dataSource": {"apiGroup": "snapshot.storage.k8s.io", **FROM},
                    "storageClassName": "disks",
                    "volumeName": "pv-new",
                },
                "status": {"phase": "Bound"},
            }
        )
        yield volume("volume-new", "pv-new", self.claim_of(claim), self.reclaim)
        self.storage.add("volume-new")
        snapshot = {"kind": "VolumeSnapshot", "metadata": {**metadata, "name": "content"}}
        yield content(scratch, labels, self.policy, it.uid(self.keep(snapshot)))
        yield {**stored(), "metadata": {**metadata, "name": "db"}}

    @staticmethod
    def claim_of(claim: Item) -> Item:
        return {key: claim["metadata"][key] for key in ("namespace", "name", "uid")}

    def start(self, machine: Item) -> None:
        """KubeVirt starts a machine; its guest runs at once, and its agent is connected."""
        namespace, name = it.namespace(machine), it.name(machine)
        if "VirtualMachineInstance" in self.never:
            self.now += timedelta(days=1)
            return
        specification = machine["spec"]["template"]["spec"]
        conditions = [{"type": "AgentConnected", "status": "True"}]
        instance = {
            "kind": "VirtualMachineInstance",
            "metadata": {"namespace": namespace, "name": name},
            "spec": specification,
            "status": {"phase": "Running", "conditions": conditions},
        }
        uid = it.uid(self.keep(merged(instance, self.instance)))
        labels = {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": uid}
        self.keep(
            {
                "kind": "Pod",
                "metadata": {
                    "namespace": namespace,
                    "name": f"virt-launcher-{name}",
                    "labels": labels,
                },
                "spec": {"initContainers": [{"name": "guest-console-log"}]},
            }
        )

    def _request(self, verb: str, resource: Resource, name: str) -> None:
        with self.lock:
            self.requests.append(f"{verb} {resource.plural} {name}")
            number = len(self.requests)
        self.on_request(number)
        if verb != "watch" and (fault := self.faults.get(f"{verb} {resource.plural}")):
            raise fault

    def _time(self) -> str:
        return self.now.isoformat(timespec="seconds").replace("+00:00", "Z")


class _Watch(MemoryStream[Change]):
    """Lets something go on whenever somebody waits for the next change."""

    def __init__(self, now: Sequence[Change], go_on: Callable[[], None]) -> None:
        super().__init__(now)
        self._go_on = go_on

    def __iter__(self) -> Iterator[Change]:
        while True:
            if self._parts.empty():
                self._go_on()
            part = self._parts.get()
            if part is None:
                return
            if isinstance(part, Exception):
                raise part
            yield part


def require(is_so: bool, verb: str, name: str) -> None:
    if not is_so:
        raise Conflict(name, f"cannot {verb}", "HTTP 409: it was changed")


def identity(item: Item) -> Key:
    return item["kind"], it.namespace(item), it.name(item)


def fits(selector: str, item: Item) -> bool:
    labels = it.labels(item)
    key, is_in, values = selector.partition(" in ")
    if is_in:
        return labels.get(key) in values.strip("()").split(", ")
    key, equals, value = selector.partition("=")
    return not selector or (labels.get(key) == value if equals else key in labels)


def stored() -> Item:
    """The machine in the backup."""
    disks = [{"name": "root", "disk": {"bus": "virtio"}}]
    devices: dict[str, Any] = {"disks": disks, "interfaces": [{"name": "default", "bridge": {}}]}
    specification = {
        "domain": {"devices": devices},
        "networks": [{"name": "default", "pod": {}}],
        "priorityClassName": "first",
        "volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "db-root"}}],
    }
    annotations = {"k8s.v1.cni.cncf.io/networks": "lan/blue", "vm.kubevirt.io/os": "linux"}
    template = {"metadata": {"annotations": annotations}, "spec": specification}
    return {
        "kind": "VirtualMachine",
        "metadata": {"namespace": "shop", "name": "db"},
        "spec": {"runStrategy": "Halted", "template": template},
    }


def volume(handle: str, name: str, claim: Item, reclaim: str = "Delete") -> Item:
    return {
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "claimRef": claim,
            "csi": {"driver": "disks.test", "volumeHandle": handle},
            "persistentVolumeReclaimPolicy": reclaim,
            "storageClassName": "disks",
        },
    }


def content(namespace: str, labels: Item, policy: str, snapshot: str = "") -> Item:
    return {
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": "content", "labels": labels},
        "spec": {
            "deletionPolicy": policy,
            "source": {"snapshotHandle": SNAPSHOT},
            "volumeSnapshotRef": {"namespace": namespace, "name": "content", "uid": snapshot},
        },
    }


def good_lines() -> Sequence[Item]:
    head = {"v": 1, "id": RECORD, "boot": "b-1"}
    said = {"yes": ["postgresql:15/main", "redis"], "no": [], "unasked": [], "took_s": 4.1}
    copied = {**head, "state": "copied", "verdict": "application"}
    return copied, {**head, "state": "answers", **said}
