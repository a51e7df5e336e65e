"""The cluster itself does what tests rely on, with no plugin of ours in it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, stream

from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.node import CONSOLE_LOG
from tests.cluster.storage import wait_until_bound
from tests.cluster.velero import Settings

MARK = b"bytes as of the cut"


@pytest.fixture
def lab(cluster_without_velero: Cluster) -> Cluster:
    return cluster_without_velero


def eventually(read: Callable[[], Any], timeout_s: float = 120) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := read()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def snapshot(namespace: str, claim: str) -> Object:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": claim, "namespace": namespace},
        "spec": {
            "volumeSnapshotClassName": "disks",
            "source": {"persistentVolumeClaimName": claim},
        },
    }


def test_the_node_is_ready_and_the_kinds_of_kubevirt_are_served(lab: Cluster) -> None:
    assert lab.node.is_ready(lab.api)
    for path in ("kubevirt.io/v1", "cdi.kubevirt.io/v1beta1", "velero.io/v1"):
        assert lab.api.request("GET", f"/apis/{path}")["resources"]


@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
def test_a_restored_snapshot_holds_the_bytes_as_of_the_cut(lab: Cluster, mode: Any) -> None:
    namespace = f"snapshot-{mode.lower()}"
    lab.create_namespace(namespace)
    machine = Machine(namespace, "db", disks=(Disk("root", mode),), is_running=False)
    claim = lab.create_vm(machine).claims["root"]
    lab.disk_image(namespace, "db-root").write_bytes(MARK)
    lab.api.create(snapshot(namespace, "db-root"))
    where = ("snapshot.storage.k8s.io/v1", "VolumeSnapshot", namespace, "db-root")
    assert eventually(lambda: lab.api.get(*where).get("status", {}).get("readyToUse"))

    lab.disk_image(namespace, "db-root").write_bytes(b"later")
    restored = {
        **{key: claim[key] for key in ("apiVersion", "kind")},
        "metadata": {"name": "restored", "namespace": namespace},
        "spec": {
            **{key: claim["spec"][key] for key in ("accessModes", "resources", "volumeMode")},
            "dataSource": {
                "apiGroup": "snapshot.storage.k8s.io",
                "kind": "VolumeSnapshot",
                "name": "db-root",
            },
        },
    }
    lab.api.create(restored)
    claim_path = ("v1", "PersistentVolumeClaim", namespace, "restored")
    assert eventually(lambda: lab.api.get(*claim_path)["status"].get("phase") == "Bound")
    assert lab.disk_image(namespace, "restored").read_bytes().startswith(MARK)
    [cut] = lab.snapshots_cut()[f"{namespace}/db-root"]
    assert cut.started < cut.finished < datetime.now(UTC)


def test_exec_in_a_pod_runs_virt_freezer_and_is_noted(lab: Cluster) -> None:
    namespace = "exec"
    lab.create_namespace(namespace)
    created = lab.create_vm(Machine(namespace, "db", hotplugged=(Disk("extra"),)))
    command = ["/usr/bin/virt-freezer", "--freeze", "--name", "db", "--namespace", namespace]
    assert "completed" in execute(lab, namespace, created.machine.launcher_pod, command)

    [freeze] = [each for each in lab.freezes() if each.namespace == namespace]
    assert (freeze.verb, freeze.name, freeze.exit_code) == ("freeze", "db", 0)
    assert freeze.pod == f"{namespace}/{created.machine.launcher_pod}"
    instance = lab.api.get("kubevirt.io/v1", "VirtualMachineInstance", namespace, "db")
    assert instance["status"]["fsFreezeStatus"] == "frozen"


def test_the_subresources_reach_the_guest_that_virt_freezer_reaches(lab: Cluster) -> None:
    namespace = "subresources"
    lab.create_namespace(namespace)
    lab.create_vms([Machine(namespace, "db")])
    pod = Machine(namespace, "db").launcher_pod
    thaw = ["/usr/bin/virt-freezer", "--unfreeze", "--name", "db", "--namespace", namespace]

    lab.api.request("PUT", subresource(namespace, "db", "freeze"), {"unfreezeTimeout": "5m0s"})
    lab.api.request("PUT", subresource(namespace, "db", "unfreeze"))
    assert "completed" in execute(lab, namespace, pod, thaw)

    calls = [each for each in lab.freezes() if each.namespace == namespace]
    assert [(each.verb, each.pod, each.exit_code, each.has_changed) for each in calls] == [
        ("freeze", "", 0, True),
        ("unfreeze", "", 0, True),
        ("unfreeze", f"{namespace}/{pod}", 0, False),
    ]


def test_the_subresources_refuse_as_those_of_kubevirt(lab: Cluster) -> None:
    namespace = "refusals"
    lab.create_namespace(namespace)
    lab.create_vms([Machine(namespace, "db")])
    instance = lab.api.get("kubevirt.io/v1", "VirtualMachineInstance", namespace, "db")
    with pytest.raises(ApiError, match="Unfreeze timeout in freeze request is not set") as caught:
        lab.api.request("PUT", subresource(namespace, "db", "freeze"))
    assert caught.value.status == 500
    with pytest.raises(ApiError, match='"none" not found') as caught:
        lab.api.request("PUT", subresource(namespace, "none", "unfreeze"))
    assert caught.value.status == 404
    lab.api.replace_status(instance, {"phase": "Succeeded"})
    with pytest.raises(ApiError, match="VMI is not running") as caught:
        lab.api.request("PUT", subresource(namespace, "db", "unfreeze"))
    assert caught.value.status == 409


def subresource(namespace: str, name: str, verb: str) -> str:
    one = f"namespaces/{namespace}/virtualmachineinstances/{name}"
    return f"/apis/subresources.kubevirt.io/v1/{one}/{verb}"


def execute(lab: Cluster, namespace: str, pod: str, command: list[str]) -> str:
    configuration = client.Configuration()
    config.load_kube_config(
        str(lab.control_plane.kubeconfig("admin")), client_configuration=configuration
    )
    with client.ApiClient(configuration) as connection:
        session = stream.stream(
            client.CoreV1Api(connection).connect_get_namespaced_pod_exec,
            pod,
            namespace,
            command=command,
            container="compute",
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        session.run_forever(timeout=30)
        printed = str(session.read_all())
        session.sock.shutdown()  # close() leaves the socket open once the server has said goodbye
    return printed


def test_logs_of_containers_are_read_with_the_times_of_the_node(
    lab: Cluster, tmp_path: Path
) -> None:
    namespace, console = "logs", tmp_path / "console.log"
    lab.create_namespace(namespace)
    created = lab.create_vm(Machine(namespace, "db"))
    path = lab.api.path("v1", "Pod", namespace, created.machine.launcher_pod) + "/log"
    console.write_bytes(b"login: \r\n@stillpoint {}\r\nhalf a ")
    began = datetime.now(UTC)
    lab.node.give_console(namespace, "db", console)

    def read(container: str = CONSOLE_LOG, **options: object) -> list[tuple[datetime, str]]:
        text = lab.api.text(path, container=container, timestamps=True, **options)
        lines = (line.partition(" ") for line in text.split("\n") if line)
        return [(datetime.fromisoformat(time), said) for time, _, said in lines]

    assert eventually(lambda: len(read()) == 2)
    (first, prompt), (second, marked) = read()
    assert (prompt, marked) == ("login: \r", "@stillpoint {}\r")
    assert began <= first <= second <= datetime.now(UTC)

    followed = lab.api.stream(path, container=CONSOLE_LOG, follow=True, sinceSeconds=1000)
    with console.open("ab") as more:
        more.write(b"line\r\n")
    assert [next(followed) for _ in range(3)] == ["login: \r", "@stillpoint {}\r", "half a line\r"]
    followed.close()
    assert [said for _, said in read(tailLines=1)] == ["half a line\r"]
    last = read()[-1][0]
    assert [said for _, said in read(sinceTime=last.strftime("%Y-%m-%dT%H:%M:%SZ"))]
    assert not read(sinceTime="2100-01-01T00:00:00Z")

    pod = lab.api.get("v1", "Pod", namespace, created.machine.launcher_pod)
    assert read("compute") == []
    lab.node.log(pod, "compute", "initiating unfreeze")
    [(time, said)] = read("compute")
    assert (time > last, said) == (True, "initiating unfreeze")
    with pytest.raises(ApiError, match="is not valid for pod"):
        read("none")


def test_velero_alone_freezes_backs_up_and_restores(lab: Cluster) -> None:
    namespace = "alone"
    lab.create_namespace(namespace)
    disks = (Disk("root"), Disk("data", "Block"))
    lab.create_vm(Machine(namespace, "db", disks=disks, hotplugged=(Disk("extra"),)))
    for claim in ("db-root", "db-data", "db-extra"):
        lab.disk_image(namespace, claim).write_bytes(MARK)
    since = datetime.now(UTC)

    with lab.velero_with(Settings()):
        backup = lab.backup("alone", {"includedNamespaces": [namespace]})
        assert backup["status"]["phase"] == "Completed", lab.backup_log("alone")
        lab.delete_namespace(namespace)
        restore = lab.restore("alone", {"backupName": "alone"})
        assert restore["status"]["phase"] == "Completed", lab.restore_log("alone")

    path = f"resources/virtualmachines.kubevirt.io/namespaces/{namespace}/db.json"
    assert lab.backup_items("alone")[path]["spec"]["runStrategy"] == "Always"
    verbs = [each.verb for each in lab.freezes() if each.namespace == namespace]
    assert verbs == ["freeze", "unfreeze"]
    assert len(lab.snapshots_cut()[f"{namespace}/db-extra"]) == 1
    assert lab.requests(since).total() > 100
    wait_until_bound(lab.api, namespace)
    for claim in ("db-root", "db-data", "db-extra"):
        assert lab.disk_image(namespace, claim).read_bytes().startswith(MARK)


def test_a_missing_object_is_an_error_that_names_it(lab: Cluster) -> None:
    with pytest.raises(ApiError, match=r'pods "none" not found'):
        lab.api.get("v1", "Pod", "default", "none")
