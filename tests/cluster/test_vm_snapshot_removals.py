"""`stillpoint snapshot delete` and `prune`, whose controller is a stand-in."""

import json
from collections.abc import Iterator
from pathlib import Path

import fastjsonschema
import pytest

from stillpoint.cluster.kubernetes_writer import KubernetesWriter
from stillpoint.model.errors import Unreachable
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from tests.cluster.api import Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.restore_controller import RESTORE, RestoreController
from tests.cluster.snapshot_controller import CONTENT, SNAPSHOT, VOLUME_SNAPSHOT
from tests.cluster.vm_snapshots import Account
from tests.unit.cli.screen import Screen

NAMESPACE = "vm-removals"
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs/vm-snapshot-removals.schema.json").read_text()
)
OFF = Machine(NAMESPACE, "off", is_running=False, has_instancetype=False)
LIVE = Machine(NAMESPACE, "live", has_instancetype=False)


@pytest.fixture(scope="module")
def controller(cluster_without_velero: Cluster) -> Iterator[RestoreController]:
    cluster = cluster_without_velero
    cluster.create_namespace(NAMESPACE)
    cluster.create_vms((OFF, LIVE))
    with RestoreController(cluster.api, [NAMESPACE]) as running:
        yield running


@pytest.fixture
def account(
    cluster_without_velero: Cluster,
    controller: RestoreController,
    capsys: pytest.CaptureFixture[str],
) -> Account:
    del controller
    return Account(cluster_without_velero, NAMESPACE, capsys)


def test_a_deleted_snapshot_goes_with_its_content(account: Account) -> None:
    assert account.call("create", "off", "--name", "gone", "--wait") == 0
    status, document = removed(account, "delete", "gone", "--wait")
    assert (status, document["snapshots"][0]["outcome"]) == (0, "gone")
    assert document["remains"] == [{"namespace": NAMESPACE, "contents": [], "volumeSnapshots": []}]
    assert not account.cluster.api.list(*SNAPSHOT, NAMESPACE)
    assert not account.cluster.api.list(*CONTENT, NAMESPACE)


def test_a_content_that_is_to_be_kept_is_named_when_its_snapshot_is_gone(account: Account) -> None:
    api = account.cluster.api
    assert account.call("create", "off", "--name", "kept", "--retain", "--wait") == 0
    status, output, errors = account.run("delete", "kept", "--wait")
    assert status == 0
    assert "its content stays" in errors
    [content] = [one["metadata"]["name"] for one in api.list(*CONTENT, NAMESPACE)]
    assert content in output
    assert api.list(*VOLUME_SNAPSHOT, NAMESPACE)
    api.delete(*CONTENT, NAMESPACE, content)


def test_a_snapshot_that_a_restore_goes_on_from_is_not_deleted(account: Account) -> None:
    api = account.cluster.api
    assert account.call("create", "live", "--name", "used", "--wait") == 0
    policy = ("--target-readiness-policy", "WaitEventually")
    assert account.call("restore", "used", "--name", "later", *policy) == 0
    status, _, errors = account.run("delete", "used")
    assert status == 1
    assert "a restore from it is under way" in errors
    assert api.find(*SNAPSHOT, NAMESPACE, "used")
    api.delete(*RESTORE, NAMESPACE, "later")
    wait_until(lambda: api.find(*RESTORE, NAMESPACE, "later") is None, "the restore is gone")
    assert account.call("delete", "used", "--wait") == 0


def test_prune_says_first_what_goes_and_leaves_the_last_good_one(
    account: Account, controller: RestoreController
) -> None:
    api = account.cluster.api
    for name in ("first", "second", "third"):
        assert account.call("create", "off", "--name", name, "--wait") == 0
    status, output, errors = account.run("prune", "off", "--keep", "0")
    assert status == 0
    assert "the last good one" in output
    assert "Nothing was deleted" in errors
    assert len(api.list(*SNAPSHOT, NAMESPACE)) == 3
    status, document = removed(account, "prune", "off", "--keep", "0", "--delete", "--wait")
    assert status == 0
    assert [one["outcome"] for one in document["snapshots"]] == ["gone", "gone", "untouched"]
    left = [one["metadata"]["name"] for one in api.list(*SNAPSHOT, NAMESPACE)]
    assert left == [document["snapshots"][-1]["name"]]
    assert controller.error is None


def test_a_snapshot_that_is_made_again_while_the_question_stands_is_not_deleted(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = account.cluster.api
    assert account.call("create", "off", "--name", "twice", "--wait") == 0
    old = api.get(*SNAPSHOT, NAMESPACE, "twice")["metadata"]["uid"]

    class Slow(Screen):
        """A person who answers when somebody else has made the snapshot again."""

        def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
            del size
            api.delete(*SNAPSHOT, NAMESPACE, "twice")
            wait_until(lambda: api.find(*SNAPSHOT, NAMESPACE, "twice") is None, "it is gone")
            assert account.call("create", "off", "--name", "twice", "--wait", "--yes") == 0
            return "y\n"

    errors = Screen()
    monkeypatch.setattr("sys.stdin", Slow())
    monkeypatch.setattr("sys.stderr", errors)
    assert account.call("delete", "twice") == 1
    assert "twice is not deleted: it is another one, made meanwhile" in errors.getvalue()
    assert api.get(*SNAPSHOT, NAMESPACE, "twice")["metadata"]["uid"] != old
    with pytest.raises(Unreachable, match="HTTP 409"):
        writer(account).delete(virtual_machine_snapshot.RESOURCE, NAMESPACE, "twice", uid=old)
    assert api.find(*SNAPSHOT, NAMESPACE, "twice")


def writer(account: Account) -> KubernetesWriter:
    return KubernetesWriter.connect(None, str(account.cluster.control_plane.kubeconfig(NAMESPACE)))


def test_prune_without_a_rule_is_wrong_usage(account: Account) -> None:
    with pytest.raises(SystemExit) as ended:
        account.run("prune")
    assert ended.value.code == 2


def removed(account: Account, *arguments: str) -> tuple[int, Object]:
    status, output, errors = account.run(*arguments, "--output", "json")
    assert output, errors
    document = json.loads(output)
    fastjsonschema.compile(SCHEMA)(document)
    return status, document
