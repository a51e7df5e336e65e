"""The plugin's process: a gRPC server that ends when its parent says so, or is gone."""

import logging
import os
import select
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from stillpoint.calls.action import Catalogue
from stillpoint.wire import socket_folder
from stillpoint.wire.generated.goplugin import (
    broker_pb2,
    broker_pb2_grpc,
    controller_pb2,
    controller_pb2_grpc,
    stdio_pb2,
    stdio_pb2_grpc,
)
from stillpoint.wire.generated.velero import (
    backup_item_action_v2_pb2_grpc,
    item_block_action_v1_pb2_grpc,
    plugin_lister_pb2_grpc,
    restore_item_action_v2_pb2_grpc,
)
from stillpoint.wire.servicers import (
    CONTROL_POOL,
    BackupActions,
    ItemBlockActions,
    PluginLister,
    RestoreActions,
    on_control_pool,
)

if TYPE_CHECKING:
    from stillpoint.calls.contexts import Archives, Clusters

_log = logging.getLogger("stillpoint")

ACTION_WORKERS = 32
"""Calls of actions that run at once; Velero sends as many as it has item-block workers."""

_GRACE_S = 0.5  # go-plugin kills 2 s after Shutdown has returned
_PARENT_CHECK_S = 5.0
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Server:
    """Serves a catalogue to one Velero process.

    Args:
        catalogue: the actions; a kind is loaded at its first call.
        clusters: gives each backup and restore its view of the cluster.
        archives: give each restore its view of the backup; loaded at the first restore.
        lister: tells Velero of the actions.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        clusters: "Clusters",
        archives: "Callable[[], Archives]",
        lister: PluginLister,
    ) -> None:
        # A signal handler may run while any lock is held, so it writes to a pipe and does no more.
        self._wake, self._woken_by = os.pipe()
        actions = ThreadPoolExecutor(ACTION_WORKERS, thread_name_prefix="action")
        self._server = grpc.server(actions, options=_UNLIMITED)
        self._register(catalogue, clusters, archives)
        plugin_lister_pb2_grpc.add_PluginListerServicer_to_server(lister, self._server)

    def start(self) -> str:
        """Listens on a socket.

        Returns:
            The address for the handshake: the path of a socket.

        Raises:
            NoPlace: there is no folder for the socket.
        """
        self._folder = socket_folder.listen(
            lambda path: self._server.add_insecure_port(f"unix:{path}")
        )
        self._server.start()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is Velero's to handle
        return self._folder.address

    def wait(self, parent: int) -> None:
        """Serves until Shutdown, SIGTERM or the parent's end. Workers may still hang in a call.

        Args:
            parent: id of the process that started this one, read when it began.
        """
        self._folder.remove_leftovers()  # here, where Velero no longer waits for it
        while not select.select([self._wake], [], [], _PARENT_CHECK_S)[0]:
            if os.getppid() != parent:
                _log.warning("the process that started this plugin is gone")
                break
        self._server.stop(_GRACE_S).wait(_GRACE_S)
        self._folder.close()

    def _end(self) -> None:
        os.write(self._woken_by, b"\n")

    def _register(
        self, catalogue: Catalogue, clusters: "Clusters", archives: "Callable[[], Archives]"
    ) -> None:
        server = self._server
        backup_item_action_v2_pb2_grpc.add_BackupItemActionServicer_to_server(
            BackupActions(catalogue.backup, clusters), server
        )
        restore_item_action_v2_pb2_grpc.add_RestoreItemActionServicer_to_server(
            RestoreActions(catalogue.restore, clusters, archives), server
        )
        item_block_action_v1_pb2_grpc.add_ItemBlockActionServicer_to_server(
            ItemBlockActions(catalogue.item_block, clusters), server
        )
        controller_pb2_grpc.add_GRPCControllerServicer_to_server(_Controller(self._end), server)
        stdio_pb2_grpc.add_GRPCStdioServicer_to_server(_Stdio(), server)
        broker_pb2_grpc.add_GRPCBrokerServicer_to_server(_Broker(), server)
        health_pb2_grpc.add_HealthServicer_to_server(_health(), server)


def _health() -> health.HealthServicer:
    servicer = _Health(experimental_thread_pool=CONTROL_POOL)
    servicer.set("plugin", health_pb2.HealthCheckResponse.SERVING)  # the name that go-plugin asks
    return servicer


class _Health(health.HealthServicer):
    """The library's own, whose pool is for Watch alone; go-plugin asks Check."""

    @on_control_pool
    def Check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        return super().Check(request, context)


class _Controller(controller_pb2_grpc.GRPCControllerServicer):
    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    @on_control_pool
    def Shutdown(
        self, request: controller_pb2.Empty, call: grpc.ServicerContext
    ) -> controller_pb2.Empty:
        self._end()
        return controller_pb2.Empty()


class _Stdio(stdio_pb2_grpc.GRPCStdioServicer):
    """Ends the stream at once: nothing is printed but logs, which go to standard error.

    A stream that stays open holds a worker for ever; go-plugin takes the end for an answer
    (v1.7.0, grpc_stdio.go:120).
    """

    @on_control_pool
    def StreamStdio(
        self, request: Empty, call: grpc.ServicerContext
    ) -> Iterator[stdio_pb2.StdioData]:
        return iter(())


class _Broker(broker_pb2_grpc.GRPCBrokerServicer):
    """Ends the stream at once, for the same reason: no plugin of Velero's brokers connections."""

    @on_control_pool
    def StartStream(
        self, request_iterator: Iterator[broker_pb2.ConnInfo], call: grpc.ServicerContext
    ) -> Iterator[Any]:
        return iter(())
