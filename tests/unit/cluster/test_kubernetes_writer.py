import orjson
import pytest

from stillpoint.cluster.kubernetes_writer import KubernetesWriter, StrictWriter
from stillpoint.model.errors import Denied, Forbidden, ReadFailed, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from tests.unit.cluster.faulty_api_server import (
    FaultyApiServer,
    Reply,
    answers,
    closes,
    sends,
    status,
)

VIRTUAL_MACHINES = Resource("kubevirt.io", "v1", "virtualmachines", "VirtualMachine")
CHANGE: Item = {"metadata": {"annotations": {"a": None}}, "spec": {"runStrategy": "Always"}}
DONE = sends({"kind": "VirtualMachine", "metadata": {"name": "db", "namespace": "shop"}})


def patch(writer: KubernetesWriter) -> None:
    writer.patch(VIRTUAL_MACHINES, "shop", "db", CHANGE)


def test_a_patch_sends_the_change_to_the_object_and_nothing_else() -> None:
    with FaultyApiServer([DONE]) as server:
        patch(server.reader())
    [heard] = server.heard
    assert heard.method == "PATCH"
    assert heard.path == "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db"
    assert heard.query == {}
    assert heard.headers["content-type"] == "application/merge-patch+json"
    assert heard.body == b'{"metadata":{"annotations":{"a":null}},"spec":{"runStrategy":"Always"}}'


def test_a_patch_gives_the_object_as_it_is_then() -> None:
    with FaultyApiServer([DONE]) as server:
        found = server.reader().patch(VIRTUAL_MACHINES, "shop", "db", CHANGE)
    assert found["metadata"] == {"name": "db", "namespace": "shop"}


def test_a_subresource_is_patched_by_its_own_path_and_right() -> None:
    with FaultyApiServer([DONE, status(403)]) as server:
        client = server.reader()
        client.patch(VIRTUAL_MACHINES, "shop", "db", CHANGE, "status")
        with pytest.raises(Forbidden, match=r'resources: \["virtualmachines/status"\]'):
            client.patch(VIRTUAL_MACHINES, "shop", "db", CHANGE, "status")
    path = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db/status"
    assert [heard.path for heard in server.heard] == [path, path]


def test_a_read_after_it_is_a_read() -> None:
    with FaultyApiServer([DONE]) as server:
        client = server.reader()
        patch(client)
        client.get(VIRTUAL_MACHINES, "shop", "db")
    assert [(heard.method, heard.body) for heard in server.heard][1] == ("GET", b"")
    assert "content-type" not in server.heard[1].headers


@pytest.mark.parametrize("failure", [status(503, Retry_After="0"), status(429), closes])
def test_a_patch_whose_answer_was_lost_or_put_off_is_sent_again(failure: object) -> None:
    with FaultyApiServer([failure, DONE]) as server:  # type: ignore[list-item]
        patch(server.reader())
    assert [heard.method for heard in server.heard] == ["PATCH", "PATCH"]


def test_an_object_that_was_changed_meanwhile_is_left_and_the_error_says_so() -> None:
    modified = status(409, "the object has been modified")
    with FaultyApiServer([modified]) as server, pytest.raises(Unreachable) as caught:
        patch(server.reader())
    assert str(caught.value) == (
        "virtualmachines.kubevirt.io shop/db: cannot patch: HTTP 409: the object has been modified"
    )
    assert len(server.heard) == 1


def test_an_object_that_is_gone_is_an_error_not_a_success() -> None:
    with FaultyApiServer([status(404)]) as server, pytest.raises(Unreachable, match="404"):
        patch(server.reader())


def test_a_missing_right_is_named_with_the_rule_that_grants_it() -> None:
    with FaultyApiServer([status(403)]) as server, pytest.raises(Forbidden) as caught:
        patch(server.reader())
    assert "no right to patch virtualmachines.kubevirt.io in namespace shop" in str(caught.value)
    assert 'resources: ["virtualmachines"], verbs: ["patch"]' in str(caught.value)


WEBHOOK = 'admission webhook "p.example" denied the request: User "velero" cannot do this'
NAMED = 'virtualmachines.kubevirt.io "db" is forbidden: '


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (NAMED + "exceeded quota: few, requested: count=1, used: count=9", "that ResourceQuota"),
        (NAMED + "failed quota: few: must specify limits.cpu", "that ResourceQuota"),
        (
            NAMED + "unable to create new content in namespace shop because it is being terminated",
            "wait until the namespace is gone",
        ),
        (NAMED + "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "policy"),
        (WEBHOOK, "webhook or policy that the message names"),
    ],
    ids=["exceeded quota", "failed quota", "namespace in deletion", "policy", "webhook"],
)
def test_what_admission_refuses_is_no_missing_right(message: str, hint: str) -> None:
    with FaultyApiServer([status(403, message)]) as server, pytest.raises(Denied) as caught:
        server.reader().create(VIRTUAL_MACHINES, NEW)
    assert not isinstance(caught.value, Forbidden)
    assert f"cannot create: HTTP 403: {message}"[:400] in str(caught.value)
    assert hint in caught.value.hint
    assert "no right" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        status(403, NAMED + 'User "velero" cannot create resource "virtualmachines"'),
        status(403, ""),
        answers(403, b"<html>"),
    ],
    ids=["authorizer", "no message", "a proxy"],
)
def test_what_may_be_a_missing_right_is_told_as_one(reply: Reply) -> None:
    with FaultyApiServer([reply]) as server, pytest.raises(Forbidden, match="has no right to cre"):
        server.reader().create(VIRTUAL_MACHINES, NEW)


def test_a_read_passes_no_admission() -> None:
    with FaultyApiServer([status(403, WEBHOOK)]) as server, pytest.raises(Forbidden):
        server.reader().get(VIRTUAL_MACHINES, "shop", "db")


NEW: Item = {"kind": "VirtualMachine", "metadata": {"name": "db", "namespace": "shop"}}


def test_an_object_is_created_in_its_namespace_under_its_name() -> None:
    with FaultyApiServer([answers(201, orjson.dumps(NEW))]) as server:
        assert server.reader().create(VIRTUAL_MACHINES, NEW) == NEW
    [heard] = server.heard
    assert (heard.method, heard.path) == (
        "POST",
        "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines",
    )
    assert heard.headers["content-type"] == "application/json"


def test_a_strict_writer_lets_no_field_be_dropped() -> None:
    with FaultyApiServer([answers(201, orjson.dumps(NEW))]) as server:
        server.reader(kind=StrictWriter).create(VIRTUAL_MACHINES, NEW)
    [heard] = server.heard
    assert heard.query == {"fieldValidation": "Strict"}
    assert orjson.loads(heard.body) == NEW


def test_one_that_is_there_was_created_by_a_request_whose_answer_was_lost() -> None:
    with FaultyApiServer([closes, status(409, "already exists")]) as server:
        assert server.reader().create(VIRTUAL_MACHINES, NEW) is None
    assert len(server.heard) == 2


def test_a_creation_that_is_refused_is_an_error_with_the_rule_that_grants_it() -> None:
    with FaultyApiServer([status(403)]) as server, pytest.raises(Forbidden) as caught:
        server.reader().create(VIRTUAL_MACHINES, NEW)
    assert 'verbs: ["create"]' in str(caught.value)


@pytest.mark.parametrize("reply", [sends({"kind": "Status"}), status(404), answers(202, b"{}")])
def test_an_object_is_deleted_or_is_gone_already(reply: Reply) -> None:
    with FaultyApiServer([closes, reply]) as server:
        server.reader().delete(VIRTUAL_MACHINES, "shop", "db")
    assert [(heard.method, heard.path) for heard in server.heard] == 2 * [
        ("DELETE", "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db")
    ]


def test_a_deletion_is_of_the_object_that_is_meant_and_as_it_was_seen() -> None:
    with FaultyApiServer([closes, sends({"kind": "Status"})]) as server:
        server.reader().delete(VIRTUAL_MACHINES, "shop", "db", uid="u-1", version="7")
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": {"uid": "u-1", "resourceVersion": "7"},
    }
    assert [orjson.loads(heard.body) for heard in server.heard] == [body, body]


@pytest.mark.parametrize(("code", "error"), [(403, Forbidden), (409, Unreachable)])
def test_a_deletion_that_is_refused_is_an_error(code: int, error: type[Exception]) -> None:
    with FaultyApiServer([status(code)]) as server, pytest.raises(error, match="cannot delete"):
        server.reader().delete(VIRTUAL_MACHINES, "shop", "db")


INSTANCES = Resource("subresources.kubevirt.io", "v1", "virtualmachineinstances", "")


@pytest.mark.parametrize("code", [200, 202])
def test_a_subresource_is_asked_for_without_a_body_and_may_have_none_to_give(code: int) -> None:
    with FaultyApiServer([answers(code, b"")]) as server:
        server.reader().put(INSTANCES, "shop", "db", "unfreeze")
    [heard] = server.heard
    path = "/apis/subresources.kubevirt.io/v1/namespaces/shop/virtualmachineinstances/db/unfreeze"
    assert (heard.method, heard.path, heard.body) == ("PUT", path, b"")


@pytest.mark.parametrize("failure", [status(500, "the agent is away"), status(503), closes])
def test_what_a_subresource_does_is_asked_for_once(failure: Reply) -> None:
    with FaultyApiServer([failure]) as server, pytest.raises(ReadFailed, match="cannot update"):
        server.reader().put(INSTANCES, "shop", "db", "unfreeze")
    assert len(server.heard) == 1


def test_a_missing_right_to_a_subresource_is_named_with_the_rule_that_grants_it() -> None:
    with FaultyApiServer([status(403)]) as server, pytest.raises(Forbidden) as caught:
        server.reader().put(INSTANCES, "shop", "db", "unfreeze")
    assert "no right to update virtualmachineinstances/unfreeze.subresources." in str(caught.value)
    rule = 'resources: ["virtualmachineinstances/unfreeze"], verbs: ["update"]'
    assert rule in str(caught.value)
