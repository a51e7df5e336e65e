"""What an action is given besides its item."""

import logging
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from plugin.model.archive import Archive
from plugin.model.clock import Clock
from plugin.model.item import Item
from plugin.model.reader import Index
from plugin.model.request import Backup, Restore
from plugin.model.writer import Writer


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


@dataclass(frozen=True, slots=True)
class BackupContext:
    """For backup and item-block actions."""

    backup: Backup
    cluster: Index
    log: ItemLog


@dataclass(frozen=True, slots=True)
class RestoreContext:
    """For restore actions.

    Attributes:
        stored: the item as the backup holds it; what the action changes has passed through
            Velero and other plugins.
        new_uuid: gives a random UUID; actions draw no randomness of their own.
        archive: the backup that is restored; raises `ArchiveUnreadable` only when it is asked.
        writer: changes objects that exist; none of its changes shows in answers that `cluster`
            has given.
    """

    restore: Restore
    stored: Item
    archive: Archive
    cluster: Index
    log: ItemLog
    new_uuid: Callable[[], str]
    writer: Writer
    clock: Clock
