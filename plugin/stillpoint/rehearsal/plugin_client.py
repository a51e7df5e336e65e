"""The plugin's actions as Velero calls them: typed, over the wire, each call with a deadline."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import grpc

from stillpoint.calls import payload
from stillpoint.calls.action import Kind
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, RestoreOutcome
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.rehearsal.process import PluginProcess
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


class Call(Generic[Answer]):
    """A call of an action, made by `answer` unless `begin` has made it before.

    Args:
        action: name of the action.
        method: of a stub.
        decode: makes the answer of Velero's message.
    """

    def __init__(
        self,
        process: PluginProcess,
        action: str,
        method: Any,
        request: Any,
        decode: Callable[[Any], Answer],
    ) -> None:
        self._process = process
        self._action = action
        self._decode = decode
        timeout_s = process.deadlines.call_s
        self._ask: Callable[[], Any] = partial(method, request, timeout=timeout_s)
        self._send: Callable[[], grpc.Future[Any]] = partial(
            method.future, request, timeout=timeout_s
        )

    def begin(self, ended: Callable[[], None]) -> None:
        """Make the call, and do not wait.

        Args:
            ended: called in a thread of gRPC's when there is an answer, or none will come.
        """
        begun = self._send()
        self._ask = begun.result
        del self._send  # with the request: there can be thousands of answers that wait
        begun.add_done_callback(lambda _: ended())

    def answer(self) -> Answer:
        """Wait for the answer.

        Raises:
            ActionFailed: it is an error.
            PluginFailed: the process did not answer.
        """
        try:
            message = self._process.answer(f"cannot call {self._action}", self._ask)
        except grpc.RpcError as error:
            raise ActionFailed(self._action, error.details() or "no message") from error
        return self._decode(message)


class PluginClient:
    """The actions of a running plugin, to be called.

    Args:
        backup: the Backup object that all backup calls are about.
        restore: the Restore object that all restore calls are about.

    Raises:
        PluginFailed: the process did not answer.
    """

    def __init__(self, process: PluginProcess, backup: Item, restore: Item) -> None:
        self._process = process
        self._backup = payload.encode_item(backup)
        self._restore = payload.encode_item(restore)
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

    def related_items(self, action: Action, item: Item) -> Call[Sequence[Reference]]:
        """Asks an item-block action."""
        request = item_block_action_v1_pb2.ItemBlockActionGetRelatedItemsRequest(
            plugin=action.name, item=payload.encode_item(item), backup=self._backup
        )
        method = self._block_actions.GetRelatedItems
        return Call(self._process, action.name, method, request, _related)

    def back_up(self, action: Action, item: Item) -> Call[BackupOutcome]:
        """Asks a backup action."""
        request = backup_item_action_v2_pb2.ExecuteRequest(
            plugin=action.name, item=payload.encode_item(item), backup=self._backup
        )
        method = self._backup_actions.Execute
        return Call(self._process, action.name, method, request, partial(_backup_outcome, item))

    def restore(self, action: Action, item: Item, stored: Item) -> Call[RestoreOutcome]:
        """Asks a restore action."""
        request = restore_item_action_v2_pb2.RestoreItemActionExecuteRequest(
            plugin=action.name,
            item=payload.encode_item(item),
            restore=self._restore,
            itemFromBackup=payload.encode_item(stored),
        )
        method = self._restore_actions.Execute
        return Call(self._process, action.name, method, request, partial(_restore_outcome, item))

    def _resolved(
        self, names: Iterable[str], method: Callable[..., Any], request: Callable[..., Any]
    ) -> tuple[Action, ...]:
        return tuple(
            Call(self._process, name, method, request(plugin=name), partial(_action, name)).answer()
            for name in names
        )


def _action(name: str, message: Any) -> Action:
    selector = message.ResourceSelector
    labels = LabelSelector.parse(selector.selector)
    resources = frozenset(selector.includedResources)
    return Action(name, resources, frozenset(selector.excludedResources), labels)


def _related(
    message: item_block_action_v1_pb2.ItemBlockActionGetRelatedItemsResponse,
) -> tuple[Reference, ...]:
    return _references(message.relatedItems)


def _backup_outcome(
    given: Item, message: backup_item_action_v2_pb2.ExecuteResponse
) -> BackupOutcome:
    return BackupOutcome(
        _sharing(payload.decode_item(message.item, "item"), given),
        _references(message.additionalItems),
        message.operationID,
        _references(message.postOperationItems),
    )


def _restore_outcome(
    given: Item, message: restore_item_action_v2_pb2.RestoreItemActionExecuteResponse
) -> RestoreOutcome:
    return RestoreOutcome(
        _sharing(payload.decode_item(message.item, "item"), given),
        _references(message.additionalItems),
        message.skipRestore,
        message.operationID,
        message.waitForAdditionalItems,
    )


def _sharing(answered: Item, given: Item) -> Item:
    """The item; parts that came back as they went are the given ones, so that one copy is kept."""
    return {
        key: given[key] if key in given and given[key] == value else value
        for key, value in answered.items()
    }


def _references(messages: Iterable[shared_pb2.ResourceIdentifier]) -> tuple[Reference, ...]:
    return tuple(map(codec.decode_reference, messages))
