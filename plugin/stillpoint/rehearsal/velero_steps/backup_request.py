"""The Backup of a rehearsal: from flags, and as Velero starts it."""

from collections.abc import Sequence
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.sources.known import Known
from stillpoint.velero import preparation
from stillpoint.velero.selection.label_selector import LabelSelector


def of_flags(namespaces: Sequence[str], selector: LabelSelector | None) -> Item:
    """The Backup that selects these namespaces, all without any, by a label selector."""
    spec: Item = {"includedNamespaces": sorted(namespaces) or ["*"], "snapshotVolumes": True}
    if selector and selector.requirements:
        spec["labelSelector"] = selector.as_object()
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "rehearsal", "namespace": "velero"},
        "spec": spec,
    }


def begin(backup: Item, known: Known, now: datetime) -> Item:
    """The Backup as actions see it: with Velero's own additions, and begun now.

    Raises:
        NothingToRehearse: Velero would refuse the specification.
        MalformedItem: a field has the wrong type.
    """
    backup = preparation.under_server(preparation.with_namespace(backup), known.objects)
    if faults := preparation.faults(backup):
        subject, cause = it.describe(backup), listing(faults, "; ")
        raise NothingToRehearse(subject, "Velero would refuse it", cause)
    return preparation.begin(backup, known.objects, now)
