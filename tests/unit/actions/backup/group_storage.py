"""A cluster in memory whose snapshot controller and driver take groups.

It follows, as of external-snapshotter v8.6, the rules that decide what is lost: the controller
deletes all members of a deleted group, gives a member without owner its owner again while its
status names the group, takes an incomplete one without owner anew, and looks at none without a
class; it empties the status of all members while their group is not ready; the sidecar deletes a
member's bytes with its group alone.
"""

import copy
from collections.abc import Callable, Generator, Iterable, Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.model.reference import Resource
from stillpoint.resources.disks import volume_group_snapshot
from tests.unit.actions.backup.storage import CONTENTS, SNAPSHOTS, Storage

API = kinds.GROUP_SNAPSHOTS
AS_SOURCE = "snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection"
IN_GROUP = "snapshot.storage.kubernetes.io/volumesnapshot-in-group-protection"
BOUND = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"

GroupOrder = Callable[["GroupStorage", Item], Iterable[Item]]
"""The states that a VolumeGroupSnapshot goes through."""


def takes_group(storage: "GroupStorage", group: Item) -> Iterable[Item]:
    """Bound first; then the driver has the bytes of all claims with the label."""
    yield storage.bind(group)
    yield storage.take(group)


def fails_group(storage: "GroupStorage", group: Item) -> Iterable[Item]:
    """The driver fails again and again."""
    bound = storage.bind(group)
    yield {**bound, "status": {**bound["status"], "error": {"message": "pool is full"}}}


def says_nothing_of_group(_storage: "GroupStorage", group: Item) -> Iterable[Item]:
    """No controller runs, or the driver never answers."""
    yield group


class GroupStorage(Storage):
    """Groups go through their states when somebody watches them, and so do their members.

    Attributes:
        group_order: of every group.
        selected: labels that claims had when a group was taken, by claim.
        bytes: names of the snapshots in the storage.
        policy: of contents of groups, by their class.
        is_slow: snapshots are ready a while after they are taken.
        is_group_slow: so are groups; `never_ready` if they never are.
    """

    def __init__(self, objects: Sequence[Item], group_order: GroupOrder = takes_group) -> None:
        super().__init__(objects)
        self.group_order = group_order
        self.selected: dict[str, Item] = {}
        self.bytes: set[str] = set()
        self.policy = "Delete"
        self.is_slow = False
        self.is_group_slow = False
        self.never_ready = False
        self._owners: dict[str, Sequence[str]] = {}  # of members, as the controller knows them

    def bind(self, group: Item) -> Item:
        name = f"groupsnapcontent-{it.uid(group)}"
        where = {field: group["metadata"][field] for field in ("namespace", "name", "uid")}
        content = {
            "apiVersion": group["apiVersion"],
            "kind": "VolumeGroupSnapshotContent",
            "metadata": {"name": name},
            "spec": {"deletionPolicy": self.policy, "volumeGroupSnapshotRef": where},
        }
        with self._lock:
            if not self._named(name):
                self.objects.append(content)
        return {**group, "status": {"boundVolumeGroupSnapshotContentName": name}}

    def take(self, group: Item) -> Item:
        with self._lock:  # groups are taken and freed side by side
            return self._take(group)

    def _take(self, group: Item) -> Item:
        wanted = group["spec"]["source"]["selector"]["matchLabels"].items()
        claims = [
            one for one in self.of("PersistentVolumeClaim") if wanted <= it.labels(one).items()
        ]
        self.selected = {it.name(one): it.labels(one) for one in claims}
        [content] = self._named(f"groupsnapcontent-{it.uid(group)}")
        pairs = []
        for claim in claims:
            handle = f"bytes-of-{it.name(claim)}"
            pairs.append({"volumeHandle": f"handle-{it.name(claim)}", "snapshotHandle": handle})
            self.bytes.add(handle)
            made = member(group, claim, handle, content["spec"]["deletionPolicy"])
            made[0]["status"]["readyToUse"] = not self.is_slow
            self.objects += made
            self._owners[it.name(made[0])] = [it.uid(group)]
        status = {"volumeGroupSnapshotHandle": "group-1", "volumeSnapshotInfoList": pairs}
        self._put({**content, "status": status})
        bound = self.bind(group)
        is_ready = not self.is_group_slow
        return {**bound, "status": {**bound["status"], "creationTime": "x", "readyToUse": is_ready}}

    def create(self, resource: Resource, item: Item) -> Item | None:
        if resource.plural == "volumegroupsnapshots":
            item = copy.deepcopy(item)
            item["metadata"]["uid"] = f"uid-of-{it.name(item)}"
        return super().create(resource, item)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        with self._lock:
            return super().patch(resource, namespace, name, change, subresource)

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        if resource.plural == "volumegroupsnapshots":
            yield from self._of_groups(resource, namespace, labels, longest_s)
        elif labels:
            yield from super().changes(resource, namespace, labels, longest_s)
        else:
            yield from self._of_members(resource, namespace)

    def _of_groups(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        self.watched.append(longest_s)
        self._ask(f"watch {resource} {namespace}")
        for group in list(self.of("VolumeGroupSnapshot")):
            if labels.partition("=")[2] in it.labels(group).values():
                yield Change(group)
                is_taken = "creationTime" in group.get("status", {})
                for state in self._ready(group) if is_taken else self.group_order(self, group):
                    self._put(state)
                    yield Change(state)

    def _ready(self, group: Item) -> Iterable[Item]:
        if not self.never_ready:
            yield {**group, "status": {**group["status"], "readyToUse": True}}

    def _of_members(self, resource: Resource, namespace: str) -> Generator[Change, None, None]:
        """Each as it is, as it is changed, and as the controller leaves it; until all is quiet."""
        self._ask(f"watch {resource} {namespace}")
        told: list[Item] = []
        while left := [one for one in self.of("VolumeSnapshot") if one not in told]:
            for snapshot in left:
                told.append(snapshot)
                yield Change(snapshot)
            with self._lock:
                self._control(told)
            there = [it.name(one) for one in self.of("VolumeSnapshot")]
            gone = {it.name(one): one for one in told if it.name(one) not in there}
            yield from (Change(one, is_deleted=True) for one in gone.values())

    def _control(self, told: Sequence[Item]) -> None:
        for group in self.of("VolumeGroupSnapshot"):
            self._sync(group)
        for snapshot in self.of("VolumeSnapshot"):
            if snapshot in told:
                self._reconcile(snapshot)

    def _sync(self, group: Item) -> None:
        """What the controller does with a group at any of its events."""
        for snapshot in self.of("VolumeSnapshot"):
            if not it.flag(group, "status", "readyToUse") and it.name(group) in it.name(snapshot):
                name = "boundVolumeSnapshotContentName"
                self._put({**snapshot, "status": {name: snapshot["status"][name]}})

    def _reconcile(self, snapshot: Item) -> None:
        status, metadata = snapshot.get("status", {}), dict(snapshot["metadata"])
        if "ownerReferences" not in metadata and "in-velero-group" in it.name(snapshot):
            assert snapshot["spec"].get("volumeSnapshotClassName"), "it would not be looked at"
            assert status.get("readyToUse"), "the controller would take it once more"
            assert "volumeGroupSnapshotName" not in status, "it would get its owner again"
        self._owners[it.name(snapshot)] = [one["uid"] for one in it.owners(snapshot)]
        finalizers = metadata.get("finalizers", [])
        if not status.get("readyToUse", True):
            self._put({**snapshot, "status": {**status, "readyToUse": True}})
        elif AS_SOURCE not in finalizers:
            metadata["finalizers"] = [*finalizers, AS_SOURCE]
            self._put({**snapshot, "metadata": metadata})

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        with self._lock:
            gone = [o for o in self._of(resource, namespace) if it.name(o) == name]
            super().delete(resource, namespace, name, uid=uid, version=version)
            for one in gone:
                if resource.plural == "volumegroupsnapshots":
                    self._delete_group(one)
                elif resource == SNAPSHOTS:
                    self._delete_content(one)

    def _delete_group(self, group: Item) -> None:
        for content in self._named(f"groupsnapcontent-{it.uid(group)}"):
            if content["spec"]["deletionPolicy"] == "Delete":
                pairs = content.get("status", {}).get("volumeSnapshotInfoList", ())
                self.bytes -= {pair["snapshotHandle"] for pair in pairs}
                self.objects.remove(content)
        for snapshot in self.of("VolumeSnapshot"):
            if it.uid(group) in self._owners.get(it.name(snapshot), ()):
                super().delete(SNAPSHOTS, it.namespace(snapshot), it.name(snapshot))
                self._delete_content(snapshot)

    def _delete_content(self, snapshot: Item) -> None:
        name = it.text(snapshot, "status", "boundVolumeSnapshotContentName")
        for content in self._named(name):
            is_bound = content["spec"]["volumeSnapshotRef"]["uid"] == it.uid(snapshot)
            if is_bound and content["spec"]["deletionPolicy"] == "Delete":
                self.objects.remove(content)
                if "volumeGroupSnapshotHandle" not in content["status"]:
                    self.bytes.discard(it.text(content, "status", "snapshotHandle"))

    def _named(self, name: str) -> Sequence[Item]:
        return [one for one in self.objects if it.name(one) == name]

    def _put(self, item: Item) -> None:
        with self._lock:
            [place] = [
                place
                for place, one in enumerate(self.objects)
                if (one["kind"], it.name(one)) == (item["kind"], it.name(item))
            ]
            self.objects[place] = item


def member(group: Item, claim: Item, handle: str, policy: str = "Delete") -> list[Item]:
    """A VolumeSnapshot of a group and its content, as the controller makes them."""
    name = f"snapshot-of-{it.name(claim)}-in-{it.name(group)}"
    owner = {
        "apiVersion": f"{API}/v1",
        "kind": "VolumeGroupSnapshot",
        "name": it.name(group),
        "uid": it.uid(group),
    }
    snapshot: Item = {
        "kind": SNAPSHOTS.kind,
        "metadata": {
            "name": name,
            "namespace": it.namespace(claim),
            "uid": f"uid-of-{name}",
            "ownerReferences": [owner],
            "finalizers": [IN_GROUP, AS_SOURCE, BOUND],
        },
        "spec": {"source": {"persistentVolumeClaimName": it.name(claim)}},
        "status": {
            "creationTime": "x",
            "readyToUse": True,
            "volumeGroupSnapshotName": it.name(group),
        },
    }
    content_name = volume_group_snapshot.member_content(group, f"handle-{it.name(claim)}")
    snapshot["status"]["boundVolumeSnapshotContentName"] = content_name
    ref = {"namespace": it.namespace(claim), "name": name, "uid": it.uid(snapshot)}
    content: Item = {
        "kind": CONTENTS.kind,
        "metadata": {"name": content_name},
        "spec": {"deletionPolicy": policy, "driver": "fast.io", "volumeSnapshotRef": ref},
        "status": {"snapshotHandle": handle, "volumeGroupSnapshotHandle": "group-1"},
    }
    return [snapshot, content]
