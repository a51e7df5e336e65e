"""Between Velero's messages and our nouns."""

from datetime import datetime
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from stillpoint.model import json_text
from stillpoint.model.errors import MalformedRequest
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.wire.generated.velero import shared_pb2
from stillpoint.wire.text import bounded

if TYPE_CHECKING:
    from stillpoint.model.outcome import Progress, Selector


def decode_item(data: bytes, what: str) -> Item:
    """The JSON object in `data`. Integers up to 64 bits, unknown fields and key order survive.

    Args:
        what: name of the object for the error, for instance `item` or `backup`.

    Raises:
        MalformedRequest: these bytes are no JSON object.
    """
    try:
        value = json_text.read(data)
    except ValueError as error:
        cause = f"{len(data)} bytes that are no JSON: {error}"
        raise MalformedRequest(f"{what} of Velero's call", "cannot read it", cause) from error
    if not isinstance(value, dict):
        cause = f"JSON, but {type(value).__name__} instead of an object"
        raise MalformedRequest(f"{what} of Velero's call", "cannot read it", cause)
    return value


def encode_item(item: Item) -> bytes:
    """The item as JSON."""
    return json_text.written(item)


def encode_answer(item: Item, came: Item, data: bytes) -> bytes:
    """The item of an answer: as the bytes that came, if the action has changed nothing in it.

    Args:
        came: the item before the action.
        data: the bytes that it was read from.
    """
    return data if item is came or item == came else encode_item(item)


def encode_reference(reference: Reference) -> shared_pb2.ResourceIdentifier:
    """A reference as Velero's `ResourceIdentifier`."""
    return shared_pb2.ResourceIdentifier(
        group=reference.group,
        resource=reference.resource,
        namespace=reference.namespace,
        name=reference.name,
    )


def decode_reference(message: shared_pb2.ResourceIdentifier) -> Reference:
    """Velero's `ResourceIdentifier` as a reference."""
    return Reference(message.group, message.resource, message.namespace, message.name)


def encode_selector(selector: "Selector") -> shared_pb2.ResourceSelector:
    """A selector as Velero's `ResourceSelector`."""
    return shared_pb2.ResourceSelector(
        includedResources=selector.resources,
        excludedResources=selector.excluded,
        selector=selector.labels,
    )


def encode_progress(progress: "Progress") -> shared_pb2.OperationProgress:
    """Progress with both times set: Velero takes an unset one for 1970."""
    return shared_pb2.OperationProgress(
        completed=progress.completed,
        err=bounded(progress.error),
        nCompleted=progress.done,
        nTotal=progress.total,
        operationUnits=progress.units,
        description=bounded(progress.description),
        started=_timestamp(progress.started),
        updated=_timestamp(progress.updated),
    )


def _timestamp(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message
