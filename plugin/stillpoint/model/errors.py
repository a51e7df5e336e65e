"""Every error of the plugin that a person reads.

    StillpointError            object, attempt, cause, remedy
    ├── MalformedItem          an object from outside is not what the Kubernetes API makes
    ├── MalformedRequest       Velero's call itself cannot be read
    ├── ArchiveUnreadable      the backup archive is unavailable or incomplete
    ├── NoPlace                the plugin finds no folder for its socket
    ├── Refusal                going on would lose data, or promise what cannot be kept
    ├── SnapshotFailed         the storage has taken no snapshot
    └── ReadFailed             a request to the cluster failed
        ├── Forbidden          this account lacks a right
        ├── Denied             a rule of the cluster refuses the change, whoever asks for it
        └── Unreachable        no response in time, or none that an API server gives
            ├── Conflict       somebody else has changed the object meanwhile
            └── NoResponse     the API server was not reached, or broke off

A missing object is a result, not an error (`Reader.get` gives None).
"""

from reprlib import Repr
from typing import Any

_REPR = Repr()
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 80


class StillpointError(Exception):
    """An error `subject: attempt: cause; HINT: remedy`; the remedy may be missing.

    Args:
        subject: the object's name for people, for instance `VirtualMachine shop/db`.
        attempt: the failed attempt.
        cause: why that is impossible.
        hint: the reader's remedy.
    """

    def __init__(self, subject: str, attempt: str, cause: str, hint: str = "") -> None:
        self.subject = subject
        self.attempt = attempt
        self.cause = cause
        self.hint = hint
        message = f"{subject}: {attempt}: {cause}"
        super().__init__(f"{message}; HINT: {hint}" if hint else message)


class MalformedItem(StillpointError):
    """A field holds a value of the wrong JSON type."""

    def __init__(self, subject: str, field: str, expected: str, found: Any) -> None:
        cause = f"{field} is {excerpt(found)}, not {expected}"
        super().__init__(subject, "cannot read the object", cause)


class MalformedRequest(StillpointError):
    """A call of Velero carries bytes that are no JSON object, or names no action of ours."""


class ArchiveUnreadable(StillpointError):
    """The backup that is restored cannot be looked into."""


class NoPlace(StillpointError):
    """The plugin finds no folder for its socket, and so does not start."""


class Refusal(StillpointError):
    """The item must not be processed as asked."""


class SnapshotFailed(StillpointError):
    """The storage has not taken a snapshot of a claim, or not in time."""


class ReadFailed(StillpointError):
    """A get, list or patch did not bring an answer that could be trusted."""


class Forbidden(ReadFailed):
    """The account in use may not do this (HTTP 401 and 403)."""


class Denied(ReadFailed):
    """Admission refuses a change: a quota, a webhook, a namespace in deletion (also HTTP 403)."""


class Unreachable(ReadFailed):
    """No response before the deadline, a broken one, or a failing server (429, 5xx)."""


class Conflict(Unreachable):
    """The object is not any more what the change was computed from (HTTP 409)."""


class NoResponse(Unreachable):
    """No whole response: no connection, one that broke, or no credentials to open one with."""


def excerpt(value: Any) -> str:
    """The value in one line for people, however large: aliases of YAML make values endless."""
    text = _REPR.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
