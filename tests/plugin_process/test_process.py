"""A plugin process that misbehaves: each time one clear error, soon, and nothing left behind."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

from stillpoint import catalogue
from stillpoint.calls.action import every
from stillpoint.model.item import Item
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.wire.generated.velero import restore_item_action_v2_pb2 as restore_pb2
from stillpoint.wire.generated.velero import restore_item_action_v2_pb2_grpc as restore_grpc
from tests.plugin_process.client import PluginClient
from tests.plugin_process.process import Deadlines, PluginFailed, PluginProcess

ENDS = Deadlines(end_s=30.0)
"""For one that ends, or says what it has to say, be the machine as busy as it may."""

STAYS = Deadlines(connect_s=1.0, end_s=1.0)
"""For one that says where it is, and then never what it is asked."""

SLEEP_S = 60
VM: Item = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"namespace": "shop", "name": "db"},
}
SERVER = """\
    import os, sys, time
    from stillpoint.cluster.cache import CachedIndexes
    from stillpoint.model.outcome import BackupOutcome, Selector
    from stillpoint.wire import handshake
    from stillpoint.calls.action import BackupEntry
    from stillpoint.wire.server import Server
    from stillpoint.wire.servicers import PluginLister

    class Action:
        APPLIES_TO = Selector(("virtualmachines.kubevirt.io",))
        def execute(self, item, context):
            {behaviour}

    class Catalogue:
        backup = staticmethod(lambda: [BackupEntry("test.dev/action", Action())])
        item_block = restore = staticmethod(list)

    output = handshake.take_standard_output()
    lister = PluginLister(Catalogue(), "/plugin", lambda: None)
    server = Server(Catalogue(), CachedIndexes(None), None, lister)
    handshake.announce(output, server.start())
    {end}
"""


def children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found.update(task.read_text().split())
    return found


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    threads, processes = threading.active_count(), children()
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SLEEP_S - 10
    assert children() <= processes  # one of another test may have been waited for only now
    assert threading.active_count() <= threads


def program(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "fake_plugin.py"
    path.write_text(dedent(text))
    return sys.executable, "-P", str(path)


def server(
    folder: Path,
    behaviour: str,
    end: str = "server.wait(os.getppid()); os._exit(0)",
    deadlines: Deadlines = ENDS,
) -> PluginProcess:
    text = SERVER.format(behaviour=behaviour, end=end)
    return PluginProcess({}, program(folder, text), deadlines)


def failure(process: PluginProcess) -> PluginFailed:
    with pytest.raises(PluginFailed) as caught, process:
        pass
    return caught.value


def test_one_that_is_not_there() -> None:
    error = failure(PluginProcess({}, ["/nowhere/plugin"]))
    assert "plugin process: cannot start it: " in str(error)
    assert "No such file or directory: '/nowhere/plugin'" in str(error)


def test_one_that_dies_at_once_with_its_last_words(tmp_path: Path) -> None:
    command = program(tmp_path, "import sys; sys.exit('out of luck')")
    error = failure(PluginProcess({}, command, ENDS))
    assert str(error) == (
        "plugin process: cannot start it: it ended before its handshake: exit status 1"
    )
    assert [line.message for line in error.log] == ["out of luck"]


def test_one_that_is_killed(tmp_path: Path) -> None:
    command = program(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert str(failure(PluginProcess({}, command, ENDS))).endswith("handshake: signal 9")


def test_one_that_never_says_where_it_is(tmp_path: Path) -> None:
    command = program(tmp_path, f"import time; time.sleep({SLEEP_S})")
    deadlines = Deadlines(start_s=1.0)
    assert "no handshake within 1 s" in str(failure(PluginProcess({}, command, deadlines)))


@pytest.mark.parametrize(
    "line", ["hello", "1|1|unix|@x|grpc", "1|2|tcp|127.0.0.1:1|grpc", "1|2|unix|/x|netrpc", "1|2"]
)
def test_one_whose_first_line_is_no_handshake(tmp_path: Path, line: str) -> None:
    says = f"import time; print({line!r}, flush=True); time.sleep({SLEEP_S})"
    error = failure(PluginProcess({}, program(tmp_path, says), ENDS))
    assert f"its first line is no handshake: {line!r}" in str(error)


def test_one_that_is_not_where_it_says(tmp_path: Path) -> None:
    says = "1|2|unix|@stillpoint-nobody|grpc"
    text = f"import time; print({says!r}, flush=True); time.sleep({SLEEP_S})"
    error = failure(PluginProcess({}, program(tmp_path, text), STAYS))
    assert "cannot connect to it: " in str(error)


def test_one_that_listens_and_says_nothing(tmp_path: Path) -> None:
    text = """\
        import os, socket, time
        name = f"stillpoint-test-{os.getpid()}"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\\0" + name)
        listener.listen()
        print(f"1|2|unix|@{name}|grpc", flush=True)
        time.sleep(60)
    """
    error = failure(PluginProcess({}, program(tmp_path, text), STAYS))
    assert "cannot connect to it: " in str(error)


def test_one_that_dies_in_a_call(tmp_path: Path) -> None:
    dies = "sys.stderr.write('broken pipe dream\\n'); os._exit(7)"
    with server(tmp_path, dies) as process:
        client = PluginClient(process, {}, {})
        with pytest.raises(PluginFailed) as caught:
            client.back_up(client.backup_actions[0], VM)
    message = str(caught.value)
    assert message.startswith("plugin process: cannot call test.dev/action: UNAVAILABLE")
    assert message.endswith("it has ended: exit status 7")
    assert [line.message for line in caught.value.log] == ["broken pipe dream"]


def test_one_that_hangs_in_a_call(tmp_path: Path) -> None:
    with server(tmp_path, f"time.sleep({SLEEP_S})") as process:
        client = PluginClient(process, {}, {})
        process.deadlines = Deadlines(call_s=1.0, end_s=1.0)
        with pytest.raises(
            PluginFailed, match=r"cannot call test\.dev/action: no answer within 1 s"
        ):
            client.back_up(client.backup_actions[0], VM)


def test_one_that_does_not_end_when_told(tmp_path: Path) -> None:
    end = f"time.sleep({SLEEP_S})"
    with server(tmp_path, "pass", end, Deadlines(end_s=1.0)) as process:
        assert PluginClient(process, {}, {}).backup_actions


def test_an_error_of_an_action_is_a_finding_and_no_failure(tmp_path: Path) -> None:
    with server(tmp_path, "raise ValueError('x')") as process:
        client = PluginClient(process, {}, {})
        with pytest.raises(ActionFailed, match=r"VirtualMachine shop/db: a fault .*ValueError: x"):
            client.back_up(client.backup_actions[0], VM)
        assert client.backup_actions[0].name == "test.dev/action"


def test_the_real_one_is_ready_soon_and_ends_when_told() -> None:
    with PluginProcess({"KUBECONFIG": os.devnull}) as process:
        client = PluginClient(process, {}, {})
        found = [*client.backup_actions, *client.block_actions, *client.restore_actions]
        assert [one.name for one in found] == [entry.name for entry in every(catalogue)]
    assert 0 < process.started_s < 60  # Velero waits no longer
    assert process.log == ()


@pytest.mark.parametrize("depth", [1, 260, 1_100, 9_900])
def test_an_object_of_others_is_answered_as_it_came(depth: int) -> None:
    deep = b'{"d":' * depth + b"1.50" + b"}" * depth
    data = b'{"kind":"Thing", "metadata":{"name":"x","namespace":"n"}, "spec":%s}' % deep
    request = restore_pb2.RestoreItemActionExecuteRequest(
        plugin="stillpoint.dev/restore-other",
        item=data,
        itemFromBackup=data,
        restore=b'{"metadata":{"name":"r","uid":"u"}}',
    )
    with PluginProcess({"KUBECONFIG": os.devnull}) as process:
        stub = restore_grpc.RestoreItemActionStub(process.channel)
        assert stub.Execute(request, timeout=60).item == data
