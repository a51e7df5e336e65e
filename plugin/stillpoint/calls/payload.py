"""Objects as Velero's calls carry them: JSON."""

from stillpoint.model import json_text
from stillpoint.model.errors import MalformedRequest
from stillpoint.model.item import Item


def decode_item(data: bytes, what: str) -> Item:
    """The JSON object in `data`. Integers up to 64 bits, unknown fields and key order survive.

    Args:
        what: name of the object for the error, for instance `item` or `backup`.

    Raises:
        MalformedRequest: these bytes are no JSON object.
    """
    try:
        value = json_text.decode(data)
    except ValueError as error:
        cause = f"{len(data)} bytes that are no JSON: {error}"
        raise MalformedRequest(f"{what} of Velero's call", "cannot read it", cause) from error
    if not isinstance(value, dict):
        cause = f"JSON, but {type(value).__name__} instead of an object"
        raise MalformedRequest(f"{what} of Velero's call", "cannot read it", cause)
    return value


def encode_item(item: Item) -> bytes:
    """The item as JSON."""
    return json_text.encode(item)


def encode_changed(item: Item, came: Item, data: bytes) -> bytes:
    """The item of an outcome: the received bytes, if the action has changed nothing.

    Args:
        came: the item before the action.
        data: the bytes of `came`.
    """
    return data if item is came or item == came else encode_item(item)
