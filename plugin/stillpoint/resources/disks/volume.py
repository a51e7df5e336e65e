"""Volumes of a virtual machine or an instance, and the claims behind them.

Source: kubevirt.io/v1, type `Volume` (KubeVirt v1.9).
"""

from collections.abc import Iterable, Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import data_volume, persistent_volume_claim

_DISK_PATHS = (
    ("dataVolume", "name"),  # CDI gives the claim the name of its DataVolume
    ("persistentVolumeClaim", "claimName"),
)
_ON_NODE = ("hostDisk",)


def disk_claim(volume: Item) -> str:
    """Name of the claim that a guest writes to; empty for a memory dump or a shared base image."""
    return next(_names(volume, _DISK_PATHS), "")


def is_hotpluggable(volume: Item) -> bool:
    """True if a pod of its own attaches the disk, not virt-launcher."""
    return any(it.flag(volume, source, "hotpluggable") for source, _name in _DISK_PATHS)


def is_memory_dump(volume: Item) -> bool:
    """True if the volume has a dump of the guest's memory, for whoever looks into a crash."""
    return "memoryDump" in volume


def disks(volumes: Iterable[Item], namespace: str) -> Iterator[Reference]:
    """The claims that a guest writes to through these volumes, each with its DataVolume."""
    for volume in volumes:
        if claim := disk_claim(volume):
            yield persistent_volume_claim.RESOURCE.named(namespace, claim)
        if name := it.text(volume, "dataVolume", "name"):
            yield data_volume.RESOURCE.named(namespace, name)


def unsaved_kind(volume: Item) -> str:
    """The volume's kind, for instance `hostDisk`, if no snapshot covers its bytes; else empty.

    Kinds that a guest loses with every restart (`emptyDisk`, `ephemeral`, `containerDisk`) do not
    count.
    """
    return next((kind for kind in _ON_NODE if kind in volume), "")


def needed_claim(volume: Item) -> str:
    """Name of the claim that a guest starts from, a shared base image too; may be empty."""
    paths = (*_DISK_PATHS, ("ephemeral", "persistentVolumeClaim", "claimName"))
    return next(_names(volume, paths), "")


def _names(volume: Item, paths: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    for path in paths:
        if path[0] in volume and (name := it.text(volume, *path)):
            yield name
