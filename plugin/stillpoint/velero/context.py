"""The context of an action: all its inputs besides its item."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stillpoint.model.archive import Archive
from stillpoint.model.clock import Clock
from stillpoint.model.item import Item
from stillpoint.model.item_log import ItemLog
from stillpoint.model.reader import Index
from stillpoint.model.writer import Writer
from stillpoint.velero.item_blocks import ItemBlocks
from stillpoint.velero.request import Backup, Restore
from stillpoint.velero.volumes.own_snapshots import OwnSnapshots


@dataclass(frozen=True, slots=True)
class BackupContext:
    """The context of backup and item-block actions.

    Attributes:
        writer: changes objects; no response that `cluster` has cached shows that.
        snapshots: those that this process takes itself for the backup.
        blocks: those that this process has helped to build.
        background: runs a task that the call does not wait for, for a guest may stand still until
            the call ends.
        note: as `background`, before all tasks of that: for what is lost if the process ends.
        has_csi: true if Velero runs its own actions for CSI, which put snapshots into the archive.
        new_secret: draws a secret; actions draw no randomness of their own.
        is_observed: true if guests are watched for evidence; a rehearsal watches none.
    """

    backup: Backup
    cluster: Index
    log: ItemLog
    writer: Writer
    clock: Clock
    snapshots: OwnSnapshots
    blocks: ItemBlocks
    background: Callable[[Callable[[], None]], None]
    note: Callable[[Callable[[], None]], None]
    new_secret: Callable[[], str]
    has_csi: bool = True
    is_observed: bool = False


@dataclass(frozen=True, slots=True)
class RestoreContext:
    """The context of restore actions.

    Attributes:
        stored: the item as stored; the item that the action changes has passed through Velero and
            other plugins.
        new_uuid: gives a random UUID; actions draw no randomness of their own.
        archive: the restored backup; raises `ArchiveUnreadable` only when read.
        writer: changes objects that exist; no response that `cluster` has cached shows that.
        started: namespace and name of each machine that this process has started for the restore:
            a list that was read before does not show that.
    """

    restore: Restore
    stored: Item
    archive: Archive
    cluster: Index
    log: ItemLog
    new_uuid: Callable[[], str]
    writer: Writer
    clock: Clock
    started: set[tuple[str, str]] = field(default_factory=set)
