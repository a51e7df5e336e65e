"""Errors of a rehearsal.

StillpointError (stillpoint.model.errors)
├── UnreadableManifests    a file, or an object in it, is not what the Kubernetes API takes
├── NothingToRehearse      the request fits nothing in the manifests
├── NotWritten             an archive cannot be written
└── ActionFailed           an action raised an error; a finding of the rehearsal
"""

from stillpoint.model.errors import StillpointError


class UnreadableManifests(StillpointError):
    """The content of `place` (a path, or `path:line`) cannot be used."""

    def __init__(self, place: str, cause: str, hint: str = "") -> None:
        super().__init__(place, "cannot read the manifests", cause, hint)


class NothingToRehearse(StillpointError):
    """There is no such namespace, or no virtual machine."""


class NotWritten(StillpointError):
    """The archive that was asked for."""


class ActionFailed(StillpointError):
    """A call of an action failed; `cause` is Velero's log line."""

    def __init__(self, action: str, cause: str) -> None:
        super().__init__(f"action {action}", "it answered with an error", cause)
