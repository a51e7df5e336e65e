"""Item blocks of a backup, which Velero freezes one by one, as far as this process helps to build.

Velero runs all pre hooks of a block before it backs up the first of its items. It builds the blocks
one after the other and ahead of their backup, several of which may go on side by side; an object
belongs to the first block that named it (executeItemBlockActions and backupItemBlock in
pkg/backup/backup.go of Velero v1.18). So a disk that has changed its guest since is backed up when
its new guest does not stand still yet, or no longer.

An item of one block that names an object of another as an additional item has it backed up at once
(backupItem in item_backupper.go), whatever that block waits for.
"""

import threading
from collections.abc import Iterable

from stillpoint.model.reference import Reference


class ItemBlocks:
    """The block of each object that an item-block action was called for, or has named.

    Threads may share it. A process that Velero starts again knows of none of the former one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: dict[Reference, int] = {}

    def add(
        self, item: Reference, related: Iterable[Reference], joined_by: Iterable[Reference] = ()
    ) -> None:
        """Adds what an action has named to the block of its item.

        Args:
            item: begins a block, unless it has been named before.
            related: belong to the block, unless another one has them.
            joined_by: objects that bring the item into their block by Velero's own actions.
        """
        with self._lock:
            found = (self._blocks.get(each) for each in (item, *joined_by))
            block = next((one for one in found if one is not None), len(self._blocks))
            for each in (item, *related):
                self._blocks.setdefault(each, block)

    def of(self, item: Reference) -> int | None:
        """The number of the block that has an object; None if it is not known."""
        return self._blocks.get(item)
