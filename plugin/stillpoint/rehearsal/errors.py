"""Errors of a rehearsal.

StillpointError (stillpoint.model.errors)
├── UnreadableManifests    a file, or an object in it, is not what the Kubernetes API takes
├── NothingToRehearse      the manifests do not hold what was asked for
├── NotWritten             an archive cannot be written
├── PluginFailed           the plugin process did not start, or did not answer
└── ActionFailed           an action answered with an error; a finding of the rehearsal
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stillpoint.model.errors import StillpointError


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the plugin's log.

    Attributes:
        level: `debug`, `info`, `warn` or `error`; empty for a line that is none of its log.
        fields: what else the line says, for instance `action` and `item`.
    """

    level: str
    message: str
    fields: dict[str, str] = field(default_factory=dict)


class UnreadableManifests(StillpointError):
    """What is at `place` (a path, or `path:line`) cannot be used."""

    def __init__(self, place: str, cause: str, hint: str = "") -> None:
        super().__init__(place, "cannot read the manifests", cause, hint)


class NothingToRehearse(StillpointError):
    """There is no such namespace, or no virtual machine."""


class NotWritten(StillpointError):
    """The archive that was asked for."""


class PluginFailed(StillpointError):
    """The process as a whole; `log` holds the last lines that it wrote."""

    def __init__(self, attempt: str, cause: str, log: Sequence[LogLine]) -> None:
        super().__init__("plugin process", attempt, cause)
        self.log = tuple(log)


class ActionFailed(StillpointError):
    """One call of one action; `cause` is what Velero would log."""

    def __init__(self, action: str, cause: str) -> None:
        super().__init__(f"action {action}", "it answered with an error", cause)
