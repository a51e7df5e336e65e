"""Volumes of a virtual machine or an instance, and what each is made of.

Source: kubevirt.io/v1, type `Volume` (KubeVirt v1.9).
"""

from collections.abc import Iterable, Iterator, Mapping

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Reference
from plugin.resources import core, data_volume, persistent_volume_claim

_DISK_PATHS = (
    ("dataVolume", "name"),  # CDI gives the claim the name of its DataVolume
    ("persistentVolumeClaim", "claimName"),
)
_OWN_PATHS = (*_DISK_PATHS, ("memoryDump", "claimName"))
_CLAIM_PATHS = (
    *_OWN_PATHS,
    ("ephemeral", "persistentVolumeClaim", "claimName"),
)
_SECRET_PATHS = (
    ("secret", "secretName"),
    ("cloudInitNoCloud", "secretRef", "name"),
    ("cloudInitNoCloud", "networkDataSecretRef", "name"),
    ("cloudInitConfigDrive", "secretRef", "name"),
    ("cloudInitConfigDrive", "networkDataSecretRef", "name"),
    ("sysprep", "secret", "name"),
    ("containerDisk", "imagePullSecret"),
)
_ON_NODE = ("hostDisk",)
_CONFIG_MAP_PATHS = (("configMap", "name"), ("sysprep", "configMap", "name"))


def disk_claim(volume: Item) -> str:
    """Name of the claim that a guest writes to; empty for a memory dump or a shared base image."""
    return next(_names(volume, _DISK_PATHS), "")


def is_memory_dump(volume: Item) -> bool:
    """Whether it holds what the guest's memory was, for whoever looks into a crash."""
    return "memoryDump" in volume


def disks(volumes: Iterable[Item], namespace: str) -> Iterator[Reference]:
    """The claims that a guest writes to through these volumes, each with its DataVolume."""
    for volume in volumes:
        if claim := disk_claim(volume):
            yield persistent_volume_claim.RESOURCE.named(namespace, claim)
        if name := it.text(volume, "dataVolume", "name"):
            yield data_volume.RESOURCE.named(namespace, name)


def unsaved_kind(volume: Item) -> str:
    """`hostDisk`, if the volume is of a kind whose lasting bytes no snapshot covers; else empty.

    What a guest loses with every restart (`emptyDisk`, `ephemeral`, `containerDisk`) is not meant.
    """
    return next((kind for kind in _ON_NODE if kind in volume), "")


def references(volume: Item, namespace: str) -> Iterator[Reference]:
    """Every object of the namespace that the volume needs."""
    for name in _names(volume, (("dataVolume", "name"),)):
        yield data_volume.RESOURCE.named(namespace, name)
    for resource, paths in (
        (persistent_volume_claim.RESOURCE, _CLAIM_PATHS),
        (core.CONFIG_MAP, _CONFIG_MAP_PATHS),
        (core.SECRET, _SECRET_PATHS),
        (core.SERVICE_ACCOUNT, (("serviceAccount", "serviceAccountName"),)),
    ):
        for name in _names(volume, paths):
            yield resource.named(namespace, name)


def own_claim(volume: Item) -> str:
    """Name of the claim with data of this guest and no other's; a shared base image is none."""
    return next(_names(volume, _OWN_PATHS), "")


def needed_claim(volume: Item) -> str:
    """Name of the claim that a guest starts from, a shared base image too; empty without one."""
    paths = (*_DISK_PATHS, ("ephemeral", "persistentVolumeClaim", "claimName"))
    return next(_names(volume, paths), "")


def renamed(volume: Item, names: Mapping[str, str]) -> Item:
    """The volume on claims and DataVolumes of other names.

    Args:
        names: old to new.
    """
    for path in _OWN_PATHS:
        name = next(_names(volume, (path,)), "")
        if name in names:
            volume = it.with_value(volume, names[name], *path)
    return volume


def _names(volume: Item, paths: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    for path in paths:
        if path[0] in volume and (name := it.text(volume, *path)):
            yield name
