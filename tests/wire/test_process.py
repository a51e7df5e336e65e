"""The life of a plugin process, from its first line to its end."""

import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest

from stillpoint.wire import handshake
from stillpoint.wire.generated.velero import backup_item_action_v2_pb2 as backup_pb2
from stillpoint.wire.generated.velero import backup_item_action_v2_pb2_grpc as backup_grpc
from tests.wire.executables import processes_of, real_plugin
from tests.wire.running import SOON_S, Running, environment, running

Hanging: TypeAlias = "grpc.Future[backup_pb2.ExecuteResponse]"


def execute(plugin: Running, action: str) -> bytes:
    """The item that the action answers for an empty one."""
    request = backup_pb2.ExecuteRequest(
        plugin=f"stillpoint.test/{action}", item=b"{}", backup=b"{}"
    )
    stub = backup_grpc.BackupItemActionStub(plugin.channel)
    answer: bytes = stub.Execute(request, timeout=SOON_S).item
    return answer


def block_a_worker(plugin: Running) -> Hanging:
    """A call that hangs; it is cancelled when nobody holds it any more."""
    request = backup_pb2.ExecuteRequest(plugin="stillpoint.test/block", item=b"{}", backup=b"{}")
    call: Hanging = backup_grpc.BackupItemActionStub(plugin.channel).Execute.future(request)
    plugin.await_line(b"blocks now")
    return call


def test_standard_output_carries_the_handshake_and_nothing_else(plugin: Running) -> None:
    assert re.fullmatch(r"1\|2\|unix\|/\S+/stillpoint-plugin-\w+/socket\|grpc\n", plugin.announced)
    execute(plugin, "print")
    plugin.process.terminate()
    plugin.end()
    assert plugin.output.read() == b""
    assert b"printed to standard output\n" in plugin.errors.read()


@pytest.mark.parametrize("action", ["endless-message", "broken-message", "recursion", "no-json"])
def test_an_error_is_no_longer_than_grpc_s_own_client_takes(plugin: Running, action: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        execute(plugin, action)
    assert caught.value.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED)
    assert 20 < len(caught.value.details() or "") <= 2_048


def test_a_person_who_starts_the_plugin_is_told_what_it_is(tmp_path: Path) -> None:
    started = subprocess.run(
        [real_plugin(tmp_path / "plugins")], capture_output=True, text=True, check=False
    )
    assert started.returncode == 1
    assert started.stdout == ""
    assert started.stderr == handshake.NOT_STARTED_BY_VELERO


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_obeyed(plugin: Running, number: signal.Signals) -> None:
    plugin.process.send_signal(number)
    assert plugin.end() == 0


def test_a_call_that_hangs_does_not_keep_the_process(plugin: Running) -> None:
    call = block_a_worker(plugin)
    plugin.process.terminate()
    assert plugin.end() == 0
    assert call.exception(SOON_S)


def test_a_signal_inside_the_handler_of_another_does_not_deadlock(plugin: Running) -> None:
    call = block_a_worker(plugin)  # it gives the plugin half a second to be signalled in
    end = time.monotonic() + SOON_S
    while plugin.process.poll() is None and time.monotonic() < end:
        plugin.process.terminate()
    assert plugin.end() == 0
    assert call.exception(SOON_S)


def test_an_interrupt_of_the_terminal_is_for_velero_to_handle(plugin: Running) -> None:
    plugin.process.send_signal(signal.SIGINT)
    assert execute(plugin, "echo") == b"{}"


@pytest.mark.parametrize("hanging", [False, True], ids=["idle", "with a hanging call"])
def test_the_plugin_ends_when_its_parent_was_killed(plugin_file: Path, *, hanging: bool) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, plugin_file, "block" if hanging else "echo"],
        cwd=Path(__file__).parents[2],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
    assert no_process_is_left(plugin_file)


_PARENT = """
import subprocess, sys, time, grpc
from tests.wire.test_process import backup_grpc, backup_pb2
child = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
address = child.stdout.readline().decode().split("|")[3]
channel = grpc.insecure_channel("unix:" + address)
request = backup_pb2.ExecuteRequest(
    plugin="stillpoint.test/" + sys.argv[2], item=b"{}", backup=b"{}"
)
call = backup_grpc.BackupItemActionStub(channel).Execute.future(request)
if sys.argv[2] == "block":
    child.stderr.readline()
else:
    call.result()
print("ready", flush=True)
time.sleep(60)
"""


def test_the_plugin_ends_when_its_parent_is_gone_before_it_serves(plugin_file: Path) -> None:
    start_and_leave = (
        "import subprocess as s, sys; s.Popen([sys.argv[1]], stdout=s.PIPE, stderr=s.PIPE)"
    )
    subprocess.run(
        [sys.executable, "-c", start_and_leave, plugin_file], env=environment(), check=True
    )
    assert no_process_is_left(plugin_file)


def no_process_is_left(plugin: Path) -> bool:
    end = time.monotonic() + SOON_S
    while processes := processes_of(plugin):
        if time.monotonic() > end:
            for process in processes:
                os.kill(process, signal.SIGKILL)
            return False
        time.sleep(0.1)
    return True


def test_a_folder_for_its_socket_is_found_without_one_for_temporary_files(
    plugin_file: Path,
) -> None:
    with running(plugin_file, TMPDIR="/nonexistent") as plugin:
        assert execute(plugin, "echo") == b"{}"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's in it, as that of pytest's does not."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("is_told", [True, False], ids=["told to end", "killed"])
def test_its_folder_goes_with_it_or_with_the_next_one(
    plugin_file: Path, place: Path, *, is_told: bool
) -> None:
    with running(plugin_file, TMPDIR=str(place)) as plugin:
        [folder] = place.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert execute(plugin, "echo") == b"{}"
        plugin.process.send_signal(signal.SIGTERM if is_told else signal.SIGKILL)
        plugin.end()
        assert is_told is not folder.exists()
    with running(plugin_file, TMPDIR=str(place)) as plugin:
        assert execute(plugin, "echo") == b"{}"
        plugin.process.terminate()
        assert plugin.end() == 0
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become somebody else")
def test_another_user_cannot_connect(plugin_file: Path) -> None:
    with running(plugin_file, TMPDIR="/dev/shm") as plugin:  # noqa: S108 - all may enter it
        address = plugin.announced.split("|")[3]
        connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        command = ["/usr/bin/python3", "-c", connect, address]
        stranger = subprocess.run(
            command, user=65534, group=65534, extra_groups=(), stderr=subprocess.PIPE, check=False
        )
        assert b"PermissionError" in stranger.stderr
        assert execute(plugin, "echo") == b"{}"
        root = subprocess.run(command, check=False)
        assert root.returncode == 0


def test_the_level_of_velero_s_flag_is_honoured(plugin_file: Path) -> None:
    flags = ("--features=EnableCSI", "--log-level", "warning", "--uploader-type", "kopia")
    with running(plugin_file, *flags) as plugin:
        execute(plugin, "log")
        plugin.process.terminate()
        plugin.end()
        printed = plugin.errors.read()
    assert b"said at warning" in printed
    assert b"said at critical" in printed
    assert b"said at info" not in printed
