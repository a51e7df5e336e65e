"""`stillpoint snapshot clone` on disks whose bytes are compared; its controller is a stand-in."""

import json
from collections.abc import Iterator
from pathlib import Path

import fastjsonschema
import pytest

from tests.cluster.api import Object
from tests.cluster.clone_controller import CLONE, CloneController
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.snapshot_controller import MACHINE, SNAPSHOT
from tests.cluster.vm_snapshots import Account

NAMESPACE = "vm-clones"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/vm-clones.schema.json").read_text())
BYTES = b"of the machine that is cloned"
DB = Machine(NAMESPACE, "db", has_instancetype=False)


@pytest.fixture(scope="module")
def controller(cluster_without_velero: Cluster) -> Iterator[CloneController]:
    cluster = cluster_without_velero
    cluster.create_namespace(NAMESPACE)
    cluster.create_vm(DB)
    cluster.disk_image(NAMESPACE, "db-root").write_bytes(BYTES)
    with CloneController(cluster.api, [NAMESPACE]) as running:
        yield running


@pytest.fixture
def account(
    cluster_without_velero: Cluster,
    controller: CloneController,
    capsys: pytest.CaptureFixture[str],
) -> Account:
    del controller
    return Account(cluster_without_velero, NAMESPACE, capsys)


def test_a_running_machine_is_cloned_with_an_address_of_its_own(account: Account) -> None:
    address = "02-00-00-00-00-07"
    status, document = cloned(
        account, "db", "--to", "copy", "--wait", "--mac", f"default={address}",
        "--volume-name-policy", "PrefixTargetName",
    )  # fmt: skip
    [found] = document["clones"]
    assert (status, found["outcome"], found["target"]) == (0, "complete", "copy")
    api = account.cluster.api
    guest = api.get(*MACHINE, NAMESPACE, "copy")["spec"]["template"]["spec"]
    assert guest["domain"]["devices"]["interfaces"][0]["macAddress"] == address
    assert account.cluster.disk_image(NAMESPACE, "copy-root").read_bytes().startswith(BYTES)
    wait_until(lambda: not api.list(*SNAPSHOT, NAMESPACE), "its own snapshot is gone")


def test_a_snapshot_is_cloned_and_stays(account: Account) -> None:
    assert account.call("create", "db", "--name", "source", "--wait") == 0
    status, document = cloned(account, "source", "--snapshot", "--to", "from-snapshot", "--wait")
    assert (status, document["clones"][0]["outcome"]) == (0, "complete")
    assert account.cluster.api.find(*SNAPSHOT, NAMESPACE, "source")


def test_what_kubevirt_would_wait_for_without_end_is_refused(account: Account) -> None:
    api = account.cluster.api
    status, _, errors = account.run("clone", "db", "--to", "db")
    assert status == 1
    assert "target-exists" in errors
    machine = api.get(*MACHINE, NAMESPACE, "db")
    before = machine["status"]
    api.replace_status(machine, {**before, "volumeSnapshotStatuses": []})
    status, document = cloned(account, "db", "--to", "never")
    assert status == 1
    assert [one["code"] for one in document["intended"][0]["reasons"]] == ["support-not-said"]
    api.replace_status(machine, before)
    assert api.find(*MACHINE, NAMESPACE, "never") is None


def test_a_dry_run_prints_the_object_and_makes_nothing(account: Account) -> None:
    status, output, _ = account.run("clone", "db", "--to", "dry", "--name", "dry", "--dry-run")
    assert status == 0
    assert json.loads(output)["spec"]["target"]["name"] == "dry"
    assert account.cluster.api.find(*CLONE, NAMESPACE, "dry") is None


def test_an_address_with_colons_is_wrong_usage(account: Account) -> None:
    with pytest.raises(SystemExit) as ended:
        account.run("clone", "db", "--to", "copy", "--mac", "default=02:00:00:00:00:07")
    assert ended.value.code == 2
    assert "dashes" in account.errors()


def cloned(account: Account, *arguments: str) -> tuple[int, Object]:
    status, output, errors = account.run("clone", *arguments, "--output", "json")
    assert output, errors
    document = json.loads(output)
    fastjsonschema.compile(SCHEMA)(document)
    return status, document
