"""PersistentVolume (v1), which has the bytes of a claim."""

import orjson

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("", "v1", "persistentvolumes", "PersistentVolume")

_OF_EVERY_KIND = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)
"""Fields of a specification that do not say where the bytes are."""

_OF_THE_WAY = frozenset(("fsType", "readOnly"))


def csi_driver(volume: Item) -> str:
    """Name of the volume's CSI driver; empty for any other volume, which no snapshot covers."""
    return it.text(volume, "spec", "csi", "driver")


def csi_handle(volume: Item) -> str:
    """The CSI driver's name for the volume; empty for any other volume."""
    return it.text(volume, "spec", "csi", "volumeHandle")


def is_deleted_with_claim(volume: Item) -> bool:
    """True if the storage frees the volume when its claim goes."""
    return it.text(volume, "spec", "persistentVolumeReclaimPolicy") == "Delete"


def place(volume: Item) -> str:
    """The place of the bytes in the storage: volumes of one place are one volume.

    Of CSI that is the driver and its handle; of any other kind all that its source says. Empty for
    a volume that does not say where its bytes are.
    """
    if handle := csi_handle(volume):
        return f"csi {csi_driver(volume)} {handle}"
    specification = it.mapping(volume, "spec")
    sources = sorted(specification.keys() - _OF_EVERY_KIND - {"csi"})
    said = [(kind, _of_source(specification[kind])) for kind in sources]
    return " ".join(f"{kind} {source}" for kind, source in said if source)


def claim(volume: Item) -> tuple[str, str]:
    """Namespace and name of the claim that the volume is for; empty for none."""
    bound = it.mapping(volume, "spec", "claimRef")
    return it.text(bound, "namespace"), it.text(bound, "name")


def is_kept_after_claim(volume: Item) -> bool:
    """True if the claim of the volume has gone, and nobody frees the volume."""
    is_released = it.text(volume, "status", "phase") == "Released"
    return is_released and not (is_deleted_with_claim(volume) or it.is_being_deleted(volume))


def is_bound_to(volume: Item, claim: Item) -> bool:
    """True if the volume says that it is the claim's: of that very object, not of its name."""
    uid = it.text(volume, "spec", "claimRef", "uid")
    return bool(uid) and uid == it.uid(claim)


def is_named_after(volume: Item, claim: Item) -> bool:
    """True if a provisioner made the volume for the claim, by the name that it gave it.

    Source: `--volume-name-prefix` and its default in external-provisioner v6.3.
    """
    return it.name(volume) == f"pvc-{it.uid(claim)}"


def may_be_taken(volume: Item, claim: Item) -> bool:
    """True if a claim that names no volume may be bound to this one.

    A claim that selects volumes by labels gets no other; one with a source may get any.
    Source: FindMatchingVolume in k8s.io/component-helpers/storage/volume of Kubernetes v1.36.
    """
    is_free = not it.mapping(volume, "spec", "claimRef")
    classes = {it.text(one, "spec", "storageClassName") for one in (volume, claim)}
    wanted = it.mapping(claim, "spec", "selector", "matchLabels")
    return is_free and len(classes) == 1 and wanted.items() <= it.labels(volume).items()


def deletion_with_claim(volume: Item) -> Item:
    """The merge patch by which the storage frees the volume when its claim goes.

    The API server refuses it if anything of the volume has changed meanwhile.
    """
    return _reclaim_policy(volume, "Delete")


def retention(volume: Item) -> Item:
    """The merge patch by which the volume stays when its claim goes; as `deletion_with_claim`."""
    return _reclaim_policy(volume, "Retain")


def _reclaim_policy(volume: Item, policy: str) -> Item:
    version = it.text(volume, "metadata", "resourceVersion")
    return {
        "metadata": {"resourceVersion": version},
        "spec": {"persistentVolumeReclaimPolicy": policy},
    }


def _of_source(source: object) -> str:
    fields = source if isinstance(source, dict) else {}
    said = {key: value for key, value in fields.items() if key not in _OF_THE_WAY}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode() if said else ""
