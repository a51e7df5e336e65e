"""The actions of one kind, by name, and the contexts that they are called with."""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from stillpoint.calls.action import ActionWithOperations, Entry
from stillpoint.model.errors import MalformedRequest
from stillpoint.model.item import Item
from stillpoint.model.item_log import ItemLog

if TYPE_CHECKING:
    from stillpoint.calls.contexts import Archives, Clusters
    from stillpoint.velero.context import BackupContext, RestoreContext

EntryType = TypeVar("EntryType", bound=Entry)


class Registered(Generic[EntryType]):
    """The actions of one kind.

    Args:
        load: gives the entries; called with the first action that is asked for.
        logger: takes what actions log.
    """

    def __init__(
        self, load: Callable[[], Sequence[EntryType]], clusters: "Clusters", logger: logging.Logger
    ) -> None:
        self._load = load
        self._clusters = clusters
        self._logger = logger

    @functools.cached_property
    def _by_name(self) -> Mapping[str, EntryType]:
        return {entry.name: entry for entry in self._load()}

    def __getitem__(self, name: str) -> EntryType:
        try:
            return self._by_name[name]
        except KeyError:
            cause = f"there are {', '.join(sorted(self._by_name)) or 'none of this kind'}"
            raise MalformedRequest(f"action {name!r}", "cannot call it", cause) from None

    def with_operations(self, name: str) -> ActionWithOperations:
        """The action of this name, if the action starts operations.

        Raises:
            MalformedRequest: there is no such action, or none of its work goes on as an operation.
        """
        action = self[name].action
        if isinstance(action, ActionWithOperations):
            return action
        raise MalformedRequest(f"action {name!r}", "cannot ask its operations", "it starts none")

    def backup_context(self, name: str, backup: bytes, subject: str) -> "BackupContext":
        """The context of a backup or item-block action; see `contexts.of_backup`."""
        from stillpoint.calls import contexts  # noqa: PLC0415 - the model: no handshake waits for it

        return contexts.of_backup(backup, self._clusters, ItemLog(self._logger, name, subject))

    def restore_context(
        self, name: str, restore: bytes, subject: str, stored: Item, archives: "Archives"
    ) -> "RestoreContext":
        """The context of a restore action; see `contexts.of_restore`."""
        from stillpoint.calls import contexts  # noqa: PLC0415

        log = ItemLog(self._logger, name, subject)
        return contexts.of_restore(restore, self._clusters, log, stored, archives)
