"""Velero's services over the actions of a catalogue.

An error of an action ends its call and nothing else: every method returns a response, whatever is
raised, because Velero's calls carry no deadline and Velero would wait for ever.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty

from stillpoint.calls.action import (
    BackupEntry,
    Catalogue,
    ItemBlockEntry,
    RestoreEntry,
    Waiting,
    every,
)
from stillpoint.calls.payload import decode_item, encode_changed
from stillpoint.calls.registered import Registered
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedRequest
from stillpoint.wire import codec
from stillpoint.wire.generated.velero import (
    backup_item_action_v2_pb2 as backup_pb2,
)
from stillpoint.wire.generated.velero import (
    backup_item_action_v2_pb2_grpc as backup_grpc,
)
from stillpoint.wire.generated.velero import (
    item_block_action_v1_pb2 as block_pb2,
)
from stillpoint.wire.generated.velero import (
    item_block_action_v1_pb2_grpc as block_grpc,
)
from stillpoint.wire.generated.velero import (
    plugin_lister_pb2,
    plugin_lister_pb2_grpc,
    shared_pb2,
)
from stillpoint.wire.generated.velero import (
    restore_item_action_v2_pb2 as restore_pb2,
)
from stillpoint.wire.generated.velero import (
    restore_item_action_v2_pb2_grpc as restore_grpc,
)

if TYPE_CHECKING:
    from stillpoint.calls.contexts import Archives, Clusters
    from stillpoint.velero.context import RestoreContext

_log = logging.getLogger("stillpoint")

CONTROL_POOL = ThreadPoolExecutor(max_workers=4, thread_name_prefix="control")
"""Serves what must answer while every action is busy: Shutdown, health, AppliesTo.

Velero calls them without a deadline, and go-plugin's timer for SIGKILL starts only when Shutdown
has returned (hashicorp/go-plugin v1.7.0, grpc_client.go:107).
"""

Method = TypeVar("Method", bound=Callable[..., Any])


def on_control_pool(method: Method) -> Method:
    """Serves a method from `CONTROL_POOL` (grpc's own hook, used by its health servicer too)."""
    method.experimental_thread_pool = CONTROL_POOL  # type: ignore[attr-defined]
    return method


def status_on_error(method: Method) -> Method:
    """Ends a call with a status for whatever was raised, SystemExit included."""

    @functools.wraps(method)
    def guard(servicer: Any, request: Any, call: grpc.ServicerContext) -> Any:
        try:
            return method(servicer, request, call)
        except BaseException as error:  # noqa: BLE001 - the edge of the process
            subject = _subject(request)
            _log.debug("%s: %s", request.plugin, subject, exc_info=True)
            from stillpoint.wire.status import status_of  # noqa: PLC0415 - for errors alone

            status = status_of(error, request.plugin, subject)
        return call.abort_with_status(status)

    return guard  # type: ignore[return-value]


class PluginLister(plugin_lister_pb2_grpc.PluginListerServicer):
    """Lists the actions for Velero.

    Args:
        command: the file that Velero runs for these actions later; the real launch path.
        on_listed: called each time Velero asks, which is when its server starts.
    """

    def __init__(self, catalogue: Catalogue, command: str, on_listed: Callable[[], None]) -> None:
        self._catalogue = catalogue
        self._command = command
        self._on_listed = on_listed

    @on_control_pool
    def ListPlugins(
        self, request: shared_pb2.Empty, call: grpc.ServicerContext
    ) -> plugin_lister_pb2.ListPluginsResponse:
        self._on_listed()
        identifiers = [
            plugin_lister_pb2.PluginIdentifier(
                command=self._command, kind=entry.kind, name=entry.name
            )
            for entry in every(self._catalogue)
        ]
        return plugin_lister_pb2.ListPluginsResponse(plugins=identifiers)


class BackupActions(backup_grpc.BackupItemActionServicer):
    """Backup actions, version 2 of the service."""

    def __init__(self, load: Callable[[], Sequence[BackupEntry]], clusters: "Clusters") -> None:
        self._actions = Registered(load, clusters, _log)

    @on_control_pool
    @status_on_error
    def AppliesTo(
        self, request: backup_pb2.BackupItemActionAppliesToRequest, call: grpc.ServicerContext
    ) -> backup_pb2.BackupItemActionAppliesToResponse:
        selector = self._actions[request.plugin].action.APPLIES_TO
        return backup_pb2.BackupItemActionAppliesToResponse(
            ResourceSelector=codec.encode_selector(selector)
        )

    @status_on_error
    def Execute(
        self, request: backup_pb2.ExecuteRequest, call: grpc.ServicerContext
    ) -> backup_pb2.ExecuteResponse:
        action = self._actions[request.plugin].action
        item = decode_item(request.item, "item")
        context = self._actions.backup_context(request.plugin, request.backup, it.describe(item))
        outcome = action.execute(item, context)
        return backup_pb2.ExecuteResponse(
            item=encode_changed(outcome.item, item, request.item),
            additionalItems=map(codec.encode_reference, outcome.additional),
            operationID=outcome.operation,
            postOperationItems=map(codec.encode_reference, outcome.after_operation),
        )

    @status_on_error
    def Progress(
        self, request: backup_pb2.BackupItemActionProgressRequest, call: grpc.ServicerContext
    ) -> backup_pb2.BackupItemActionProgressResponse:
        action = self._actions.with_operations(request.plugin)
        context = self._actions.backup_context(request.plugin, request.backup, _subject(request))
        progress = action.progress(request.operationID, context)
        return backup_pb2.BackupItemActionProgressResponse(progress=codec.encode_progress(progress))

    @status_on_error
    def Cancel(
        self, request: backup_pb2.BackupItemActionCancelRequest, call: grpc.ServicerContext
    ) -> Empty:
        action = self._actions.with_operations(request.plugin)
        context = self._actions.backup_context(request.plugin, request.backup, _subject(request))
        action.cancel(request.operationID, context)
        return Empty()


class RestoreActions(restore_grpc.RestoreItemActionServicer):
    """Restore actions, version 2 of the service."""

    def __init__(
        self,
        load: Callable[[], Sequence[RestoreEntry]],
        clusters: "Clusters",
        archives: "Callable[[], Archives]",
    ) -> None:
        self._actions = Registered(load, clusters, _log)
        self._archives = archives

    @on_control_pool
    @status_on_error
    def AppliesTo(
        self, request: restore_pb2.RestoreItemActionAppliesToRequest, call: grpc.ServicerContext
    ) -> restore_pb2.RestoreItemActionAppliesToResponse:
        selector = self._actions[request.plugin].action.APPLIES_TO
        return restore_pb2.RestoreItemActionAppliesToResponse(
            ResourceSelector=codec.encode_selector(selector)
        )

    @status_on_error
    def Execute(
        self, request: restore_pb2.RestoreItemActionExecuteRequest, call: grpc.ServicerContext
    ) -> restore_pb2.RestoreItemActionExecuteResponse:
        action = self._actions[request.plugin].action
        item = decode_item(request.item, "item")
        stored = decode_item(request.itemFromBackup, "item from the backup")
        context = self._actions.restore_context(
            request.plugin, request.restore, it.describe(item), stored, self._archives()
        )
        outcome = action.execute(item, context)
        return restore_pb2.RestoreItemActionExecuteResponse(
            item=encode_changed(outcome.item, item, request.item),
            additionalItems=map(codec.encode_reference, outcome.additional),
            skipRestore=outcome.skip,
            operationID=outcome.operation,
            waitForAdditionalItems=outcome.wait_for_additional,
        )

    @status_on_error
    def Progress(
        self, request: restore_pb2.RestoreItemActionProgressRequest, call: grpc.ServicerContext
    ) -> restore_pb2.RestoreItemActionProgressResponse:
        action = self._actions.with_operations(request.plugin)
        progress = action.progress(request.operationID, self._context(request))
        return restore_pb2.RestoreItemActionProgressResponse(
            progress=codec.encode_progress(progress)
        )

    @status_on_error
    def Cancel(
        self, request: restore_pb2.RestoreItemActionCancelRequest, call: grpc.ServicerContext
    ) -> Empty:
        action = self._actions.with_operations(request.plugin)
        action.cancel(request.operationID, self._context(request))
        return Empty()

    @status_on_error
    def AreAdditionalItemsReady(
        self, request: restore_pb2.RestoreItemActionItemsReadyRequest, call: grpc.ServicerContext
    ) -> restore_pb2.RestoreItemActionItemsReadyResponse:
        action = self._actions[request.plugin].action
        if not isinstance(action, Waiting):
            return restore_pb2.RestoreItemActionItemsReadyResponse(ready=True)
        references = [codec.decode_reference(item) for item in request.additionalItems]
        ready = action.are_additional_items_ready(references, self._context(request))
        return restore_pb2.RestoreItemActionItemsReadyResponse(ready=ready)

    def _context(self, request: Any) -> "RestoreContext":
        return self._actions.restore_context(
            request.plugin, request.restore, _subject(request), {}, self._archives()
        )


class ItemBlockActions(block_grpc.ItemBlockActionServicer):
    """Item-block actions."""

    def __init__(self, load: Callable[[], Sequence[ItemBlockEntry]], clusters: "Clusters") -> None:
        self._actions = Registered(load, clusters, _log)
        self._clusters = clusters

    @on_control_pool
    @status_on_error
    def AppliesTo(
        self, request: block_pb2.ItemBlockActionAppliesToRequest, call: grpc.ServicerContext
    ) -> block_pb2.ItemBlockActionAppliesToResponse:
        selector = self._actions[request.plugin].action.APPLIES_TO
        self._clusters.expect_requests()
        return block_pb2.ItemBlockActionAppliesToResponse(
            ResourceSelector=codec.encode_selector(selector)
        )

    @status_on_error
    def GetRelatedItems(
        self, request: block_pb2.ItemBlockActionGetRelatedItemsRequest, call: grpc.ServicerContext
    ) -> block_pb2.ItemBlockActionGetRelatedItemsResponse:
        action = self._actions[request.plugin].action
        item = decode_item(request.item, "item")
        context = self._actions.backup_context(request.plugin, request.backup, it.describe(item))
        related = action.related_items(item, context)
        return block_pb2.ItemBlockActionGetRelatedItemsResponse(
            relatedItems=map(codec.encode_reference, related)
        )


def _subject(request: Any) -> str:
    """Names the object or operation of a call, for its error."""
    if operation := getattr(request, "operationID", ""):
        return f"operation {operation}"
    try:
        return it.describe(decode_item(getattr(request, "item", b""), "item"))
    except MalformedRequest:
        return "call of Velero"
