"""Errors on their way to Velero: a gRPC status with the place where each arose.

Velero logs frame 0 of a `generated.Stack` detail as `error.file` and `error.function`
(velero v1.18.3, pkg/plugin/framework/common/client_errors.go).
"""

import traceback

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from stillpoint.calls import failure
from stillpoint.calls.text import sendable
from stillpoint.model.errors import StillpointError
from stillpoint.wire.generated.velero import shared_pb2

_MOST_FRAMES = 20
_MOST_STACK_BYTES = 1_500  # trailers are no place for more: see stillpoint.calls.text


def status_of(error: BaseException, action: str, subject: str) -> grpc.Status:
    """The gRPC status for `error`.

    Args:
        action: name of the action that was called.
        subject: the object as people call it.
    """
    # Velero's own framework answers Aborted for a plugin that panicked
    is_known = isinstance(error, StillpointError)
    code = grpc.StatusCode.UNKNOWN if is_known else grpc.StatusCode.ABORTED
    message = failure.message(error, action, subject)
    detail = Any()
    detail.Pack(_stack(error))
    status = Status(code=code.value[0], message=message, details=[detail])
    return rpc_status.to_status(status)


def _stack(error: BaseException) -> shared_pb2.Stack:
    stack = shared_pb2.Stack()
    for frame in traceback.extract_tb(error.__traceback__)[::-1][:_MOST_FRAMES]:
        file = sendable(frame.filename)
        if stack.ByteSize() + len(file) + len(frame.name) > _MOST_STACK_BYTES:
            break
        stack.frames.add(file=file, line=frame.lineno or 0, function=frame.name)
    return stack
