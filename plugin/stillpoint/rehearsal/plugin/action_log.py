"""Log lines of actions in a rehearsal, kept instead of written."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from stillpoint.calls.text import sendable


class LogLine(NamedTuple):
    """A log line of an action about an item, which is named as `item.describe` does."""

    action: str
    item: str
    message: str


class ActionLog(logging.Handler):
    """Keeps lines from level info on, as a Velero server does by default.

    Attributes:
        logger: for actions; nobody else's, so that no setting of the process changes it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logger = logging.Logger("rehearsal", logging.INFO)  # noqa: LOG001
        self.logger.addHandler(self)
        self._lines: list[LogLine] = []

    @property
    def lines(self) -> Sequence[LogLine]:
        """The lines so far."""
        return tuple(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a line of an `ItemLog`."""
        fields = getattr(record, "fields", None) or {}
        message = sendable(record.getMessage())
        self._lines.append(LogLine(fields.get("action", ""), fields.get("item", ""), message))
