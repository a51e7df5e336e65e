"""The secret of a backup, with which this plugin seals what it notes where tenants write.

It is an annotation of the Backup, with the uid that it was drawn for: who copies the manifest of a
Backup copies its annotations, too. Only Velero's namespace shows it, and `velero-backup.json` in
the object store. The Backup's uid would not do, nor would the ids of operations: labels of Velero's
own group snapshots show the uid where tenants read, and both are in the list of operations, which
OADP's self-service lets a tenant download before the backup has ended.

Velero writes a Backup by merge patches without a resource version, and stores it from the API when
it has finalized the backup: so the annotation stays, and is stored (PatchResource in
pkg/util/kube/client.go, pkg/controller/backup_finalizer_controller.go of Velero v1.15 to v1.18).
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item

ANNOTATION = "stillpoint.dev/seal-secret"


def of(backup: Item) -> str:
    """The secret on a Backup; empty if there is none.

    The Backup may have another uid than when the secret was drawn: Velero makes one of its own of
    what it finds in the object store of another cluster.
    """
    return _parts(backup)[1]


def drawn_for(backup: Item) -> str:
    """The secret that was drawn for this very Backup; empty if none was."""
    uid, secret = _parts(backup)
    return secret if uid and uid == it.uid(backup) else ""


def mark(uid: str, secret: str) -> Item:
    """The merge patch that stores a secret on the Backup with this uid."""
    return {"metadata": {"annotations": {ANNOTATION: f"{uid}.{secret}"}}}


def _parts(backup: Item) -> tuple[str, str]:
    uid, _dot, secret = str(it.annotations(backup).get(ANNOTATION, "")).partition(".")
    return uid, secret
