"""The plugin's actions as Velero calls them: typed, over the wire, each call with a deadline."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.label_selector import LabelSelector
from plugin.model.outcome import BackupOutcome, RestoreOutcome
from plugin.model.reference import Reference
from plugin.rehearsal.errors import ActionFailed
from plugin.rehearsal.process import PluginProcess
from plugin.wire import codec
from plugin.wire.action import Kind
from plugin.wire.generated.velero import (
    backup_item_action_v2_pb2,
    backup_item_action_v2_pb2_grpc,
    item_block_action_v1_pb2,
    item_block_action_v1_pb2_grpc,
    plugin_lister_pb2_grpc,
    restore_item_action_v2_pb2,
    restore_item_action_v2_pb2_grpc,
    shared_pb2,
)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the plugin, with the items that it is called for."""

    name: str
    resources: frozenset[str]
    excluded: frozenset[str]
    labels: LabelSelector

    def is_of(self, resource: str) -> bool:
        """Whether Velero calls the action for objects of this resource, as their labels allow."""
        is_meant = resource in self.resources or not self.resources - {"*"}
        return is_meant and resource not in self.excluded


def applicable(actions: Iterable[Action], reference: Reference, item: Item) -> Sequence[Action]:
    """The actions that Velero calls for this object, in its order."""
    resource, labels = reference.group_resource, it.labels(item)
    return [one for one in actions if one.is_of(resource) and one.labels.matches(labels)]


class PluginClient:
    """Calls the actions of a running plugin.

    Args:
        backup: the Backup object that all backup calls are about.
        restore: the Restore object that all restore calls are about.

    Raises:
        PluginFailed: the process did not answer; so do all methods.
    """

    def __init__(self, process: PluginProcess, backup: Item, restore: Item) -> None:
        self._process = process
        self._backup = codec.encode_item(backup)
        self._restore = codec.encode_item(restore)
        channel = process.channel
        self._backup_actions = backup_item_action_v2_pb2_grpc.BackupItemActionStub(channel)
        self._restore_actions = restore_item_action_v2_pb2_grpc.RestoreItemActionStub(channel)
        self._block_actions = item_block_action_v1_pb2_grpc.ItemBlockActionStub(channel)
        lister = plugin_lister_pb2_grpc.PluginListerStub(channel)
        attempt = "cannot list its actions"
        listed = process.call(attempt, lister.ListPlugins, shared_pb2.Empty()).plugins
        names = {kind: [one.name for one in listed if one.kind == kind] for kind in Kind}
        self.backup_actions = self._resolved(
            names[Kind.BACKUP],
            self._backup_actions.AppliesTo,
            backup_item_action_v2_pb2.BackupItemActionAppliesToRequest,
        )
        self.restore_actions = self._resolved(
            names[Kind.RESTORE],
            self._restore_actions.AppliesTo,
            restore_item_action_v2_pb2.RestoreItemActionAppliesToRequest,
        )
        self.block_actions = self._resolved(
            names[Kind.ITEM_BLOCK],
            self._block_actions.AppliesTo,
            item_block_action_v1_pb2.ItemBlockActionAppliesToRequest,
        )

    def related_items(self, action: Action, item: Item) -> Sequence[Reference]:
        """What an item-block action answers.

        Raises:
            ActionFailed: it answered with an error.
        """
        request = item_block_action_v1_pb2.ItemBlockActionGetRelatedItemsRequest(
            plugin=action.name, item=codec.encode_item(item), backup=self._backup
        )
        answer = self._call(action.name, self._block_actions.GetRelatedItems, request)
        return tuple(map(codec.decode_reference, answer.relatedItems))

    def back_up(self, action: Action, item: Item) -> BackupOutcome:
        """What a backup action answers.

        Raises:
            ActionFailed: it answered with an error.
        """
        request = backup_item_action_v2_pb2.ExecuteRequest(
            plugin=action.name, item=codec.encode_item(item), backup=self._backup
        )
        answer = self._call(action.name, self._backup_actions.Execute, request)
        return BackupOutcome(
            _sharing(codec.decode_item(answer.item, "item"), item),
            _references(answer.additionalItems),
            answer.operationID,
            _references(answer.postOperationItems),
        )

    def restore(self, action: Action, item: Item, stored: Item) -> RestoreOutcome:
        """What a restore action answers.

        Raises:
            ActionFailed: it answered with an error.
        """
        request = restore_item_action_v2_pb2.RestoreItemActionExecuteRequest(
            plugin=action.name,
            item=codec.encode_item(item),
            restore=self._restore,
            itemFromBackup=codec.encode_item(stored),
        )
        answer = self._call(action.name, self._restore_actions.Execute, request)
        return RestoreOutcome(
            _sharing(codec.decode_item(answer.item, "item"), item),
            _references(answer.additionalItems),
            answer.skipRestore,
            answer.operationID,
            answer.waitForAdditionalItems,
        )

    def _resolved(
        self, names: Iterable[str], method: Callable[..., Any], request: Callable[..., Any]
    ) -> tuple[Action, ...]:
        found = []
        for name in names:
            selector = self._call(name, method, request(plugin=name)).ResourceSelector
            labels = LabelSelector.parse(selector.selector)
            resources = frozenset(selector.includedResources)
            excluded = frozenset(selector.excludedResources)
            found.append(Action(name, resources, excluded, labels))
        return tuple(found)

    def _call(self, action: str, method: Callable[..., Answer], request: Any) -> Answer:
        try:
            return self._process.call(f"cannot call {action}", method, request)
        except grpc.RpcError as error:
            raise ActionFailed(action, error.details() or "no message") from error


def _sharing(answered: Item, given: Item) -> Item:
    """The item; parts that came back as they went are the given ones, so that one copy is kept."""
    return {
        key: given[key] if key in given and given[key] == value else value
        for key, value in answered.items()
    }


def _references(messages: Iterable[shared_pb2.ResourceIdentifier]) -> tuple[Reference, ...]:
    return tuple(map(codec.decode_reference, messages))
