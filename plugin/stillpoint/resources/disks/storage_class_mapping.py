"""Velero's mapping of storage classes, a ConfigMap in its own namespace.

Velero applies the mapping to claims and volumes; for a DataVolume that names the old class CDI
would make a claim of that class, sooner or later.

Source: pkg/restore/actions/change_storageclass_action.go of Velero v1.18.
"""

from collections.abc import Iterable, Mapping

from stillpoint.model import item as it
from stillpoint.model.item import Item

SELECTOR = "velero.io/change-storage-class=RestoreItemAction"


def names(config_map: Item) -> Iterable[str]:
    """A constant key for `Index.list_grouped`, since there is a single such ConfigMap."""
    return (SELECTOR,) if it.mapping(config_map, "data") else ()


def is_mapping(config_map: Item) -> bool:
    """True for a ConfigMap that the selector finds."""
    label, _equals, value = SELECTOR.partition("=")
    return it.labels(config_map).get(label) == value


def read(config_map: Item) -> Mapping[str, str]:
    """New classes by old ones."""
    data = it.mapping(config_map, "data")
    return {old: it.text(data, old) for old in data}
