"""The plugin's reads of a real API server, where a stand-in for one would tell little."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.resources.machines import virtual_machine_instance
from tests.cluster.cluster import Cluster
from tests.cluster.velero import PLUGIN_USER


def test_a_watch_begins_at_once_where_nobody_writes_such_objects(cluster: Cluster) -> None:
    """The API server's cache of instances has not seen what was written to other objects."""
    namespace = "reader-watch"
    cluster.create_namespace(namespace)
    metadata = {"name": "idle", "namespace": namespace, "labels": {"is": "idle"}}
    instance = {"kind": "VirtualMachineInstance", "metadata": metadata, "spec": {}}
    cluster.api.create({"apiVersion": "kubevirt.io/v1", **instance})
    cluster.create_namespace(f"{namespace}-later")
    reader = KubernetesReader.connect(file=str(cluster.control_plane.kubeconfig(PLUGIN_USER)))
    resource = virtual_machine_instance.RESOURCE
    with closing(reader.changes(resource, namespace, "is=idle", 20.0)) as changes:
        assert next(changes).item["metadata"]["name"] == "idle"


@pytest.mark.parametrize(
    ("change", "cause", "remedy"),
    [
        ({"certificate-authority": None}, "TLS: certificate verify failed: ", "certificate-auth"),
        ({"tls-server-name": "other"}, "Hostname mismatch, certificate is not", "certificate-auth"),
        ({"token": "of-yesterday"}, "HTTP 401: Unauthorized", "renew the credentials"),
        ({"token": None}, 'HTTP 403: forbidden: User "system:anonymous"', "renew the credentials"),
    ],
)
def test_what_keeps_an_api_server_from_answering_is_said(
    change: dict[str, str | None],
    cause: str,
    remedy: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    cluster: Cluster = request.getfixturevalue("cluster")
    content = json.loads(cluster.control_plane.kubeconfig("admin").read_text())
    place, key = ("users", "user") if "token" in change else ("clusters", "cluster")
    [named] = content[place]
    changed = {**named[key], **change}
    named[key] = {key: value for key, value in changed.items() if value is not None}
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(content))
    capfd = request.getfixturevalue("capfd")
    assert cli.main(["check", "--kubeconfig", str(file)]) == ExitStatus.CANNOT_TELL
    what, hint = capfd.readouterr().err.splitlines()
    assert cause in what
    assert hint.startswith(f"HINT: {remedy}")
