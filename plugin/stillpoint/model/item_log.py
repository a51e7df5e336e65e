"""Lines of the log that belong to an item."""

import logging
from collections.abc import MutableMapping
from typing import Any


class ItemLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that says with each line which action speaks of which item.

    Args:
        subject: what `item.describe` says of the item.
    """

    def __init__(self, logger: logging.Logger, action: str, subject: str) -> None:
        super().__init__(logger, {"action": action, "item": subject})

    def process(
        self, msg: str, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        kwargs["extra"] = {"fields": self.extra}
        return msg, kwargs
