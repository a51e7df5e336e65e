"""Every error of the plugin that a person reads.

    StillpointError            object, attempt, cause, remedy
    ├── MalformedItem          an object from outside is not what the Kubernetes API makes
    ├── MalformedRequest       Velero's call itself cannot be read
    ├── ArchiveUnreadable      the backup that is restored is not to be had, or not whole
    ├── NoPlace                the plugin finds no folder for its socket
    ├── Refusal                going on would lose data, or promise what cannot be kept
    └── ReadFailed             the cluster did not answer a question, or did not do as told
        ├── Forbidden          it answered: not for this account
        └── Unreachable        it did not answer in time, or not as an API server does

An object that does not exist is an answer, not an error (`Reader.get` gives None).
"""

from reprlib import Repr
from typing import Any

_REPR = Repr()
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 80


class StillpointError(Exception):
    """`subject: attempt: cause; HINT: remedy`, of which the remedy may be missing.

    Args:
        subject: the object as people call it, for instance `VirtualMachine shop/db`.
        attempt: what was tried with it.
        cause: why that is impossible.
        hint: what the reader of the message can do.
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
    """The plugin cannot be talked to, and so it does not start."""


class Refusal(StillpointError):
    """The item must not be processed as asked."""


class ReadFailed(StillpointError):
    """A get, list or patch did not bring an answer that could be trusted."""


class Forbidden(ReadFailed):
    """The account in use may not do this (HTTP 401 and 403)."""


class Unreachable(ReadFailed):
    """No answer before the deadline, a broken one, or a server that is failing (429, 5xx)."""


def excerpt(value: Any) -> str:
    """The value for people, in a line, whatever it holds: aliases of YAML make it endless."""
    text = _REPR.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
