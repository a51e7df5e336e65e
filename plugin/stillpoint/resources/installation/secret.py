"""Secret (v1): the names of its keys, and never a value.

The API server gives no keys without values. But it says who wrote which field, and so with the
metadata alone which keys there are (`metadata.managedFields`, FieldsV1 of apimachinery v0.36).
"""

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item

RESOURCE = kinds.SECRET

_DATA = ("data", "stringData")


def keys(secret: Item) -> frozenset[str] | None:
    """Names of the keys; None if what is known of the Secret does not say.

    Args:
        secret: its metadata, or the whole object as in a manifest.
    """
    if any(field in secret for field in _DATA):
        return frozenset(name for field in _DATA for name in it.mapping(secret, field))
    writers = it.sequence(secret, "metadata", "managedFields")
    fields = [it.mapping(one, "fieldsV1") for one in writers]
    if not any(fields):
        return None
    return frozenset(
        name.removeprefix("f:")
        for one in fields
        for field in _DATA
        for name in it.mapping(one, f"f:{field}")
        if name.startswith("f:")
    )


def without_values(secret: Item) -> Item:
    """The Secret of a manifest with all keys and no value."""
    emptied = {field: dict.fromkeys(it.mapping(secret, field), "") for field in _DATA}
    return {**secret, **{field: names for field, names in emptied.items() if field in secret}}
