"""VolumeGroupSnapshot (groupsnapshot.storage.k8s.io): snapshots of several disks of one moment.

Source: pkg/common-controller/groupsnapshot_controller_helper.go of external-snapshotter v8.6. The
fields that are read here are the same in v1 and v1beta2.
"""

import hashlib
from collections.abc import Mapping, Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

KIND = "VolumeGroupSnapshot"


def resource(version: str) -> Resource:
    """The resource of group snapshots in a version."""
    return Resource(kinds.GROUP_SNAPSHOTS, version, "volumegroupsnapshots", KIND)


def contents(version: str) -> Resource:
    """The resource of their contents, which no tenant may write."""
    return Resource(kinds.GROUP_SNAPSHOTS, version, "volumegroupsnapshotcontents", f"{KIND}Content")


def version(group: Item) -> str:
    """The version in which an object of the group was read."""
    return it.text(group, "apiVersion").rpartition("/")[2]


def content(group: Item) -> str:
    """Name of the VolumeGroupSnapshotContent; empty if not yet known."""
    return it.text(group, "status", "boundVolumeGroupSnapshotContentName")


def is_taken(group: Item) -> bool:
    """True if the storage has the bytes of all members, and each has its VolumeSnapshot."""
    return bool(content(group)) and bool(it.text(group, "status", "creationTime"))


def is_ready(group: Item) -> bool:
    """True if the snapshot controller is through with the members.

    Until then each sync of it empties the status of all of them.
    """
    return bool(content(group)) and it.flag(group, "status", "readyToUse")


def error(group: Item) -> str:
    """The latest message about a failure."""
    return it.text(group, "status", "error", "message")


def is_bound_to(content: Item, group: Item) -> bool:
    """True if the content says so too: who may write a group's status can name any content."""
    bound = it.mapping(content, "spec", "volumeGroupSnapshotRef")
    found = it.text(bound, "namespace"), it.text(bound, "name"), it.text(bound, "uid")
    return found == (it.namespace(group), it.name(group), it.uid(group))


def snapshot_handles(content: Item) -> Mapping[str, str]:
    """The storage's names of the members, by those of their volumes."""
    members: Sequence[Item] = it.sequence(content, "status", "volumeSnapshotInfoList")
    return {it.text(one, "volumeHandle"): it.text(one, "snapshotHandle") for one in members}


def member_content(group: Item, volume_handle: str) -> str:
    """Name of the VolumeSnapshotContent of a group's member.

    Source: getSnapshotContentNameForVolumeGroupSnapshotContent, the same since v8.2.
    """
    identity = f"{it.uid(group)}{volume_handle}".encode(errors="replace")
    return f"snapcontent-{hashlib.sha256(identity).hexdigest()}"


def is_deleted_with_group(content: Item) -> bool:
    """True if the bytes of all members go with the group."""
    return it.text(content, "spec", "deletionPolicy") == "Delete"


def deletion(policy: str) -> Item:
    """The merge patch of a content that lets the bytes go with the group: `Delete`, or `Retain`."""
    return {"spec": {"deletionPolicy": policy}}
