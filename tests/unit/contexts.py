"""Contexts that tests hand to actions."""

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stillpoint.cluster.cache import CachedIndex
from stillpoint.cluster.extracted_backup import ExtractedBackups
from stillpoint.model import item as it
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.item_log import ItemLog
from stillpoint.velero.context import BackupContext, RestoreContext
from stillpoint.velero.item_blocks import ItemBlocks
from stillpoint.velero.request import Backup, Restore
from stillpoint.velero.volumes.own_snapshots import OwnSnapshots
from tests.unit.dictionary_reader import DictionaryReader
from tests.unit.memory_archive import MemoryArchive

NO_ARCHIVE = ExtractedBackups(Path(os.devnull)).of_restore("", {})
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Hands:
    """A clock that goes on only when somebody sleeps, or when it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)


def backup_context(
    backup: Item, reader: DictionaryReader, item: str = "item", hands: Hands | None = None
) -> BackupContext:
    """A context as a new plugin process makes it: nothing has been asked yet, or taken.

    Args:
        item: its name in the log.
    """
    return BackupContext(
        backup=Backup.parse(backup),
        cluster=CachedIndex(reader),
        log=ItemLog(logging.getLogger("test"), "backup", item),
        writer=reader,
        clock=(hands or Hands()).clock,
        snapshots=OwnSnapshots(),
        blocks=ItemBlocks(),
        background=lambda task: task(),
        note=lambda task: task(),
        new_secret=lambda: "drawn",
    )


def restore_context(
    restore: Item,
    item: Item,
    reader: DictionaryReader,
    hands: Hands | None = None,
    archive: Sequence[Item] | None = None,
) -> RestoreContext:
    """A context as a new plugin process makes it: nothing has been asked yet.

    Args:
        item: what is being restored, as the backup holds it.
        archive: what else the backup holds; without it the backup cannot be looked into.
    """
    return RestoreContext(
        restore=Restore.parse(restore),
        stored=item,
        archive=NO_ARCHIVE if archive is None else MemoryArchive([*archive, item]),
        cluster=CachedIndex(reader),
        log=ItemLog(logging.getLogger("test"), "restore", it.describe(item)),
        new_uuid=lambda: "new-uuid",
        writer=reader,
        clock=(hands or Hands()).clock,
    )
