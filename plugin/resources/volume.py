"""Volumes of a virtual machine or an instance, and what each is made of.

Source: kubevirt.io/v1, type `Volume` (KubeVirt v1.9).
"""

from collections.abc import Iterable, Iterator, Sequence

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Reference
from plugin.resources import core, data_volume, persistent_volume_claim

_CLAIM_PATHS = (
    ("dataVolume", "name"),  # CDI gives the claim the name of its DataVolume
    ("persistentVolumeClaim", "claimName"),
    ("memoryDump", "claimName"),
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
_CONFIG_MAP_PATHS = (("configMap", "name"), ("sysprep", "configMap", "name"))


def claim(volume: Item) -> str:
    """Name of the PersistentVolumeClaim that holds the volume's bytes; empty if none does."""
    return next(_names(volume, _CLAIM_PATHS), "")


def disk_claim(volume: Item) -> str:
    """Like `claim`, for volumes that a guest writes to: no memory dump, no shared base image."""
    return next(_names(volume, _CLAIM_PATHS[:2]), "")


def disk_claims(volumes: Iterable[Item]) -> Sequence[str]:
    """Names of the claims that a guest writes to through these volumes."""
    return [name for name in map(disk_claim, volumes) if name]


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


def _names(volume: Item, paths: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    for path in paths:
        if path[0] in volume and (name := it.text(volume, *path)):
            yield name
