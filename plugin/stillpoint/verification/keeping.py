"""The verdicts are kept with the Backup, in an annotation."""

from datetime import datetime

from stillpoint.evidence import verified
from stillpoint.model import item as it
from stillpoint.model.errors import Conflict
from stillpoint.model.writer import Cluster
from stillpoint.velero import own_objects
from stillpoint.verification.model import Run

_MOST_TRIES = 30
"""Each after a change of somebody else's: of another run, or of Velero."""


def keep(cluster: Cluster, run: Run, uid: str, now: datetime) -> bool:
    """Adds the verdicts of a run to those on its Backup; false if there is no such Backup any more.

    Args:
        uid: of the Backup: another one of its name is none.
        now: by the clock of the run.

    Raises:
        ReadFailed: the Backup cannot be read or changed.
    """
    identity = own_objects.BACKUP, run.namespace, run.backup
    tried = 0
    while (backup := cluster.get(*identity)) is not None and it.uid(backup) == uid:
        tried += 1
        value = verified.annotation(backup, run.verifications, now)
        metadata = {
            "resourceVersion": it.text(backup, "metadata", "resourceVersion"),
            "annotations": {verified.ANNOTATION: value},
        }
        try:
            cluster.patch(*identity, {"metadata": metadata})
        except Conflict:
            if tried == _MOST_TRIES:
                raise
        else:
            return True
    return False
