"""VirtualMachineSnapshotContent (snapshot.kubevirt.io/v1beta1): the machine and its disks as taken.

Source: pkg/storage/snapshot/snapshot.go of KubeVirt v1.9.
"""

from collections.abc import Iterator
from typing import NamedTuple

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource(
    "snapshot.kubevirt.io",
    "v1beta1",
    "virtualmachinesnapshotcontents",
    "VirtualMachineSnapshotContent",
)


class TakenDisk(NamedTuple):
    """A disk of a content.

    Attributes:
        volume: name of the machine's volume.
        claim: name of the claim that was taken.
        snapshot: name of its VolumeSnapshot; empty if there is to be none.
        size: of the claim, as a quantity; may be empty.
        is_ready: true if the storage says that the VolumeSnapshot can be used.
        error: the storage's error; may be empty.
        is_lost: true if all disks were taken, and KubeVirt finds this VolumeSnapshot no more.
    """

    volume: str
    claim: str
    snapshot: str
    size: str
    is_ready: bool
    error: str
    is_lost: bool


def disks(content: Item) -> Iterator[TakenDisk]:
    """The disks of a content, each with what the status says of its VolumeSnapshot."""
    states = {
        it.text(one, "volumeSnapshotName"): one
        for one in it.sequence(content, "status", "volumeSnapshotStatus")
    }
    are_taken = it.time(content, "status", "creationTime") is not None
    for backup in it.sequence(content, "spec", "volumeBackups"):
        name = it.text(backup, "volumeSnapshotName")
        state = states.get(name, {})
        request = ("persistentVolumeClaim", "spec", "resources", "requests", "storage")
        yield TakenDisk(
            it.text(backup, "volumeName"),
            it.text(backup, "persistentVolumeClaim", "metadata", "name"),
            name,
            it.text(backup, *request),
            it.flag(state, "readyToUse"),
            it.text(state, "error", "message"),
            are_taken and bool(name) and name not in states,
        )


def machine(content: Item) -> Item:
    """The machine as it was when the snapshot was taken; empty if the content has none."""
    return it.mapping(content, "spec", "source", "virtualMachine")


def snapshot(content: Item) -> str:
    """Name of the snapshot that the content was made for."""
    return it.text(content, "spec", "virtualMachineSnapshotName")
