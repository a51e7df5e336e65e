"""Contexts of actions: the request of Velero, parsed, and the view of its cluster.

Imported at the first call: the handshake, for which Velero waits, does without half of these
imports.
"""

import functools
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol
from weakref import WeakKeyDictionary

from stillpoint.calls.payload import decode_item
from stillpoint.model.archive import Archive
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.item_log import ItemLog
from stillpoint.model.reader import Index
from stillpoint.model.writer import Writer
from stillpoint.velero.context import BackupContext, RestoreContext
from stillpoint.velero.item_blocks import ItemBlocks
from stillpoint.velero.request import Backup, Restore
from stillpoint.velero.volumes.own_snapshots import OwnSnapshots

_CLOCK = Clock(now=lambda: datetime.now(UTC), sleep=time.sleep)

_lock = threading.Lock()
_snapshots: WeakKeyDictionary[Index, OwnSnapshots] = WeakKeyDictionary()
_blocks: WeakKeyDictionary[Index, ItemBlocks] = WeakKeyDictionary()


class Clusters(Protocol):
    """Gives contexts their view of the cluster."""

    def for_request(self, uid: str) -> Index:
        """The view that all calls of one backup or restore share."""

    @property
    def writer(self) -> Writer:
        """Changes the cluster, for actions that may."""

    @property
    def has_csi(self) -> bool:
        """True if Velero runs its own actions for CSI, which put snapshots into the archive."""

    @property
    def background(self) -> Callable[[Callable[[], None]], None]:
        """Runs a task that no caller waits for, after those that it was given before."""

    @property
    def note(self) -> Callable[[Callable[[], None]], None]:
        """As `background`, before all that `background` was given: for what is lost otherwise."""

    @property
    def is_observed(self) -> bool:
        """True if guests are watched for evidence; see `BackupContext`."""

    def expect_requests(self) -> None:
        """Prepares for requests: a backup begins, its first item is a moment away."""


class Archives(Protocol):
    """Gives contexts their view of the backup that is restored."""

    def of_restore(self, uid: str, stored: Item) -> Archive:
        """The backup that the restore with this uid restores, recognized by one of its items."""


def of_backup(backup: bytes, clusters: Clusters, log: ItemLog) -> BackupContext:
    """The context of backup and item-block actions.

    Args:
        backup: the Backup, as JSON.
    """
    parsed = _backup(backup)
    view = clusters.for_request(parsed.uid)
    return BackupContext(
        backup=parsed,
        cluster=view,
        log=log,
        writer=clusters.writer,
        clock=_CLOCK,
        snapshots=_own_snapshots(view),
        blocks=_item_blocks(view),
        background=clusters.background,
        note=clusters.note,
        new_secret=lambda: secrets.token_hex(16),
        has_csi=clusters.has_csi,
        is_observed=clusters.is_observed,
    )


def of_restore(
    restore: bytes, clusters: Clusters, log: ItemLog, stored: Item, archives: Archives
) -> RestoreContext:
    """The context of restore actions.

    Args:
        restore: the Restore, as JSON.
        stored: the item as stored in the backup, {} if the call is about an operation.
    """
    parsed = _restore(restore)
    # At the end of a restore Velero asks about its operations in the process that has created
    # its objects: what that one listed before knows nothing of them.
    view = parsed.uid if stored else f"operations of {parsed.uid}"
    return RestoreContext(
        restore=parsed,
        stored=stored,
        archive=archives.of_restore(parsed.uid, stored),
        cluster=clusters.for_request(view),
        log=log,
        new_uuid=lambda: str(uuid.uuid4()),
        writer=clusters.writer,
        clock=_CLOCK,
        started=_started_machines(view),
    )


def _own_snapshots(view: Index) -> OwnSnapshots:
    """Lives as long as the backup's view of the cluster."""
    with _lock:
        return _snapshots.setdefault(view, OwnSnapshots())


def _item_blocks(view: Index) -> ItemBlocks:
    with _lock:
        return _blocks.setdefault(view, ItemBlocks())


@functools.lru_cache(maxsize=8)
def _started_machines(_view: str) -> set[tuple[str, str]]:
    return set()


@functools.lru_cache(maxsize=8)  # the same bytes come with every item of a backup
def _backup(data: bytes) -> Backup:
    return Backup.parse(decode_item(data, "backup"))


@functools.lru_cache(maxsize=8)
def _restore(data: bytes) -> Restore:
    return Restore.parse(decode_item(data, "restore"))
