"""The actions of a plugin's process as Velero calls them, over the wire."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc

from stillpoint.calls.action import Kind
from stillpoint.calls.payload import decode_item, encode_item
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, RestoreOutcome
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.rehearsal.plugin.calls import Action, BackupCalls, RestoreCalls
from stillpoint.velero.selection.label_selector import LabelSelector
from stillpoint.wire import codec
from stillpoint.wire.generated.velero import (
    backup_item_action_v2_pb2,
    backup_item_action_v2_pb2_grpc,
    item_block_action_v1_pb2,
    item_block_action_v1_pb2_grpc,
    plugin_lister_pb2_grpc,
    restore_item_action_v2_pb2,
    restore_item_action_v2_pb2_grpc,
    shared_pb2,
)
from tests.plugin_process.process import PluginProcess


class PluginClient(BackupCalls, RestoreCalls):
    """The calls of a rehearsal, which go to a process.

    Args:
        backup: the Backup object that all backup calls are about.
        restore: the Restore object that all restore calls are about.

    Raises:
        PluginFailed: the process did not answer; so does every call.
    """

    def __init__(self, process: PluginProcess, backup: Item, restore: Item) -> None:
        self._process = process
        self._backup = encode_item(backup)
        self._restore = encode_item(restore)
        channel = process.channel
        self._backup_stub = backup_item_action_v2_pb2_grpc.BackupItemActionStub(channel)
        self._restore_stub = restore_item_action_v2_pb2_grpc.RestoreItemActionStub(channel)
        self._block_stub = item_block_action_v1_pb2_grpc.ItemBlockActionStub(channel)
        lister = plugin_lister_pb2_grpc.PluginListerStub(channel)
        attempt = "cannot list its actions"
        listed = process.call(attempt, lister.ListPlugins, shared_pb2.Empty()).plugins
        names = {kind: [one.name for one in listed if one.kind == kind] for kind in Kind}
        self.backup_actions = self._resolved(
            names[Kind.BACKUP],
            self._backup_stub.AppliesTo,
            backup_item_action_v2_pb2.BackupItemActionAppliesToRequest,
        )
        self.restore_actions = self._resolved(
            names[Kind.RESTORE],
            self._restore_stub.AppliesTo,
            restore_item_action_v2_pb2.RestoreItemActionAppliesToRequest,
        )
        self.block_actions = self._resolved(
            names[Kind.ITEM_BLOCK],
            self._block_stub.AppliesTo,
            item_block_action_v1_pb2.ItemBlockActionAppliesToRequest,
        )

    def related_items(self, action: Action, item: Item) -> Sequence[Reference]:
        request = item_block_action_v1_pb2.ItemBlockActionGetRelatedItemsRequest(
            plugin=action.name, item=encode_item(item), backup=self._backup
        )
        answer = self._answer(action.name, self._block_stub.GetRelatedItems, request)
        return _references(answer.relatedItems)

    def back_up(self, action: Action, item: Item) -> BackupOutcome:
        request = backup_item_action_v2_pb2.ExecuteRequest(
            plugin=action.name, item=encode_item(item), backup=self._backup
        )
        answer = self._answer(action.name, self._backup_stub.Execute, request)
        return BackupOutcome(
            decode_item(answer.item, "item"),
            _references(answer.additionalItems),
            answer.operationID,
            _references(answer.postOperationItems),
        )

    def restore(self, action: Action, item: Item, stored: Item) -> RestoreOutcome:
        request = restore_item_action_v2_pb2.RestoreItemActionExecuteRequest(
            plugin=action.name,
            item=encode_item(item),
            restore=self._restore,
            itemFromBackup=encode_item(stored),
        )
        answer = self._answer(action.name, self._restore_stub.Execute, request)
        return RestoreOutcome(
            decode_item(answer.item, "item"),
            _references(answer.additionalItems),
            answer.skipRestore,
            answer.operationID,
            answer.waitForAdditionalItems,
        )

    def _resolved(
        self, names: Iterable[str], method: Callable[..., Any], request: Callable[..., Any]
    ) -> tuple[Action, ...]:
        return tuple(
            _action(name, self._answer(name, method, request(plugin=name)).ResourceSelector)
            for name in names
        )

    def _answer(self, action: str, method: Callable[..., Any], request: Any) -> Any:
        try:
            return self._process.call(f"cannot call {action}", method, request)
        except grpc.RpcError as error:
            raise ActionFailed(action, error.details() or "no message") from error


def _action(name: str, selector: shared_pb2.ResourceSelector) -> Action:
    labels = LabelSelector.parse(selector.selector)
    resources = frozenset(selector.includedResources)
    return Action(name, resources, frozenset(selector.excludedResources), labels)


def _references(messages: Iterable[shared_pb2.ResourceIdentifier]) -> tuple[Reference, ...]:
    return tuple(map(codec.decode_reference, messages))
