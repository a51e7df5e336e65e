import contextlib
import datetime as dt
import http.client
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client as kubernetes_client
from kubernetes import config, dynamic

from stillpoint.cluster.kubernetes_reader import KubernetesReader, Limits
from stillpoint.model.api_resources import KNOWN, guess_plural
from stillpoint.model.errors import MalformedItem, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.velero.selection.label_selector import LabelSelector
from tests.api_server.server import ApiServer

VIRTUAL_MACHINES = Resource("kubevirt.io", "v1", "virtualmachines", "VirtualMachine")
PODS = Resource("", "v1", "pods", "Pod")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")

PLAIN_MACHINE: Item = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine"}

MANIFESTS = """
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: db
  namespace: shop
  labels: {app: shop, tier: db}
  creationTimestamp: 2025-01-02T03:04:05Z
spec: {runStrategy: Always, big: 9007199254740993, nothing: null}
---
apiVersion: kubevirt.io/v1alpha3
kind: VirtualMachine
metadata: {name: web, namespace: shop, labels: {app: shop, tier: web}}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: db, namespace: office}
---
apiVersion: v1
kind: Pod
metadata: {name: launcher}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: disks.example.org
---
apiVersion: example.org/v2
kind: Widget
metadata: {name: w, namespace: shop}
---
apiVersion: example.org/v2
kind: Gadget
metadata: {name: g}
"""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(yaml.safe_load_all(MANIFESTS)) as server:
        yield server


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    return server.kubeconfig(tmp_path / "kubeconfig")


@pytest.fixture
def reader(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> KubernetesReader:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    return KubernetesReader.connect(Limits(tries=1))


@pytest.fixture
def api(kubeconfig: Path) -> kubernetes_client.ApiClient:
    client: kubernetes_client.ApiClient = config.new_client_from_config(str(kubeconfig))
    return client


def names(items: Any) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def request(
    server: ApiServer, path: str, method: str = "GET", token: str | None = None
) -> tuple[int, Any]:
    url = urlsplit(server.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    try:
        bearer = server.token if token is None else token
        connection.request(method, path, headers={"Authorization": f"Bearer {bearer}"})
        response = connection.getresponse()
        body = response.read()
        return response.status, orjson.loads(body) if body else None
    finally:
        connection.close()


# reads


def test_an_object_is_served_as_it_was_given(reader: KubernetesReader) -> None:
    assert reader.get(VIRTUAL_MACHINES, "shop", "db") == {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "labels": {"app": "shop", "tier": "db"},
            "creationTimestamp": "2025-01-02T03:04:05Z",
        },
        "spec": {"runStrategy": "Always", "big": 9007199254740993, "nothing": None},
    }


def test_a_list_has_the_objects_of_its_namespace_by_name(reader: KubernetesReader) -> None:
    found = reader.list(VIRTUAL_MACHINES, "shop")
    assert names(found) == ["db", "web"]
    assert found[0] == reader.get(VIRTUAL_MACHINES, "shop", "db")
    assert names(reader.list(VIRTUAL_MACHINES, "nowhere")) == []


def test_a_list_without_a_namespace_has_the_objects_of_all(reader: KubernetesReader) -> None:
    assert names(reader.list(VIRTUAL_MACHINES, "")) == ["db", "db", "web"]


def test_an_object_without_a_namespace_is_in_the_default_one(reader: KubernetesReader) -> None:
    found = reader.get(PODS, "default", "launcher")
    assert found is not None
    assert found["metadata"]["namespace"] == "default"
    assert names(reader.list(PODS, "default")) == ["launcher"]


def test_cluster_scoped_objects_have_no_namespace(reader: KubernetesReader) -> None:
    assert reader.get(STORAGE_CLASSES, "", "fast") is not None
    assert names(reader.list(NAMESPACES, "")) == ["shop"]
    assert reader.get(NAMESPACES, "", "shop") is not None
    assert reader.get(STORAGE_CLASSES, "shop", "fast") is None
    assert reader.get(PODS, "", "launcher") is None


def test_an_object_of_another_version_is_served_in_the_version_asked_for(
    reader: KubernetesReader,
) -> None:
    found = reader.get(VIRTUAL_MACHINES, "shop", "web")
    assert found is not None
    assert found["apiVersion"] == "kubevirt.io/v1"


def test_unknown_kinds_are_served_under_a_regular_plural(reader: KubernetesReader) -> None:
    widgets = Resource("example.org", "v2", "widgets", "Widget")
    gadgets = Resource("example.org", "v2", "gadgets", "Gadget")
    assert names(reader.list(widgets, "shop")) == ["w"]
    assert names(reader.list(gadgets, "")) == ["g"]


def test_items_of_built_in_lists_do_not_say_what_they_are_as_in_a_real_server(
    server: ApiServer, reader: KubernetesReader
) -> None:
    _, pods = request(server, "/api/v1/namespaces/default/pods")
    assert list(pods["items"][0]) == ["metadata"]
    _, machines = request(server, "/apis/kubevirt.io/v1/virtualmachines")
    assert machines["kind"] == "VirtualMachineList"
    assert machines["items"][0]["kind"] == "VirtualMachine"
    assert reader.list(PODS, "default")[0] == reader.get(PODS, "default", "launcher")


@pytest.mark.parametrize(
    "path",
    [
        "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/other",
        "/apis/kubevirt.io/v1/namespaces/shop/nonsense",
        "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db/status",
        "/apis/kubevirt.io/v9/virtualmachines",
        "/apis/nonsense.example/v1",
        "/api/v1/namespaces/shop/nodes",
        "/apis/kubevirt.io/v1/virtualmachines/db",
        "/",
        "/nonsense",
    ],
)
def test_what_does_not_exist_is_not_found(server: ApiServer, path: str) -> None:
    code, status = request(server, path)
    assert code == 404
    assert (status["kind"], status["reason"], status["code"]) == ("Status", "NotFound", 404)


def test_a_resource_without_objects_is_known_and_empty(reader: KubernetesReader) -> None:
    volume_snapshots = Resource(
        "snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot"
    )
    assert list(reader.list(volume_snapshots, "shop")) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "Pod", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Pod"},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": []},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"n": 2**80}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"n": {1, 2}}},
    ],
)
def test_an_object_that_is_none_is_named_before_anything_is_served(broken: Item) -> None:
    with pytest.raises(MalformedItem):
        ApiServer([broken])


def test_what_only_yaml_knows_becomes_json() -> None:
    given_item = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "annotations": {1: dt.date(2025, 1, 2)}},
    }
    with ApiServer([given_item]) as server:
        _, pod = request(server, "/api/v1/namespaces/default/pods/a")
    assert pod["metadata"]["annotations"] == {"1": "2025-01-02"}


# pages


def test_pages_follow_each_other_to_the_last_object() -> None:
    machines = [
        {**PLAIN_MACHINE, "metadata": {"name": f"vm-{number:04}", "namespace": "shop"}}
        for number in range(1203)
    ]
    with ApiServer(machines) as server:
        path = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines?limit=500"
        _, first = request(server, path)
        _, second = request(server, f"{path}&continue={first['metadata']['continue']}")
        _, third = request(server, f"{path}&continue={second['metadata']['continue']}")
    assert [len(page["items"]) for page in (first, second, third)] == [500, 500, 203]
    assert first["metadata"]["remainingItemCount"] == 703
    assert "continue" not in third["metadata"]
    assert names(first["items"] + second["items"] + third["items"]) == [
        f"vm-{number:04}" for number in range(1203)
    ]


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "continue=x",
        "continue=-1",
        "watch=true",
        "watch=1",
        "fieldSelector=metadata.name%3Da",
        "labelSelector=a%3D%3D%3Db",
    ],
)
def test_a_question_that_is_not_understood_is_refused(server: ApiServer, query: str) -> None:
    code, status = request(server, f"/api/v1/pods?{query}")
    assert (code, status["reason"]) == (400, "BadRequest")


def test_ten_thousand_machines_are_served_in_seconds() -> None:
    body = {"template": {"spec": {"text": "x" * 11_000}}}
    machines = [
        {**PLAIN_MACHINE, "metadata": {"name": f"vm-{n:05}", "namespace": "shop"}, "spec": body}
        for n in range(10_000)
    ]
    with ApiServer(machines) as server:
        client = kubernetes_client.ApiClient(
            kubernetes_client.Configuration(
                host=server.url, api_key={"BearerToken": f"Bearer {server.token}"}
            )
        )
        started = time.process_time()
        reader = KubernetesReader(client)
        assert len(reader.list(VIRTUAL_MACHINES, "shop")) == 10_000
        assert time.process_time() - started < 5
        for number in range(0, 10_000, 100):
            assert reader.get(VIRTUAL_MACHINES, "shop", f"vm-{number:05}")
        assert len(server.requests) == 5 + 100


# selectors

LABELS = {
    "both": {"app": "shop", "tier": "db", "replicas": "3"},
    "app": {"app": "shop"},
    "empty": {"app": ""},
    "none": {},
    "prefixed": {"kubevirt.io/domain": "x"},
}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", "both app empty none prefixed"),
        ("app=shop", "both app"),
        ("app==shop", "both app"),
        ("app = shop , tier = db", "both"),
        ("app!=shop", "empty none prefixed"),
        ("app=", "empty"),
        ("app", "both app empty"),
        ("!app", "none prefixed"),
        ("! app,!tier", "none prefixed"),
        ("app in (shop)", "both app"),
        ("app in (shop, )", "both app empty"),
        ("app in ( other,shop ),tier", "both"),
        ("app notin (shop)", "empty none prefixed"),
        ("app notin (shop,)", "none prefixed"),
        ("kubevirt.io/domain=x", "prefixed"),
        ("replicas>2", "both"),
        ("replicas > 3", ""),
        ("replicas<4", "both"),
        ("app>1", ""),
    ],
)
def test_a_selector_selects_as_the_kubernetes_api_does(selector: str, expected: str) -> None:
    parsed = LabelSelector.parse(selector)
    assert [name for name, labels in LABELS.items() if parsed.matches(labels)] == expected.split()


@pytest.mark.parametrize(
    "selector",
    [
        "a b",
        "=a",
        "a=b=c",
        "a in",
        "a in b",
        "a in (b",
        "a in ()",
        "ain (b)",
        "a,",
        ",a",
        "a,,b",
        "!a=b",
        "!",
        "a>b",
        "-a",
        "a=b c",
        "a=/",
        "a/b/c",
        "UPPER/a",
        "a=" + "x" * 64,
        "a=b;c",
        "a=ä",
    ],
)
def test_what_is_no_selector_is_an_error(selector: str) -> None:
    with pytest.raises(ValueError, match=r"not a label selector|no values"):
        LabelSelector.parse(selector)


KEYS = st.sampled_from(["a", "b", "in", "notin", "x.y/z-1"])
VALUES = st.sampled_from(["", "1", "v", "in", "A_b.c"])


@given(
    labels=st.dictionaries(KEYS, VALUES),
    wanted=st.lists(
        st.tuples(KEYS, st.sampled_from(["in", "notin"]), st.lists(VALUES, min_size=2)), min_size=1
    ),
)
def test_sets_of_values_hold_together(
    labels: Mapping[str, str], wanted: list[tuple[str, str, list[str]]]
) -> None:
    text = ", ".join(f"{key} {sign} ({','.join(values)})" for key, sign, values in wanted)
    expected = all((labels.get(key) in values) is (sign == "in") for key, sign, values in wanted)
    assert LabelSelector.parse(text).matches(labels) is expected


@given(key=KEYS, value=VALUES, labels=st.dictionaries(KEYS, VALUES))
def test_equality_is_a_set_of_one_value(key: str, value: str, labels: Mapping[str, str]) -> None:
    for sign, negated in (("=", False), ("==", False), ("!=", True)):
        selected = LabelSelector.parse(f"{key}{sign}{value}").matches(labels)
        assert selected is ((labels.get(key) == value) is not negated)


@given(st.text())
def test_any_text_is_a_selector_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        LabelSelector.parse(text)


def test_a_list_is_narrowed_by_its_selector(reader: KubernetesReader) -> None:
    assert names(reader.list(VIRTUAL_MACHINES, "shop", "app=shop,tier notin (db)")) == ["web"]
    assert names(reader.list(VIRTUAL_MACHINES, "", "!app")) == ["db"]
    with pytest.raises(Unreachable, match="HTTP 400: cannot read the query: not a label sel"):
        reader.list(VIRTUAL_MACHINES, "shop", "a===")


# discovery, with the client of the kubernetes package


def test_the_dynamic_client_discovers_resources(
    api: kubernetes_client.ApiClient, tmp_path: Path
) -> None:
    discovered = dynamic.DynamicClient(api, cache_file=str(tmp_path / "cache"))
    machines = discovered.resources.get(api_version="kubevirt.io/v1", kind="VirtualMachine")
    assert (machines.name, machines.namespaced, machines.short_names) == (
        "virtualmachines",
        True,
        ["vm", "vms"],
    )
    assert machines.get(name="db", namespace="shop").spec.runStrategy == "Always"
    gadgets = discovered.resources.get(api_version="example.org/v2", kind="Gadget")
    assert gadgets.namespaced is False


def test_typed_clients_read(api: kubernetes_client.ApiClient) -> None:
    pods = kubernetes_client.CoreV1Api(api).list_namespaced_pod("default")
    assert [pod.metadata and pod.metadata.name for pod in pods.items] == ["launcher"]
    classes = kubernetes_client.StorageV1Api(api).list_storage_class()
    assert [one.provisioner for one in classes.items] == ["disks.example.org"]


def test_every_group_and_version_lists_its_resources(server: ApiServer) -> None:
    code, core = request(server, "/api")
    assert (code, core["versions"]) == (200, ["v1"])
    _, groups = request(server, "/apis")
    found = {group["name"]: group for group in groups["groups"]}
    assert {"kubevirt.io", "cdi.kubevirt.io", "apps", "snapshot.storage.k8s.io"} <= set(found)
    assert found["kubevirt.io"]["preferredVersion"]["version"] == "v1"
    assert request(server, "/apis/apps")[1]["name"] == "apps"
    for group in found.values():
        for version in group["versions"]:
            code, listed = request(server, f"/apis/{version['groupVersion']}")
            assert code == 200
            assert listed["groupVersion"] == version["groupVersion"]
            assert listed["resources"]


# who is let in, and to what


@pytest.mark.parametrize("token", ["", "wrong", "wröng"])
def test_a_request_without_the_token_is_refused(server: ApiServer, token: str) -> None:
    for path in ("/api/v1/pods", "/apis", "/nonsense"):
        code, status = request(server, path, token=token.encode().decode("latin-1"))
        assert (code, status["reason"]) == (401, "Unauthorized")
    assert server.requests == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_can_be_changed(server: ApiServer, method: str) -> None:
    code, status = request(server, "/api/v1/namespaces/default/pods/launcher", method)
    assert code == 405
    assert status is None or status["reason"] == "MethodNotAllowed"
    assert [made.verb for made in server.requests] == [method]


def test_a_typed_client_is_told_that_it_cannot_delete(api: kubernetes_client.ApiClient) -> None:
    with pytest.raises(kubernetes_client.ApiException) as caught:
        kubernetes_client.CoreV1Api(api).delete_namespaced_pod("launcher", "default")
    assert caught.value.status == 405


def test_only_this_machine_can_connect(server: ApiServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


def test_the_kubeconfig_is_for_its_owner_only(server: ApiServer, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("an older one " * 100)
    path.chmod(0o644)
    assert server.kubeconfig(path) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert yaml.safe_load(path.read_text())["users"][0]["user"]["token"] == server.token


def test_a_proxy_of_the_environment_is_left_out(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    assert KubernetesReader.connect(Limits(tries=1)).get(PODS, "default", "launcher")


def test_requests_are_recorded(server: ApiServer, reader: KubernetesReader) -> None:
    reader.get(PODS, "default", "launcher")
    reader.list(VIRTUAL_MACHINES, "shop", "app=shop")
    request(server, "/apis")
    assert [tuple(made) for made in server.requests] == [
        ("get", "/api/v1/namespaces/default/pods/launcher", {}),
        (
            "list",
            "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines",
            {"labelSelector": "app=shop", "limit": "2000"},
        ),
        ("discover", "/apis", {}),
    ]


def test_an_open_connection_does_not_hold_up_the_end() -> None:
    threads = threading.active_count()
    with ApiServer([]) as server:
        url = urlsplit(server.url)
        idle = socket.create_connection((url.hostname or "", url.port or 0))
        used = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
        used.request("GET", "/api", headers={"Authorization": f"Bearer {server.token}"})
        assert used.getresponse().read()
        started = time.monotonic()
    assert time.monotonic() - started < 30  # of the 60 that the client would stay
    assert threading.active_count() <= threads  # one of another test may have ended
    idle.close()
    used.close()


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("Gadget", "gadgets"), ("BackupPolicy", "backuppolicies"), ("Ingress", "ingresses")],
)
def test_the_plural_of_an_unknown_kind_is_guessed_as_the_api_machinery_does(
    kind: str, plural: str
) -> None:
    assert guess_plural(kind) == plural


def test_cluster_scoped_resources_are_known_as_such() -> None:
    scoped = {served.kind for served in KNOWN if not served.is_namespaced}
    assert {"CustomResourceDefinition", "MigrationPolicy", "Namespace", "StorageClass"} <= scoped
    assert "VirtualMachine" not in scoped
