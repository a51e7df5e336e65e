import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import incluster_config

from stillpoint.cluster import no_answer
from stillpoint.cluster.kubernetes_reader import KubernetesReader, Limits
from stillpoint.model.errors import Forbidden, ReadFailed, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from tests.unit.cluster.faulty_api_server import (
    PATIENT,
    QUICK,
    FaultyApiServer,
    Reply,
    answers,
    closes,
    drips,
    half_of,
    half_of_chunks,
    keeps_silent,
    sends,
    speaks_another_protocol,
    status,
)
from tests.unit.cluster.test_watch import wait_until

VIRTUAL_MACHINES = Resource("kubevirt.io", "v1", "virtualmachines", "VirtualMachine")
PODS = Resource("", "v1", "pods", "Pod")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass")

DB: Item = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "db", "namespace": "shop"},
}


DATED = "Fri, 27 Nov 2026 06:00:00 GMT"


@pytest.mark.parametrize("code", [200, 404])
def test_the_time_is_that_of_the_api_server(code: int) -> None:
    with FaultyApiServer([answers(code, b"{}", Date=DATED)]) as server:
        assert server.reader().time() == datetime(2026, 11, 27, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "reply", [sends({}), answers(200, b"{}", Date="soon"), answers(403, b"{}", Date=DATED)]
)
def test_without_a_date_of_the_api_server_there_is_no_time(reply: Reply) -> None:
    with FaultyApiServer([reply]) as server, pytest.raises(ReadFailed):
        server.reader().time()


def page(*items: Item, token: str = "") -> Reply:
    metadata = {"resourceVersion": "7"} | ({"continue": token} if token else {})
    return sends({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": list(items)})


def named(*names: str) -> list[Item]:
    return [{**DB, "metadata": {"name": name, "namespace": "shop"}} for name in names]


def get(reader: KubernetesReader) -> Any:
    return reader.get(VIRTUAL_MACHINES, "shop", "db")


def list_(reader: KubernetesReader) -> Any:
    return list(reader.list(VIRTUAL_MACHINES, "shop"))


Read = Callable[[KubernetesReader], Any]
GOOD: dict[Read, Reply] = {get: sends(DB), list_: page(DB)}
SUBJECTS: dict[Read, str] = {
    get: "virtualmachines.kubevirt.io shop/db: cannot get: ",
    list_: "virtualmachines.kubevirt.io in namespace shop: cannot list: ",
}
both = pytest.mark.parametrize("read", [get, list_], ids=["get", "list"])


# what is asked


def test_a_get_asks_for_the_path_of_the_object() -> None:
    with FaultyApiServer([sends(DB)]) as server:
        assert server.reader().get(VIRTUAL_MACHINES, "shop", "db") == DB
    assert server.heard[0].path == "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db"


def test_core_resources_are_below_api_and_cluster_scoped_ones_in_no_namespace() -> None:
    with FaultyApiServer([page()]) as server:
        server.reader().list(PODS, "shop")
        server.reader().list(STORAGE_CLASSES, "")
    assert [heard.path for heard in server.heard] == [
        "/api/v1/namespaces/shop/pods",
        "/apis/storage.k8s.io/v1/storageclasses",
    ]


def test_a_list_passes_on_its_label_selector() -> None:
    with FaultyApiServer([page()]) as server:
        server.reader().list(PODS, "shop", "kubevirt.io in (virt-launcher, hotplug-disk),!off")
    query = server.heard[0].query
    assert query["labelSelector"] == "kubevirt.io in (virt-launcher, hotplug-disk),!off"
    assert query["limit"] == "2000"


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    with FaultyApiServer([status(404)]) as server:
        assert server.reader().get(PODS, "shop", "a/../b?c") is None
    assert server.heard[0].path == "/api/v1/namespaces/shop/pods/a%2F..%2Fb%3Fc"


def test_requests_say_who_asks_and_carry_the_token() -> None:
    with FaultyApiServer([sends(DB)]) as server:
        get(server.reader(token="s3cret"))
    headers = server.heard[0].headers
    assert headers["user-agent"].startswith("stillpoint/")
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["accept"] == "application/json"


def test_a_value_of_a_secret_is_read_where_it_is_wanted() -> None:
    body = {"kind": "Secret", "metadata": {"name": "ca"}, "data": {"ca.pem": "Q0E=", "bad": "Q"}}
    with FaultyApiServer([sends(body)]) as server:
        reader = server.reader()
        assert reader.secret_value("velero", "ca", "ca.pem") == b"CA"
        assert reader.secret_value("velero", "ca", "other") is None
        with pytest.raises(Unreachable, match="no base64 in bad"):
            reader.secret_value("velero", "ca", "bad")
    assert server.heard[0].headers["accept"] == "application/json"
    with FaultyApiServer([status(404)]) as server:
        assert server.reader().secret_value("velero", "ca", "ca.pem") is None


def test_of_a_secret_only_the_metadata_are_asked_for() -> None:
    secrets = Resource("", "v1", "secrets", "Secret")
    body = {"kind": "PartialObjectMetadata", "metadata": {"name": "s"}}
    with FaultyApiServer([sends(body)]) as server:
        assert server.reader().get(secrets, "shop", "s") is not None
    accept = server.heard[0].headers["accept"]
    assert accept == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def test_a_token_from_a_file_with_a_line_end_is_still_the_token() -> None:
    with FaultyApiServer([sends(DB)]) as server:
        get(server.reader(token="s3cret\n"))
    assert server.heard[0].headers["authorization"] == "Bearer s3cret"


def test_a_broken_token_is_not_quoted_in_the_error() -> None:
    with FaultyApiServer([sends(DB)]) as server, pytest.raises(Unreachable) as caught:
        get(server.reader(token="s3\ncret"))
    assert "cret" not in str(caught.value)
    assert not server.heard


def test_connections_are_used_again() -> None:
    with FaultyApiServer([sends(DB)]) as server:
        reader = server.reader()
        for _ in range(5):
            get(reader)
    assert server.connections == 1


def test_32_threads_share_one_reader_and_as_many_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with FaultyApiServer([sends(DB)]) as server, ThreadPoolExecutor(32) as threads:
        file = write_kubeconfig(tmp_path / "config", server.url, {"token": "t"})
        monkeypatch.setenv("KUBECONFIG", str(file))
        reader = KubernetesReader.connect()
        assert list(threads.map(lambda _: get(reader), range(640))) == [DB] * 640
    assert server.connections <= 32


# what comes back


def test_values_pass_unchanged() -> None:
    odd: Item = {
        "zeta": 1,
        "alpha": 9007199254740993,
        "most": 18446744073709551615,
        "least": -9223372036854775808,
        "fraction": 0.1,
        "nothing": None,
        "fieldOfTheFuture": {"": [[], {}, None]},
        "text": "höhe \u2028 \U0001f4be \u0000",
    }
    item = {**DB, "spec": odd}
    with FaultyApiServer([sends(item), page(item)]) as server:
        reader = server.reader()
        for answer in (get(reader), list_(reader)[0]):
            assert answer == item
            assert list(answer["spec"]) == list(odd)
            assert type(answer["spec"]["alpha"]) is int


def test_items_of_a_list_say_what_they_are_as_those_of_a_get_do() -> None:
    item: Item = {"metadata": {"name": "launcher"}, "spec": {}}
    with FaultyApiServer([page(item)]) as server:
        (pod,) = server.reader().list(PODS, "shop")
        (storage_class,) = server.reader().list(STORAGE_CLASSES, "")
    assert list(pod.items())[:2] == [("kind", "Pod"), ("apiVersion", "v1")]
    assert storage_class["apiVersion"] == "storage.k8s.io/v1"
    assert pod["metadata"] == item["metadata"]


def test_an_item_of_a_list_that_says_what_it_is_stays_as_it_came() -> None:
    with FaultyApiServer([page(DB)]) as server:
        assert [list(item) for item in list_(server.reader())] == [list(DB)]


def test_what_does_not_exist_is_none() -> None:
    with FaultyApiServer([status(404, 'virtualmachines.kubevirt.io "db" not found')]) as server:
        assert get(server.reader()) is None


@pytest.mark.parametrize("body", [b"404 page not found\n", b""])
def test_a_resource_that_is_not_served_has_no_objects(body: bytes) -> None:
    with FaultyApiServer([answers(404, body)]) as server:
        assert list(list_(server.reader())) == []
        assert get(server.reader()) is None


def test_an_empty_list_may_be_written_as_null() -> None:
    with FaultyApiServer([sends({"kind": "PodList", "metadata": {}, "items": None})]) as server:
        assert list(list_(server.reader())) == []


# pages


def test_all_pages_make_one_list() -> None:
    script = [page(*named("a", "b"), token="2"), page(*named("c"), token="3"), page(*named("d"))]
    with FaultyApiServer(script) as server:
        found = server.reader().list(VIRTUAL_MACHINES, "shop", "tier=db")
    assert [item["metadata"]["name"] for item in found] == ["a", "b", "c", "d"]
    assert [heard.query.get("continue") for heard in server.heard] == [None, "2", "3"]
    assert {heard.query["labelSelector"] for heard in server.heard} == {"tier=db"}


@pytest.mark.parametrize(
    "second", [status(404), status(403), status(500), half_of(DB), answers(200, b"{"), closes]
)
def test_a_list_without_its_second_page_is_an_error(second: Reply) -> None:
    with (
        FaultyApiServer([page(*named("a"), token="2"), second]) as server,
        pytest.raises(ReadFailed),
    ):
        list_(server.reader())


def test_a_list_whose_token_has_expired_starts_once_more() -> None:
    script = [page(*named("old"), token="2"), status(410), page(*named("new"), token="3"), page()]
    with FaultyApiServer(script) as server:
        assert list_(server.reader()) == named("new")
    assert [heard.query.get("continue") for heard in server.heard] == [None, "2", None, "3"]


def test_a_list_whose_token_expires_twice_is_an_error() -> None:
    script = [page(DB, token="2"), status(410), page(DB, token="3"), status(410, "too old")]
    with FaultyApiServer(script) as server, pytest.raises(Unreachable, match="HTTP 410: too old"):
        list_(server.reader())
    assert len(server.heard) == 4


def test_a_list_that_never_ends_is_given_up() -> None:
    limits = Limits(request_s=0.2)
    with (
        FaultyApiServer([page(DB, token="again")]) as server,
        pytest.raises(Unreachable, match=r"no response within 0\.2 s|too slow|timed out"),
    ):
        list_(server.reader(limits))


# refusals


@both
def test_a_missing_right_is_spelled_with_the_rule_to_grant(read: Read) -> None:
    with (
        FaultyApiServer([status(403, 'User "velero" cannot do that')]) as server,
        pytest.raises(Forbidden) as caught,
    ):
        read(server.reader())
    verb, verbs = ("get", '"get"') if read is get else ("list", '"get", "list"')
    assert str(caught.value) == (
        f"{SUBJECTS[read]}the account has no right to {verb} virtualmachines.kubevirt.io "
        'in namespace shop (HTTP 403: User "velero" cannot do that); HINT: grant the account '
        'a role with the rule apiGroups: ["kubevirt.io"], resources: ["virtualmachines"], '
        f"verbs: [{verbs}]"
    )
    assert len(server.heard) == 1


def test_a_missing_right_to_a_cluster_scoped_resource_names_the_whole_cluster() -> None:
    with (
        FaultyApiServer([answers(403, b"<html>")]) as server,
        pytest.raises(Forbidden, match=r"in the whole cluster \(HTTP 403\); HINT"),
    ):
        server.reader().list(STORAGE_CLASSES, "")


@both
def test_refused_credentials_are_forbidden_with_another_remedy(read: Read) -> None:
    with (
        FaultyApiServer([status(401, "Unauthorized")]) as server,
        pytest.raises(Forbidden, match="HTTP 401: Unauthorized; HINT: renew the cred") as caught,
    ):
        read(server.reader())
    assert str(caught.value).startswith(SUBJECTS[read])
    assert len(server.heard) == 1


# failures that pass


@both
@pytest.mark.parametrize("bad", [429, 500, 502, 503, 504])
def test_a_server_that_fails_twice_is_asked_a_third_time(bad: int, read: Read) -> None:
    pauses: list[float] = []
    with FaultyApiServer([status(bad), answers(bad, b"<html>"), GOOD[read]]) as server:
        assert read(server.reader(pauses=pauses)) in (DB, [DB])
    assert pauses == [0.25, 0.5]


@both
@pytest.mark.parametrize("bad", [429, 500, 502, 503, 504])
def test_a_server_that_fails_three_times_is_unreachable(bad: int, read: Read) -> None:
    with (
        FaultyApiServer([status(bad, "etcd is away"), status(bad, "etcd is away.")]) as server,
        pytest.raises(Unreachable) as caught,
    ):
        read(server.reader())
    assert str(caught.value) == f"{SUBJECTS[read]}HTTP {bad}: etcd is away"
    assert len(server.heard) == 3


@both
@pytest.mark.parametrize("bad", [400, 409, 410, 418, 501])
def test_a_failure_that_does_not_pass_is_not_asked_again(bad: int, read: Read) -> None:
    with (
        FaultyApiServer([status(bad, "no")]) as server,
        pytest.raises(Unreachable, match=f"HTTP {bad}: no"),
    ):
        read(server.reader())
    assert len(server.heard) == (2 if bad == 410 and read is list_ else 1)


@pytest.mark.parametrize(
    ("asked", "made"), [("1", 1.0), ("0", 0.0), ("3600", 4.0), ("Thu, 01 Jan 2099", 0.25)]
)
def test_the_pause_that_a_server_asks_for_is_made_up_to_a_bound(asked: str, made: float) -> None:
    pauses: list[float] = []
    with FaultyApiServer([status(429, Retry_After=asked), sends(DB)]) as server:
        assert get(server.reader(pauses=pauses)) == DB
    assert pauses == [made]


@both
@pytest.mark.parametrize("bad", [closes, half_of(DB), half_of_chunks(DB)])
def test_a_connection_that_breaks_is_made_anew(bad: Reply, read: Read) -> None:
    with FaultyApiServer([bad, bad, GOOD[read]]) as server:
        assert read(server.reader()) in (DB, [DB])


@both
@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (closes, "Remote end closed connection without response"),
        (half_of(DB), "IncompleteRead"),
        (half_of_chunks(DB), "IncompleteRead"),
        (speaks_another_protocol, "SSH-2.0"),
    ],
    ids=["closed", "half", "half of the chunks", "another protocol"],
)
def test_a_connection_that_breaks_three_times_is_unreachable(
    bad: Reply, cause: str, read: Read
) -> None:
    with FaultyApiServer([bad]) as server, pytest.raises(Unreachable, match=cause) as caught:
        read(server.reader())
    assert str(caught.value).startswith(SUBJECTS[read])
    assert caught.value.__cause__ is not None
    assert len(server.heard) == 3


@both
def test_a_server_that_is_not_there_is_unreachable(read: Read) -> None:
    pauses: list[float] = []
    with socket.socket() as held:  # a port that nobody listens on, nor else is given
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        reader = KubernetesReader(ApiClient(Configuration(host=url)), PATIENT, sleep=pauses.append)
        with pytest.raises(Unreachable, match="Connection refused") as caught:
            read(reader)
    assert " object at 0x" not in str(caught.value)
    assert len(pauses) == 2


def test_a_server_without_tls_is_unreachable_by_https() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:

        def answer_in_clear_text() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threads.submit(answer_in_clear_text)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        reader = KubernetesReader(ApiClient(Configuration(host=url)), PATIENT)
        with pytest.raises(
            Unreachable, match=f"cannot get: {url}: TLS: .*HINT: kubectl cluster-info"
        ):
            get(reader)


@pytest.mark.parametrize("address", ["https://", "http://a..b", "gopher://127.0.0.1"])
def test_an_address_that_is_none_is_unreachable(address: str) -> None:
    reader = KubernetesReader(ApiClient(Configuration(host=address)), QUICK)
    with pytest.raises(Unreachable, match="cannot get"):
        get(reader)


# deadlines


@both
def test_a_silent_server_is_given_up_after_the_read_deadline(read: Read) -> None:
    with FaultyApiServer([keeps_silent]) as server:
        with pytest.raises(Unreachable, match="Read timed out"):
            read(server.reader(QUICK))
        wait_until(lambda: server.heard)  # it may be slower than the deadline
    assert len(server.heard) == 1


def test_a_handshake_that_does_not_come_is_tried_again() -> None:
    """Nothing was asked yet, also where a change would have been."""
    limits, pauses = replace(QUICK, read_s=1.0, response_s=2.0), list[float]()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"https://127.0.0.1:{silent.getsockname()[1]}"
        client = ApiClient(Configuration(host=host))
        reader = KubernetesReader(client, limits, sleep=pauses.append)
        with pytest.raises(Unreachable, match="its TLS handshake timed out") as caught:
            get(reader)
    assert len(pauses) == limits.tries - 1
    assert caught.value.hint == no_answer.REACH_HINT


@both
def test_a_dripping_server_is_given_up_at_the_deadline_of_the_answer(read: Read) -> None:
    limits = replace(PATIENT, response_s=2.0)
    with (
        FaultyApiServer([drips(DB, every_s=0.05)]) as server,
        pytest.raises(Unreachable, match=r"response too slow: \d+ bytes came"),
    ):
        read(server.reader(limits))


def test_a_slow_answer_within_the_deadline_is_an_answer() -> None:
    with FaultyApiServer([drips(DB, every_s=0.001)]) as server:
        assert get(server.reader(Limits())) == DB


def test_no_try_starts_after_the_deadline_of_the_question() -> None:
    now = [0.0]

    def sleep(pause_s: float) -> None:
        now[0] += pause_s

    with FaultyApiServer([status(503, Retry_After="9")]) as server:
        client = ApiClient(Configuration(host=server.url))
        limits = Limits(request_s=8)
        reader = KubernetesReader(client, limits, clock=lambda: now[0], sleep=sleep)
        with pytest.raises(Unreachable, match="no response within 8 s"):
            get(reader)
    assert len(server.heard) == 1


# answers that cannot be trusted


@both
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>Please log in</html>",
        b'{"metadata": {"name": "db"}} trailing',
        b'{"metadata": {"name": "\xff"}}',
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"kind": "Status", "metadata": {}}',
        b'{"metadata": "db", "items": []}',
        b'{"metadata": {"name": "other"}, "items": {}}',
        b'{"metadata": {"name": ["db"]}, "items": [7]}',
    ],
)
def test_a_body_that_is_not_what_was_asked_for_is_an_error(body: bytes, read: Read) -> None:
    with FaultyApiServer([answers(200, body)]) as server, pytest.raises(Unreachable) as caught:
        read(server.reader())
    assert str(caught.value).startswith(SUBJECTS[read] + "the response is")
    assert len(server.heard) == 1


@both
def test_a_redirection_is_not_followed(read: Read) -> None:
    with (
        FaultyApiServer([answers(302, b"", Location="/login")]) as server,
        pytest.raises(Unreachable, match="HTTP 302"),
    ):
        read(server.reader())
    assert len(server.heard) == 1


# configuration


@pytest.fixture(autouse=True)
def _outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def write_kubeconfig(path: Path, server: str, user: Item) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    named_c = {"name": "c", "cluster": {"server": server}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    content = {
        "current-context": "x",
        "contexts": [context],
        "clusters": [named_c],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def service_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))

    def mount(token: str) -> None:
        (tmp_path / "token").write_text(token)
        (tmp_path / "ca.crt").write_text("not looked into before the first request")

    return mount


def test_the_kubeconfig_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with FaultyApiServer([sends(DB)]) as server:
        file = write_kubeconfig(
            tmp_path / "config", f"{server.url}/k8s/clusters/c-1", {"token": "t"}
        )
        monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{file}")
        assert get(KubernetesReader.connect(PATIENT)) == DB
    assert server.heard[0].path.startswith("/k8s/clusters/c-1/apis/kubevirt.io/")
    assert server.heard[0].headers["authorization"] == "Bearer t"


def test_without_an_environment_the_kubeconfig_at_home_is_used(tmp_path: Path) -> None:
    with FaultyApiServer([sends(DB)]) as server:
        write_kubeconfig(tmp_path / "home/.kube/config", server.url, {"token": "t"})
        assert get(KubernetesReader.connect(PATIENT)) == DB


def test_a_program_fetches_the_token_and_an_expired_one_anew_but_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "login"
    program.write_text(
        f"#!/bin/sh\necho run >> {tmp_path}/runs\n"
        f"expiry=$(cat {tmp_path}/expiry)\n"
        'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",'
        '"status": {"token": "fresh", "expirationTimestamp": "\'$expiry\'"}}\'\n'
    )
    program.chmod(0o700)
    user = {"exec": {"command": str(program), "apiVersion": "client.authentication.k8s.io/v1"}}
    (tmp_path / "expiry").write_text("2001-01-01T00:00:00Z")
    with FaultyApiServer([sends(DB)]) as server:
        file = write_kubeconfig(tmp_path / "config", server.url, user)
        monkeypatch.setenv("KUBECONFIG", str(file))
        reader = KubernetesReader.connect(Limits())
        (tmp_path / "expiry").write_text("2999-01-01T00:00:00Z")
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(lambda _: get(reader), range(16))) == [DB] * 16
    assert {heard.headers["authorization"] for heard in server.heard} == {"Bearer fresh"}
    assert (tmp_path / "runs").read_text().count("run") == 2


def test_in_a_cluster_the_service_account_is_used(service_account: Callable[[str], None]) -> None:
    service_account("of-the-pod")
    reader = KubernetesReader.connect(QUICK)
    assert reader._host == "https://127.0.0.1:1"
    assert reader._configuration.auth_settings()["BearerToken"]["value"] == "bearer of-the-pod"


def test_a_kubeconfig_that_was_named_goes_before_the_service_account(
    service_account: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service_account("of-the-pod")
    with FaultyApiServer([sends(DB)]) as server:
        file = write_kubeconfig(tmp_path / "config", server.url, {"token": "t"})
        monkeypatch.setenv("KUBECONFIG", str(file))
        assert get(KubernetesReader.connect(PATIENT)) == DB


@pytest.mark.usefixtures("service_account")
def test_a_pod_without_a_mounted_token_is_told_how_to_get_one() -> None:
    with pytest.raises(ReadFailed, match=r"token file does not exist; HINT: .*automount"):
        KubernetesReader.connect()


def test_a_service_account_whose_token_vanishes_is_an_error_that_says_so(
    service_account: Callable[[str], None], tmp_path: Path
) -> None:
    service_account("of-the-pod")
    reader = KubernetesReader.connect(QUICK)
    (tmp_path / "token").unlink()
    loader_clock = reader._configuration.refresh_api_key_hook
    assert loader_clock is not None
    loader = loader_clock.__closure__[0].cell_contents
    loader.token_expires_at = loader.token_expires_at.replace(year=2001)
    with pytest.raises(Unreachable, match=r"no credentials: No such file.*/token; HINT: renew"):
        get(reader)


def test_without_any_configuration_the_error_names_the_remedy() -> None:
    with pytest.raises(ReadFailed) as caught:
        KubernetesReader.connect()
    assert str(caught.value) == (
        "kubeconfig ~/.kube/config: cannot connect to a cluster: there is no such file; "
        "HINT: point KUBECONFIG at a kubeconfig with a current-context"
    )


def test_a_context_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    file = write_kubeconfig(tmp_path / "config", "https://127.0.0.1:1", {"token": "t"})
    with pytest.raises(ReadFailed) as caught:
        KubernetesReader.connect(file=f"{file}{os.pathsep}/no/such/file", context="typo")
    assert str(caught.value).endswith("; HINT: its contexts are x")
    assert "there is no context 'typo'" in str(caught.value)


def test_a_context_does_without_a_current_one(tmp_path: Path) -> None:
    file = write_kubeconfig(tmp_path / "config", "https://127.0.0.1:1", {"token": "t"})
    content = yaml.safe_load(file.read_text())
    del content["current-context"]
    file.write_text(yaml.safe_dump(content))
    KubernetesReader.connect(file=str(file), context="x")
    with pytest.raises(ReadFailed, match="HINT: its contexts are x"):
        KubernetesReader.connect(file=str(file), context="typo")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "just text",
        "current-context: x",
        "current-context: x\ncontexts: [{name: y}]",
        "current-context: x\ncontexts: 7",
        "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c}]",
        (
            "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: "
            "[{name: c, cluster: {server: 'https://h', certificate-authority-data: 'x'}}]}"
        ),
    ],
)
def test_a_broken_kubeconfig_is_an_error_that_names_it(
    content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(ReadFailed, match=f"kubeconfig {file}: cannot connect to a cluster: .+HINT"):
        KubernetesReader.connect()


def test_an_error_about_a_kubeconfig_never_quotes_its_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = {"auth-provider": {"name": "oidc", "config": {"client-secret": "s3cret"}}}
    file = write_kubeconfig(tmp_path / "config", "https://127.0.0.1:1", user)
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(ReadFailed) as caught:
        KubernetesReader.connect()
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_reader_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with FaultyApiServer([sends(DB)]) as server:
        get(server.reader())
    assert threading.active_count() <= before  # one of another test may have ended


def test_a_core_resource_that_is_not_served_means_a_server_that_is_none() -> None:
    with FaultyApiServer([status(404, "page not found")]) as server:
        with pytest.raises(ReadFailed, match=r"pods in namespace shop: cannot list: .*404"):
            server.reader().list(PODS, "shop")
        assert server.reader().get(PODS, "shop", "db") is None
