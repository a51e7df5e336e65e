"""Errors of actions as Velero logs them."""

from stillpoint.calls.text import bounded
from stillpoint.model.errors import MalformedRequest, StillpointError


def message(error: BaseException, action: str, subject: str) -> str:
    """The text that tells Velero of `error`.

    Args:
        action: name of the action that was called.
        subject: the object as people call it.
    """
    if not isinstance(error, StillpointError):
        fault = f"{type(error).__name__}: {error}"
        return bounded(f"{subject}: a fault inside stillpoint ({action}): {fault}")
    is_of_call = isinstance(error, MalformedRequest)
    if is_of_call or error.subject == subject:
        return bounded(str(error))
    # the error is about a part of the item, or a list that it was looked up in
    return bounded(f"{subject}: {error}")
