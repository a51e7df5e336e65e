"""The plugin's actions, called as Velero calls them, but in this process.

Contexts, the view of the cluster and the text of an error are made by the code that serves Velero;
tests compare outcomes with those of the plugin's process over its protocol.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stillpoint.calls import failure
from stillpoint.calls.action import BackupEntry, Catalogue, Entry, ItemBlockEntry, RestoreEntry
from stillpoint.calls.contexts import Archives
from stillpoint.calls.payload import encode_item
from stillpoint.calls.registered import Registered
from stillpoint.cluster.cache import CachedIndexes
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, RestoreOutcome, Selector
from stillpoint.model.reference import Reference
from stillpoint.model.writer import Cluster
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.selection.label_selector import LabelSelector

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the plugin, with its item selector."""

    name: str
    resources: frozenset[str]
    excluded: frozenset[str]
    labels: LabelSelector

    @classmethod
    def of(cls, name: str, selector: Selector) -> "Action":
        """The action of this name, which applies to what `selector` selects."""
        resources, excluded = frozenset(selector.resources), frozenset(selector.excluded)
        return cls(name, resources, excluded, LabelSelector.parse(selector.labels))

    def is_of(self, resource: str) -> bool:
        """True if Velero calls the action for objects of this resource, as their labels allow."""
        is_meant = resource in self.resources or not self.resources - {"*"}
        return is_meant and resource not in self.excluded


def applicable(actions: Iterable[Action], reference: Reference, item: Item) -> Sequence[Action]:
    """The actions that Velero calls for this object, in its order."""
    resource, labels = reference.group_resource, it.labels(item)
    return [one for one in actions if one.is_of(resource) and one.labels.matches(labels)]


class BackupCalls:
    """Calls of backup and item-block actions.

    Args:
        backup: the Backup object that all calls are about.
        cluster: what actions read.
        logger: takes what actions log.
    """

    def __init__(
        self, catalogue: Catalogue, backup: Item, cluster: Cluster, logger: logging.Logger
    ) -> None:
        clusters = CachedIndexes(lambda: cluster)
        self._backup = encode_item(backup)
        self._on_backup = Registered[BackupEntry](catalogue.backup, clusters, logger)
        self._on_block = Registered[ItemBlockEntry](catalogue.item_block, clusters, logger)
        self.backup_actions = _actions(catalogue.backup())
        self.block_actions = _actions(catalogue.item_block())

    def related_items(self, action: Action, item: Item) -> Sequence[Reference]:
        """Calls an item-block action.

        Raises:
            ActionFailed: the action raised an error.
        """

        def call(subject: str) -> Sequence[Reference]:
            context = self._on_block.backup_context(action.name, self._backup, subject)
            return self._on_block[action.name].action.related_items(item, context)

        return _call(action, item, call)

    def back_up(self, action: Action, item: Item) -> BackupOutcome:
        """Calls a backup action; raises as `related_items`."""

        def call(subject: str) -> BackupOutcome:
            context = self._on_backup.backup_context(action.name, self._backup, subject)
            return self._on_backup[action.name].action.execute(item, context)

        return _call(action, item, call)


class RestoreCalls:
    """Calls of restore actions.

    Args:
        restore: the Restore object that all calls are about.
        cluster: what actions read: the target.
        archives: give the backup that is restored.
        logger: takes what actions log.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        restore: Item,
        cluster: Cluster,
        archives: Archives,
        logger: logging.Logger,
    ) -> None:
        clusters = CachedIndexes(lambda: cluster)
        self._restore = encode_item(restore)
        self._archives = archives
        self._on_restore = Registered[RestoreEntry](catalogue.restore, clusters, logger)
        self.restore_actions = _actions(catalogue.restore())

    def context(self, stored: Item) -> RestoreContext:
        """The context that actions have for a stored item."""
        subject = it.describe(stored)
        return self._on_restore.restore_context(
            "rehearsal", self._restore, subject, stored, self._archives
        )

    def restore(self, action: Action, item: Item, stored: Item) -> RestoreOutcome:
        """Calls a restore action.

        Args:
            stored: the item as stored in the backup.

        Raises:
            ActionFailed: the action raised an error.
        """

        def call(subject: str) -> RestoreOutcome:
            context = self._on_restore.restore_context(
                action.name, self._restore, subject, stored, self._archives
            )
            return self._on_restore[action.name].action.execute(item, context)

        return _call(action, item, call)


def _actions(entries: Iterable[Entry]) -> tuple[Action, ...]:
    return tuple(Action.of(entry.name, entry.action.APPLIES_TO) for entry in entries)


def _call(action: Action, item: Item, call: Callable[[str], Outcome]) -> Outcome:
    subject = it.describe(item)
    try:
        return call(subject)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        cause = failure.message(error, action.name, subject)
        raise ActionFailed(action.name, cause) from error
