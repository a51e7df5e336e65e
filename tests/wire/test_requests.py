"""Requests that Velero's own client never sends, or only to a process that is in trouble."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from stillpoint.wire.generated.goplugin import (
    broker_pb2,
    broker_pb2_grpc,
    controller_pb2,
    controller_pb2_grpc,
)
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
    plugin_lister_pb2_grpc,
    shared_pb2,
)
from stillpoint.wire.generated.velero import (
    restore_item_action_v2_pb2 as restore_pb2,
)
from stillpoint.wire.generated.velero import (
    restore_item_action_v2_pb2_grpc as restore_grpc,
)
from stillpoint.wire.server import ACTION_WORKERS
from tests.wire.running import SOON_S, Running

NO_OBJECTS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"3",
    b'"text"',
    b"\xff{}",
    b'{"a":"\\ud83d"}',
    b"[" * 9999,
]


def execute(plugin: Running, item: bytes, backup: bytes = b"{}", action: str = "echo") -> bytes:
    request = backup_pb2.ExecuteRequest(
        plugin=f"stillpoint.test/{action}", item=item, backup=backup
    )
    stub = backup_grpc.BackupItemActionStub(plugin.channel)
    answer: bytes = stub.Execute(request, timeout=SOON_S).item
    return answer


def restore(plugin: Running, item: bytes, stored: bytes, restored: bytes) -> bytes:
    request = restore_pb2.RestoreItemActionExecuteRequest(
        plugin="stillpoint.test/restore-echo", item=item, itemFromBackup=stored, restore=restored
    )
    stub = restore_grpc.RestoreItemActionStub(plugin.channel)
    answer: bytes = stub.Execute(request, timeout=SOON_S).item
    return answer


def is_one_clear_error(raised: pytest.ExceptionInfo[grpc.RpcError], fault: str) -> bool:
    """Whether it names what cannot be read, and the place where that was found out."""
    status = rpc_status.from_call(cast("grpc.Call", raised.value))
    assert status is not None
    stack = shared_pb2.Stack()
    assert status.details[0].Unpack(stack)
    assert stack.frames[0].line > 0
    assert raised.value.code() is grpc.StatusCode.UNKNOWN
    assert fault in status.message
    return "\n" not in status.message


@pytest.mark.parametrize("data", NO_OBJECTS, ids=lambda data: repr(data[:12]))
def test_an_item_that_is_no_object_is_one_clear_error(plugin: Running, data: bytes) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        execute(plugin, data)
    assert is_one_clear_error(raised, "item of Velero's call: cannot read it: ")
    assert execute(plugin, b"{}") == b"{}"


@pytest.mark.parametrize("data", NO_OBJECTS, ids=lambda data: repr(data[:12]))
def test_a_backup_that_is_no_object_is_one_clear_error(plugin: Running, data: bytes) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        execute(plugin, b"{}", backup=data)
    assert is_one_clear_error(raised, "backup of Velero's call: cannot read it: ")
    assert execute(plugin, b"{}") == b"{}"


def test_a_restore_that_is_no_object_is_one_clear_error(plugin: Running) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        restore(plugin, b"{}", b"{}", b"[]")
    assert is_one_clear_error(raised, "restore of Velero's call: cannot read it: ")
    with pytest.raises(grpc.RpcError) as raised:
        restore(plugin, b"{}", b"[]", b"{}")
    assert is_one_clear_error(raised, "item from the backup of Velero's call: cannot read it: ")
    assert restore(plugin, b"{}", b"{}", b"{}") == b"{}"


@pytest.mark.parametrize(
    "backup",
    [
        b'{"kind":"Backup","metadata":{"name":"nightly"},"spec":{"includedNamespaces":"shop"}}',
        b'{"kind":"Backup","metadata":{"name":"nightly"},"status":{"startTimestamp":"noon"}}',
    ],
)
def test_a_backup_with_a_field_of_the_wrong_type_is_one_clear_error(
    plugin: Running, backup: bytes
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        execute(plugin, b"{}", backup)
    assert is_one_clear_error(raised, "Backup nightly: cannot read the object: ")


@pytest.mark.parametrize(
    "item",
    [
        b"{}",
        b'{"metadata":{"name":"db"},"spec":{}}',
        b'{"kind":"VirtualMachine","spec":{}}',
        b'{"kind":"VirtualMachine","metadata":{"name":"db"}}',
        b'{"kind":null,"metadata":3,"spec":[]}',
        b'{"kind":["List"],"metadata":{"name":{"a":1},"namespace":7}}',
    ],
)
def test_an_item_without_its_usual_fields_is_echoed(plugin: Running, item: bytes) -> None:
    assert execute(plugin, item) == item


def test_an_item_deeper_than_velero_passes_is_answered(plugin: Running) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        execute(plugin, b'{"a":' * 12_000 + b"1" + b"}" * 12_000)
    assert is_one_clear_error(raised, "deeper than 10,000 levels")


def test_an_operation_of_somebody_else_is_refused_by_name(plugin: Running) -> None:
    request = backup_pb2.BackupItemActionProgressRequest(
        plugin="stillpoint.test/operation", operationID="another", backup=b"{}"
    )
    with pytest.raises(grpc.RpcError) as raised:
        backup_grpc.BackupItemActionStub(plugin.channel).Progress(request, timeout=SOON_S)
    assert is_one_clear_error(raised, "operation another: cannot tell its progress")


def test_all_that_is_no_action_answers_while_every_worker_is_busy(plugin: Running) -> None:
    calls = busy_workers(plugin)
    lister = plugin_lister_pb2_grpc.PluginListerStub(plugin.channel)
    assert lister.ListPlugins(shared_pb2.Empty(), timeout=SOON_S).plugins
    selector = block_pb2.ItemBlockActionAppliesToRequest(plugin="stillpoint.test/related")
    stub = block_grpc.ItemBlockActionStub(plugin.channel)
    assert stub.AppliesTo(selector, timeout=SOON_S).ResourceSelector.includedResources
    controller = controller_pb2_grpc.GRPCControllerStub(plugin.channel)
    controller.Shutdown(controller_pb2.Empty(), timeout=SOON_S)
    assert plugin.end() == 0
    assert all(call.exception(SOON_S) for call in calls)


def test_a_plugin_whose_workers_are_all_busy_is_healthy(plugin: Running) -> None:
    calls = busy_workers(plugin)
    assert health(plugin) == health_pb2.HealthCheckResponse.SERVING
    assert not any(call.done() for call in calls)


def busy_workers(plugin: Running) -> list["grpc.Future[backup_pb2.ExecuteResponse]"]:
    """Calls that hang: as many as there are workers, and some that wait for one."""
    stub = backup_grpc.BackupItemActionStub(plugin.channel)
    request = backup_pb2.ExecuteRequest(plugin="stillpoint.test/block", item=b"{}", backup=b"{}")
    calls = [stub.Execute.future(request) for _ in range(ACTION_WORKERS + 8)]
    plugin.await_line(b"blocks now", times=ACTION_WORKERS)
    return calls


def health(plugin: Running) -> int:
    """What go-plugin's Ping asks."""
    request = health_pb2.HealthCheckRequest(service="plugin")
    stub: Any = health_pb2_grpc.HealthStub(plugin.channel)  # its types name no methods
    return int(stub.Check(request, timeout=SOON_S).status)


def test_streams_that_stay_open_hold_no_worker(plugin: Running) -> None:
    broker = broker_pb2_grpc.GRPCBrokerStub(plugin.channel)
    released = threading.Event()

    def never_ending() -> Iterator[broker_pb2.ConnInfo]:
        released.wait()
        yield from ()

    streams = [broker.StartStream(never_ending()) for _ in range(20)]
    try:
        assert health(plugin) == health_pb2.HealthCheckResponse.SERVING
        assert [list(stream) for stream in streams] == [[]] * len(streams)
    finally:
        released.set()
