"""The cluster of a rehearsed backup, with a storage that takes each snapshot at once.

Nothing is written: what actions would create is kept here, for their own later reads.
"""

from collections.abc import Mapping, Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.plugin.rehearsed_cluster import RehearsedCluster
from stillpoint.velero.volumes import volume_group_snapshot_class


class RehearsedStorage(RehearsedCluster):
    """Reads given objects, and keeps what is created; see `RehearsedCluster`.

    Args:
        started: the time of the backup, at which all snapshots are taken.
    """

    def __init__(self, objects: Mapping[Reference, Item], started: str) -> None:
        super().__init__(objects)
        self._started = started

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        """See `Reader.list`. This storage has no groups: an archive has the same without them."""
        if resource in volume_group_snapshot_class.RESOURCES:
            self.requests += 1
            return ()
        return super().list(resource, namespace, labels)

    def create(self, resource: Resource, item: Item) -> Item | None:
        """Keeps the object; see `Writer.create`. A VolumeSnapshot is bound, and has its bytes."""
        self.requests += 1
        reference = resource.named(*it.identify(item))
        if self.has(reference):
            return None
        if reference.is_of(kinds.VOLUME_SNAPSHOT):
            item = self._take(item)
        self.add(reference, item)
        return item

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        """Does nothing, as no guest is frozen; see `Writer.put`."""
        del resource, namespace, name, subresource
        self.requests += 1

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        """Does nothing, as what is discarded stays; see `Writer.patch`."""
        del resource, namespace, name, subresource
        self.requests += 1
        return change

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        """Does nothing, as what is discarded stays; see `Writer.delete`."""
        del resource, namespace, name, uid, version
        self.requests += 1

    def _take(self, snapshot: Item) -> Item:
        resource, (namespace, name) = kinds.VOLUME_SNAPSHOT_CONTENT, it.identify(snapshot)
        content = {
            "apiVersion": f"{resource.group}/{resource.version}",
            "kind": resource.kind,
            "metadata": {"name": f"snapcontent-{namespace}-{name}"},
            "spec": {"volumeSnapshotRef": {"namespace": namespace, "name": name}},
            "status": {"snapshotHandle": "rehearsed", "readyToUse": True},
        }
        self.add(resource.named("", it.name(content)), content)
        status = {
            "boundVolumeSnapshotContentName": it.name(content),
            "creationTime": self._started,
            "readyToUse": True,
        }
        return {**snapshot, "status": status}
