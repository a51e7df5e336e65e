"""PersistentVolumeClaim, with the marks that CDI, KubeVirt and kubevirt-velero-plugin set on it."""

from collections.abc import Iterable, Mapping

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.resources import named_in_annotations

RESOURCE = kinds.CLAIM

POPULATED_FOR = "cdi.kubevirt.io/storage.populatedFor"
"""Annotation with a DataVolume's name: CDI does not fill this claim again."""

IN_PROGRESS = "kvp.kubevirt.io/storage.inprogress"
"""Annotation with a DataVolume's name: the claim was being populated; it is not restored."""

UID = "velero.kubevirt.io/pvc-uid"
"""Label with the claim's uid, on claims and on their snapshots: users restore by it."""

ORIGINAL_UID = "velero.kubevirt.io/original-pvc-uid"
"""Annotation with the value that the user's own label of that name had."""

_CDI = "cdi.kubevirt.io"
_STATE_OF = "persistent-state-for"
_MEMORY_DUMP = "kubevirt.io/memory-dump"


def is_bound(claim: Item) -> bool:
    """True if the claim is bound to a volume."""
    return it.text(claim, "status", "phase") == "Bound" and bool(volume(claim))


def has_status(claim: Item) -> bool:
    """True if the claim has a status: a manifest from a repository has none."""
    return bool(it.text(claim, "status", "phase"))


def volume(claim: Item) -> str:
    """Name of the claim's PersistentVolume; empty if there is none yet."""
    return it.text(claim, "spec", "volumeName")


def data_volume(claim: Item) -> str:
    """Name of the DataVolume that owns the claim; empty if none does."""
    return it.owner(claim, "DataVolume")


def is_block(claim: Item) -> bool:
    """True if the claim is a bare device, without a filesystem of its own."""
    return it.text(claim, "spec", "volumeMode") == "Block"


def storage_class(claim: Item) -> str:
    """Name of the claim's storage class; empty for a claim on an existing volume."""
    return it.text(claim, "spec", "storageClassName")


def names_no_class(claim: Item) -> bool:
    """True if the claim leaves its storage class to the cluster; an empty name is a name."""
    return it.mapping(claim, "spec").get("storageClassName") is None


def is_filled_by_cdi(claim: Item) -> bool:
    """True if CDI fills the claim: from an image, another claim, or an upload.

    Source: CDI v1.66, pkg/controller/populators: kinds of sources in its own group.
    """
    return it.text(claim, "spec", "dataSourceRef", "apiGroup") == _CDI


def phase(claim: Item) -> str:
    """The claim's phase: `Pending`, `Bound` or `Lost`."""
    return it.text(claim, "status", "phase") or "Pending"


def is_memory_dump(claim: Item) -> bool:
    """True if KubeVirt has written the memory of a guest to the claim."""
    return _MEMORY_DUMP in it.annotations(claim)


def is_in_progress(claim: Item) -> bool:
    """True if the claim was being populated at backup.

    In archives of kubevirt-velero-plugin a claim that a restore had populated before has both
    annotations.
    """
    annotations = it.annotations(claim)
    return IN_PROGRESS in annotations and POPULATED_FOR not in annotations


def without_mark(claim: Item) -> Item:
    """The claim without CDI's mark of a populated claim."""
    return it.without(claim, "metadata", "annotations", POPULATED_FOR)


def machines_with_state(claim: Item) -> Iterable[str]:
    """Names of the virtual machines whose vTPM or EFI state the claim holds.

    Source: KubeVirt, pkg/storage/backend-storage; claims older than v1.4 carry the machine's name
        in their own.
    """
    if name := it.text(claim, "metadata", "labels", _STATE_OF):
        return (name,)
    prefix = f"{_STATE_OF}-"
    legacy = it.name(claim)
    return (legacy.removeprefix(prefix),) if legacy.startswith(prefix) else ()


def renamed(claim: Item, name: str, machines: Mapping[str, str]) -> Item:
    """The claim under another name, and of another machine.

    Args:
        machines: new names of machines, by old ones.
    """
    if populated_for := it.text(claim, "metadata", "annotations", POPULATED_FOR):
        new = name if populated_for == it.name(claim) else populated_for
        claim = it.with_annotation(claim, POPULATED_FOR, new)
    for label, value in it.labels(claim).items():
        if value in machines:
            claim = it.with_label(claim, label, machines[value])
    claim = named_in_annotations.renamed(claim, {**machines, it.name(claim): name})
    return it.with_value(claim, name, "metadata", "name")
