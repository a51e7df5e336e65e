"""VolumeGroupSnapshotClass (groupsnapshot.storage.k8s.io), and Velero's choice for a driver.

Source: determineVGSClass in pkg/backup/actions/csi/pvc_action.go of Velero v1.18. As for single
snapshots, a default class and the only class of a driver are good enough where Velero finds none.
"""

from collections.abc import Iterable, Sequence

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCES = tuple(
    Resource(
        kinds.GROUP_SNAPSHOTS, version, "volumegroupsnapshotclasses", "VolumeGroupSnapshotClass"
    )
    for version in kinds.GROUP_SNAPSHOT_VERSIONS
)
"""In the versions that an API server may serve, the newest first."""

LABEL = "velero.io/csi-volumegroupsnapshot-class"
"""Label with the value `true` of the class that Velero takes."""

_ON_CLAIM = "velero.io/csi-volume-group-snapshot-class"
_ON_BACKUP = f"{LABEL}_"
_DEFAULT = "groupsnapshot.storage.kubernetes.io/is-default-class"


def choose(claims: Iterable[Item], backup: Item, classes: Sequence[Item]) -> Item | None:
    """The class for a group of claims among those of their driver; may be None."""
    if not classes:
        return None
    on_backup = f"{_ON_BACKUP}{it.text(classes[0], 'driver')}"
    wanted = [it.annotations(claim).get(_ON_CLAIM) for claim in claims]
    for name in (*wanted, it.annotations(backup).get(on_backup)):
        for one in classes:
            if it.name(one) == name:
                return one
    labelled = [one for one in classes if it.labels(one).get(LABEL) == "true"]
    defaults = [one for one in classes if it.annotations(one).get(_DEFAULT) == "true"]
    for found in (labelled, defaults, classes):
        if len(found) == 1:
            return found[0]
    return None
