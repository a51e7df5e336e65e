"""The real plugin process, over the real protocol, with an API server that fails."""

import socket
from pathlib import Path

import pytest
import yaml

from stillpoint.model.item import Item
from stillpoint.rehearsal.errors import ActionFailed
from stillpoint.rehearsal.plugin.calls import Action
from tests.plugin_process.client import PluginClient
from tests.plugin_process.process import PluginProcess
from tests.unit.cluster.faulty_api_server import FaultyApiServer, Reply, half_of, sends, status

MACHINE: Item = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {"template": {"spec": {}}},
}
NOTHING = sends({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []})
FAILURES = {
    # name: reply, how often it is tried, what the error says
    "401": (status(401, "who are you"), 1, "401"),
    "403": (status(403, "velero cannot list"), 1, "403"),
    "409": (status(409, "not now"), 1, "409"),
    "429": (status(429, "too many", Retry_After="0"), 3, "429"),
    "500": (status(500, "fell over", Retry_After="0"), 3, "500"),
    "half an answer": (half_of({"kind": "List", "items": [{}] * 50}), 3, "IncompleteRead"),
    "another kind of answer": (sends(["no", "list"]), 1, "list"),
}


def kubeconfig(folder: Path, url: str) -> dict[str, str]:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": "secret-of-the-test"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return {"KUBECONFIG": str(path)}


def backup_of_machine(client: PluginClient) -> Action:
    name = "stillpoint.dev/backup-virtual-machine"
    return next(action for action in client.backup_actions if action.name == name)


@pytest.mark.parametrize(("failure", "tries", "cause"), FAILURES.values(), ids=FAILURES)
def test_a_failing_api_server_is_one_clear_error_and_the_process_lives_on(
    tmp_path: Path, failure: Reply, tries: int, cause: str
) -> None:
    with (
        FaultyApiServer([failure] * tries + [NOTHING]) as server,
        PluginProcess(kubeconfig(tmp_path, server.url)) as process,
    ):
        client = PluginClient(process, {}, {})
        with pytest.raises(ActionFailed) as raised:
            client.back_up(backup_of_machine(client), MACHINE)
        error = str(raised.value)
        assert "VirtualMachine shop/db: " in error
        assert "persistentvolumeclaims in namespace shop: cannot list: " in error
        assert cause in error
        assert "secret-of-the-test" not in error + str(process.log)

        answer = client.back_up(backup_of_machine(client), MACHINE)
        assert answer.item == MACHINE, "the failure was not kept"


def test_an_api_server_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with socket.socket() as held:  # a port that nobody listens on, nor else is given
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with PluginProcess(kubeconfig(tmp_path, url)) as process:
            client = PluginClient(process, {}, {})
            with pytest.raises(ActionFailed, match=r"cannot list: .*refused"):
                client.back_up(backup_of_machine(client), MACHINE)


def test_no_cluster_at_all_is_one_clear_error_with_its_remedy(tmp_path: Path) -> None:
    with PluginProcess({"KUBECONFIG": str(tmp_path / "none")}) as process:
        client = PluginClient(process, {}, {})
        with pytest.raises(ActionFailed, match=r"cannot connect to a cluster: .*HINT: ") as raised:
            client.back_up(backup_of_machine(client), MACHINE)
        assert "VirtualMachine shop/db: " in str(raised.value)
