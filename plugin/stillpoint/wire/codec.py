"""Between Velero's messages and our nouns."""

from datetime import datetime
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from stillpoint.calls.text import shorten
from stillpoint.model.reference import Reference
from stillpoint.wire.generated.velero import shared_pb2

if TYPE_CHECKING:
    from stillpoint.model.outcome import Progress, Selector


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
    """Progress with both times set: Velero reads an unset time as 1970."""
    return shared_pb2.OperationProgress(
        completed=progress.completed,
        err=shorten(progress.error),
        nCompleted=progress.done,
        nTotal=progress.total,
        operationUnits=progress.units,
        description=shorten(progress.description),
        started=_timestamp(progress.started),
        updated=_timestamp(progress.updated),
    )


def _timestamp(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message
