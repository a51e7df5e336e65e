"""The Restore of a rehearsal, as Velero starts it."""

import uuid

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.velero.restore_rules import RestoreRules
from stillpoint.velero.selection.discovery import Discovery


def plain() -> Item:
    """The Restore that takes everything."""
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {"name": "rehearsal", "namespace": "velero"},
        "spec": {"restorePVs": True},
    }


def begin(restore: Item, backup: Item) -> Item:
    """The Restore as actions see it, of this backup whatever its own `backupName` is.

    startTimestamp lies in the past, so every wait times out at once and is reported.
    """
    spec = {**it.mapping(restore, "spec"), "backupName": it.name(backup)}
    metadata = {"uid": str(uuid.uuid4()), "namespace": "velero"} | it.mapping(restore, "metadata")
    status = {"phase": "InProgress", "startTimestamp": "1970-01-01T00:00:00Z"}
    return {**restore, "metadata": metadata, "spec": spec, "status": status}


def rules(restore: Item, discovery: Discovery) -> RestoreRules:
    """The rules of a Restore object.

    Raises:
        MalformedItem: a field has the wrong type.
        NothingToRehearse: a label selector is none.
    """
    try:
        return RestoreRules.parse(restore, discovery)
    except ValueError as error:
        cause = f"no label selector: {error}"
        raise NothingToRehearse(it.describe(restore), "cannot read it", cause) from error
