"""DataVolume (cdi.kubevirt.io/v1beta1), by which CDI populates a PersistentVolumeClaim."""

from collections.abc import Callable, Mapping

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item

RESOURCE = kinds.DATA_VOLUME

PREPOPULATED = "cdi.kubevirt.io/storage.prePopulated"
"""Annotation with the DataVolume's own name: CDI takes the claim of that name as it is.

Source: containerized-data-importer, pkg/controller/datavolume/controller-base.go.
"""

_SOURCE_NAMESPACES = (
    ("spec", "source", "pvc", "namespace"),
    ("spec", "source", "snapshot", "namespace"),
    ("spec", "sourceRef", "namespace"),
)
_STORAGE_CLASSES = (("spec", "pvc", "storageClassName"), ("spec", "storage", "storageClassName"))


def is_populated(data_volume: Item) -> bool:
    """True if the claim has its bytes: from CDI, or from a restore that CDI has yet to notice."""
    return it.text(data_volume, "status", "phase") == "Succeeded" or is_prepopulated(data_volume)


def is_being_filled(data_volume: Item) -> bool:
    """True if CDI reports that the claim is being populated; without a status nobody knows."""
    return bool(it.text(data_volume, "status", "phase")) and not is_populated(data_volume)


def is_prepopulated(data_volume: Item) -> bool:
    """True if a mark makes CDI take the claim unchanged."""
    return PREPOPULATED in it.annotations(data_volume)


def is_blank(data_volume: Item) -> bool:
    """True if CDI leaves the claim empty: all its content came from a guest."""
    return "blank" in it.mapping(data_volume, "spec", "source")


def is_imported_again(data_volume: Item) -> bool:
    """True if CDI can populate the claim again by itself, which an upload cannot be."""
    source = it.mapping(data_volume, "spec", "source")
    return bool(it.mapping(data_volume, "spec", "sourceRef") or set(source) - {"upload"})


def trouble(data_volume: Item) -> str:
    """The phase and progress of the DataVolume, with CDI's message: `ImportInProgress, 45.0%`."""
    messages = (
        it.text(entry, "message")
        for entry in it.sequence(data_volume, "status", "conditions")
        if it.text(entry, "status") != "True"
    )
    state = (it.text(data_volume, "status", name) for name in ("phase", "progress"))
    return ", ".join(filter(None, (*state, *messages))) or "not looked at by CDI yet"


def renamed(data_volume: Item, name: str) -> Item:
    """The DataVolume, or a template, under another name, with its mark of a restore."""
    data_volume = it.with_value(data_volume, name, "metadata", "name")
    if is_prepopulated(data_volume):
        data_volume = it.with_annotation(data_volume, PREPOPULATED, name)
    return data_volume


def with_namespaces(data_volume: Item, mapped: Callable[[str], str]) -> Item:
    """The DataVolume, or a template, with its source in the mapped namespace."""
    for path in _SOURCE_NAMESPACES:
        namespace = it.text(data_volume, *path)
        if namespace and mapped(namespace) != namespace:
            data_volume = it.with_value(data_volume, mapped(namespace), *path)
    return data_volume


def with_storage_class(data_volume: Item, mapping: Mapping[str, str]) -> Item:
    """The DataVolume, or a template, in the mapped storage class."""
    for path in _STORAGE_CLASSES:
        name = it.text(data_volume, *path)
        if name in mapping:
            data_volume = it.with_value(data_volume, mapping[name], *path)
    return data_volume
