"""Velero's own objects (velero.io/v1): other backups, and the server with its flags."""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

BACKUP = Resource("velero.io", "v1", "backups", "Backup")
DATA_UPLOAD = Resource("velero.io", "v2alpha1", "datauploads", "DataUpload")
RESTORE = Resource("velero.io", "v1", "restores", "Restore")

SERVER = Resource("apps", "v1", "deployments", "Deployment")
SERVER_NAME = "velero"
"""The name that `velero install` and OADP give to the server's Deployment."""

_POLICIES_OF_ALL_FLAG = "global-backup-volume-policies-configmap"
_RUNNING = ("InProgress", "WaitingForPluginOperations", "Finalizing")
"""Phases in which items are read or snapshots taken; a queued backup has yet to begin."""


def is_running(backup: Item) -> bool:
    """True if the backup may freeze guests now."""
    return it.text(backup, "status", "phase") in _RUNNING


def policies_of_all(deployment: Item) -> str:
    """Name of the ConfigMap with policies of all backups, by a server's flags; may be empty.

    Source: pkg/cmd/server/config of Velero, on its way to 1.19; older servers refuse the flag.
    """
    for container in it.sequence(deployment, "spec", "template", "spec", "containers"):
        words = [*it.texts(container, "command"), *it.texts(container, "args")]
        for number, word in enumerate(words):
            flag, equals, value = word.partition("=")
            if flag.lstrip("-") == _POLICIES_OF_ALL_FLAG:
                return value if equals else "".join(words[number + 1 : number + 2])
    return ""
