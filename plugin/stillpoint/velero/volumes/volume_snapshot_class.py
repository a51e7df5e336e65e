"""VolumeSnapshotClass (snapshot.storage.k8s.io/v1), and Velero's choice for a driver.

Source: pkg/util/csi/volume_snapshot.go of Velero v1.18.
"""

from collections.abc import Iterable, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshotclasses", "VolumeSnapshotClass")

LABEL = "velero.io/csi-volumesnapshot-class"
"""Label by which Velero takes a class, whatever its value; annotation of a claim with its name."""

_ON_BACKUP = f"{LABEL}_"
_DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"


def of_driver(classes: Sequence[Item], driver: str) -> Sequence[Item]:
    """The classes of a CSI driver."""
    return [one for one in classes if it.text(one, "driver") == driver]


def drivers(snapshot_class: Item) -> Iterable[str]:
    """The driver of a class, as the only key for `Index.list_grouped`."""
    return (it.text(snapshot_class, "driver"),)


def with_label(classes: Sequence[Item]) -> Sequence[Item]:
    """The classes with Velero's label."""
    return [one for one in classes if LABEL in it.labels(one)]


def is_named(claim: Item, backup: Item, classes: Sequence[Item], driver: str) -> bool:
    """True if an annotation of the claim or of the backup names a class of the driver."""
    names = {it.name(one).lower() for one in classes}
    return any(name in names for name in _preferences(claim, backup, driver))


def _preferences(claim: Item, backup: Item, driver: str) -> Sequence[str]:
    wanted = (
        it.annotations(claim).get(LABEL, ""),
        it.annotations(backup).get(f"{_ON_BACKUP}{driver.lower()}", ""),
    )
    return [name.lower() for name in wanted if name]


def choose(claim: Item, backup: Item, classes: Sequence[Item]) -> Item | None:
    """Velero's choice among the classes of a driver; may be None."""
    named = _preferences(claim, backup, it.text(classes[0], "driver")) if classes else ()
    for name in named:
        for one in classes:
            if it.name(one).lower() == name:
                return one
    defaults = [one for one in classes if _DEFAULT in it.annotations(one)]
    alone = classes if len(classes) == 1 else ()
    return next(iter((*with_label(classes), *defaults, *alone)), None)


def lives_with_volume(snapshot_class: Item) -> bool:
    """True if snapshots of the class are part of the volume, and deleted with the volume.

    Source: csiSnapshotTypeLonghornSnapshot in csi/controller_server.go of Longhorn v1.9.
    """
    kind = it.text(snapshot_class, "parameters", "type")
    return (it.text(snapshot_class, "driver"), kind) == ("driver.longhorn.io", "snap")


def deletion_policy(snapshot_class: Item) -> str:
    """`Delete` or `Retain`: what becomes of a snapshot whose object is deleted."""
    return it.text(snapshot_class, "deletionPolicy")
