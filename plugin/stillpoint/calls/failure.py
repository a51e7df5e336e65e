"""Errors of actions as Velero logs them."""

from stillpoint.calls.text import shorten
from stillpoint.model.errors import MalformedRequest, StillpointError


def message(error: BaseException, action: str, subject: str) -> str:
    """The text of `error` for Velero.

    Args:
        action: name of the action that was called.
        subject: the object as people call it.
    """
    if not isinstance(error, StillpointError):
        fault = f"{type(error).__name__}: {error}"
        return shorten(f"{subject}: a fault inside stillpoint ({action}): {fault}")
    is_of_call = isinstance(error, MalformedRequest)
    if is_of_call or error.subject == subject:
        return shorten(str(error))
    # the error is about a part of the item, or a list that it was looked up in
    return shorten(f"{subject}: {error}")
