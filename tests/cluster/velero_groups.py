"""The snapshot controller as Velero v1.17 and v1.18 expect it for group snapshots of their own.

Velero looks for members by an owner of the version v1beta2, takes that away, and deletes the group.
A controller of v8.4 writes that version; that of the tests, of v8.6, writes v1, and would give each
member its owner back, with which it is deleted. So it rests from the moment when the members are
there until the group is gone, whose finalizers are taken off in its place.
"""

import os
import signal

from tests.cluster.api import Api, Object
from tests.cluster.cluster import Cluster
from tests.cluster.watcher import Watcher, lost_race

SNAPSHOT = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot")
GROUP = ("groupsnapshot.storage.k8s.io/v1beta2", "VolumeGroupSnapshot")
CONTENT = (GROUP[0], "VolumeGroupSnapshotContent")


class OlderController(Watcher):
    """Looks around ten times a second while its context lasts."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._api: Api = cluster.api
        self._namespace = namespace
        self._process = cluster.storage.snapshot_controller.number
        super().__init__()

    def close(self) -> None:
        try:
            super().close()
        finally:
            os.kill(self._process, signal.SIGCONT)

    def look(self) -> None:
        for group in self._api.list(*GROUP, self._namespace):
            with lost_race():
                self._look_at(group)

    def _look_at(self, group: Object) -> None:
        name = group["metadata"]["name"]
        if group["metadata"].get("deletionTimestamp"):
            self._release(group)
            os.kill(self._process, signal.SIGCONT)
        elif group.get("status", {}).get("readyToUse"):
            os.kill(self._process, signal.SIGSTOP)
            for member in self._api.list(*SNAPSHOT, self._namespace):
                if member.get("status", {}).get("volumeGroupSnapshotName") == name:
                    self._disown(member)

    def _disown(self, member: Object) -> None:
        owners = member["metadata"].get("ownerReferences", [])
        if any(one["apiVersion"] != GROUP[0] for one in owners):
            renamed = [{**one, "apiVersion": GROUP[0]} for one in owners]
            change = {"metadata": {"ownerReferences": renamed}}
            self._api.patch(*SNAPSHOT, self._namespace, member["metadata"]["name"], change)

    def _release(self, group: Object) -> None:
        free = {"metadata": {"finalizers": None}}
        content = group.get("status", {}).get("boundVolumeGroupSnapshotContentName")
        if content and self._api.find(*CONTENT, None, content):
            self._api.patch(*CONTENT, None, content, free)
        self._api.patch(*GROUP, self._namespace, group["metadata"]["name"], free)
