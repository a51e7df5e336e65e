"""The label with a claim's uid, set on claims and snapshots at backup, taken off at restore.

Users select by this label (`--selector velero.kubevirt.io/pvc-uid=...`). A value of their own is
kept in an annotation meanwhile.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.disks.persistent_volume_claim import UID


def set_to(item: Item, uid: str, original: str) -> Item:
    """`item` with the label.

    Args:
        uid: of the claim; an empty uid leaves the item unchanged.
        original: the annotation for the user's own value.
    """
    if not uid:
        return item
    theirs = it.text(item, "metadata", "labels", UID)
    if UID in it.labels(item):
        item = it.with_annotation(item, original, theirs)
    return it.with_label(item, UID, uid)


def restore_label(item: Item, original: str) -> Item:
    """`item` with its user's own label of that name, or without any."""
    if UID not in it.labels(item):
        return item
    annotations = it.annotations(item)
    if original not in annotations:
        return it.without(item, "metadata", "labels", UID)
    theirs = it.text(item, "metadata", "annotations", original)
    return it.without(it.with_label(item, UID, theirs), "metadata", "annotations", original)
