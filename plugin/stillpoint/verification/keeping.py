"""The verdicts are kept with the Backup, in an annotation."""

from stillpoint.evidence import verified
from stillpoint.model import item as it
from stillpoint.model.errors import Denied, Forbidden, ReadFailed
from stillpoint.model.writer import Cluster
from stillpoint.velero import own_objects
from stillpoint.verification.model import Run

_MOST_TRIES = 3


def keep(cluster: Cluster, run: Run) -> bool:
    """Adds the verdicts of a run to those on its Backup; false if there is no such Backup any more.

    Raises:
        ReadFailed: the Backup cannot be read or changed.
    """
    identity = own_objects.BACKUP, run.namespace, run.backup
    for tried in range(1, _MOST_TRIES + 1):
        backup = cluster.get(*identity)
        if backup is None:
            return False
        metadata = {
            "resourceVersion": it.text(backup, "metadata", "resourceVersion"),
            "annotations": {verified.ANNOTATION: verified.annotation(backup, run.verifications)},
        }
        try:
            cluster.patch(*identity, {"metadata": metadata})
        except (Forbidden, Denied):
            raise
        except ReadFailed:  # somebody else has changed it meanwhile
            if tried == _MOST_TRIES:
                raise
        else:
            return True
    return False
