"""`stillpoint snapshot restore` on disks whose bytes are compared; its controller is a stand-in."""

import json
from collections.abc import Iterator
from pathlib import Path

import fastjsonschema
import pytest

from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Disk, Machine
from tests.cluster.namespaces import wait_until
from tests.cluster.restore_controller import RESTORE, RestoreController
from tests.cluster.snapshot_controller import CLAIM, INSTANCE, MACHINE
from tests.cluster.vm_snapshots import Account

NAMESPACE = "vm-restores"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/vm-restores.schema.json").read_text())
THEN, NOW = b"as of the snapshot", b"written since then"
DB = Machine(
    NAMESPACE, "db", (Disk("root"), Disk("data", "Block")), is_running=False, has_instancetype=False
)
LIVE = Machine(NAMESPACE, "live", has_instancetype=False)
SITE = Machine(NAMESPACE, "site", is_running=False, has_instancetype=False)
SAFE = Machine(NAMESPACE, "safe", is_running=False, has_instancetype=False)
POLICY = "--target-readiness-policy"


@pytest.fixture(scope="module")
def controller(cluster_without_velero: Cluster) -> Iterator[RestoreController]:
    """Each machine has a snapshot of its own name, and other bytes since."""
    cluster = cluster_without_velero
    cluster.create_namespace(NAMESPACE)
    cluster.create_vms((DB, LIVE, SITE, SAFE))
    give_state(cluster, "safe")
    claims = ("db-root", "db-data", "live-root", "site-root", "safe-root")
    for claim in claims:
        write(cluster, claim, THEN)
    with RestoreController(cluster.api, [NAMESPACE]) as running:
        account = Account(cluster, NAMESPACE, None)
        for machine in ("db", "live", "site", "safe"):
            assert account.call("create", machine, "--name", machine, "--wait") == 0
        for claim in claims:
            write(cluster, claim, NOW)
        yield running


@pytest.fixture
def account(
    cluster_without_velero: Cluster,
    controller: RestoreController,
    capsys: pytest.CaptureFixture[str],
) -> Account:
    del controller
    return Account(cluster_without_velero, NAMESPACE, capsys)


def test_a_machine_that_is_off_gets_the_bytes_of_its_snapshot(account: Account) -> None:
    status, document = completed(account, "restore", "db", "--name", "undo", "--wait")
    [found] = document["restores"]
    assert (status, found["outcome"]) == (0, "complete")
    assert sorted(found["deletedDataVolumes"]) == ["db-data", "db-root"]
    claims = {each["volume"]: each["claim"] for each in found["volumes"]}
    assert claims.keys() == {"root", "data"}
    for claim in claims.values():
        assert account.cluster.disk_image(NAMESPACE, claim).read_bytes().startswith(THEN)
    machine = account.cluster.api.get(*MACHINE, NAMESPACE, "db")
    volumes = machine["spec"]["template"]["spec"]["volumes"]
    assert [each["dataVolume"]["name"] for each in volumes[:2]] == list(claims.values())
    assert "restoreInProgress" not in machine["status"]
    write(account.cluster, claims["root"], NOW)
    status, document = completed(account, "restore", "db", "--name", "undo-again", "--wait")
    again = {each["volume"]: each["claim"] for each in document["restores"][0]["volumes"]}
    assert (status, again["root"] == claims["root"]) == (0, False)
    assert account.cluster.disk_image(NAMESPACE, again["root"]).read_bytes().startswith(THEN)


def test_in_place_each_claim_keeps_its_name_and_gets_the_bytes_of_the_snapshot(
    account: Account,
) -> None:
    api = account.cluster.api
    before = api.get(*CLAIM, NAMESPACE, "site-root")["metadata"]["uid"]
    in_place = ("--volume-restore-policy", "InPlace", "--wait")
    status, document = completed(account, "restore", "site", *in_place)
    [found] = document["restores"]
    assert (status, found["outcome"], found["deletedDataVolumes"]) == (0, "complete", [])
    assert [each["claim"] for each in found["volumes"]] == ["site-root"]
    claim = api.get(*CLAIM, NAMESPACE, "site-root")
    assert claim["metadata"]["uid"] != before
    assert account.cluster.disk_image(NAMESPACE, "site-root").read_bytes().startswith(THEN)


def test_a_new_machine_beside_it_has_its_own_disks_address_and_uuid(account: Account) -> None:
    arguments = ("--to", "copy", "--volume-restore-policy", "PrefixTargetName", "--wait")
    labelled = ("--volume-name", "root=other", "--volume-label", "root:tier=test")
    patch = '{"op": "add", "path": "/spec/template/spec/hostname", "value": "copy"}'
    status, document = completed(
        account, "restore", "live", *arguments, *labelled, "--patch", patch
    )
    [found] = document["restores"]
    assert (status, [each["claim"] for each in found["volumes"]]) == (0, ["other"])
    api = account.cluster.api
    assert api.get(*CLAIM, NAMESPACE, "other")["metadata"]["labels"]["tier"] == "test"
    assert account.cluster.disk_image(NAMESPACE, "other").read_bytes().startswith(THEN)
    guest = api.get(*MACHINE, NAMESPACE, "copy")["spec"]["template"]["spec"]
    assert guest["hostname"] == "copy"
    assert "macAddress" not in guest["domain"]["devices"]["interfaces"][0]
    assert guest["domain"]["firmware"] == {}
    assert account.cluster.disk_image(NAMESPACE, "live-root").read_bytes().startswith(NOW)


def test_a_machine_that_runs_is_refused_or_stopped_first(account: Account) -> None:
    status, _, errors = account.run("restore", "live")
    assert status == 1
    assert "target-runs" in errors
    by_name = ("--volume-restore-policy", "PrefixTargetName")  # live-root, which exists
    status, _, errors = account.run("restore", "live", POLICY, "StopTarget", *by_name)
    assert (status, "claims-exist" in errors) == (1, True)
    status, document = completed(account, "restore", "live", POLICY, "StopTarget", "--wait")
    assert status == 0
    assert account.cluster.api.find(*INSTANCE, NAMESPACE, "live") is None
    assert document["restores"][0]["outcome"] == "complete"


def test_kubevirt_waits_five_minutes_and_not_five_of_anything(account: Account) -> None:
    with pytest.raises(SystemExit) as ended:
        account.run("restore", "live", POLICY, "WaitGracePeriod 5")
    assert ended.value.code == 2
    assert "its five minutes are fixed" in account.errors()
    with pytest.raises(ApiError, match="targetReadinessPolicy"):
        account.cluster.api.create(
            restore("five", "live", targetReadinessPolicy="WaitGracePeriod 5")
        )


def test_a_vtpm_goes_back_into_its_own_machine_alone(account: Account) -> None:
    status, _, errors = account.run("restore", "safe", "--to", "other-safe")
    assert status == 1
    assert "persistent-state" in errors
    status, document = completed(account, "restore", "safe", "--wait")
    assert status == 0
    claims = {each["volume"]: each["claim"] for each in document["restores"][0]["volumes"]}
    labels = account.cluster.api.get(*CLAIM, NAMESPACE, claims["persistent-state-for-safe"])
    assert labels["metadata"]["labels"]["persistent-state-for"] == "safe"


def test_a_dry_run_prints_the_object_and_makes_nothing(account: Account) -> None:
    status, output, _ = account.run("restore", "db", "--to", "dry", "--name", "dry", "--dry-run")
    assert status == 0
    made = json.loads(output)
    assert made["spec"]["target"]["name"] == "dry"
    assert account.cluster.api.find(*RESTORE, NAMESPACE, "dry") is None
    account.cluster.api.create(made)
    wait_until(lambda: is_complete(account, "dry"), "the printed object works")


def test_another_machine_of_that_name_is_never_overwritten(account: Account) -> None:
    status, _, errors = account.run("restore", "db", "--to", "live")
    assert status == 1
    assert "target-differs" in errors


def test_a_data_source_that_is_gone_is_found_before_kubevirt_hangs(account: Account) -> None:
    api = account.cluster.api
    where = ("snapshot.kubevirt.io/v1beta1", "VirtualMachineSnapshotContent", NAMESPACE)
    [content] = [
        each for each in api.list(*where) if each["spec"]["virtualMachineSnapshotName"] == "db"
    ]
    before = content["spec"]["source"]["virtualMachine"]
    templates = json.loads(json.dumps(before["spec"]["dataVolumeTemplates"]))
    templates[0]["spec"]["sourceRef"] = {"kind": "DataSource", "name": "fedora"}
    name = content["metadata"]["name"]
    for value in (templates, before["spec"]["dataVolumeTemplates"]):
        change = {"spec": {"dataVolumeTemplates": value}}
        api.patch(*where, name, {"spec": {"source": {"virtualMachine": change}}})
        if value is templates:
            status, _, errors = account.run("restore", "db", "--to", "from-source")
            assert status == 1
            assert "data-source-missing" in errors


def test_a_snapshot_whose_disks_somebody_deleted_is_refused_and_not_waited_for(
    account: Account,
) -> None:
    api = account.cluster.api
    assert account.call("create", "db", "--name", "robbed", "--wait") == 0
    [found] = account.json("show", "robbed")[1]["snapshots"]
    gone = found["disks"][0]["volumeSnapshot"]
    api.delete("snapshot.storage.k8s.io/v1", "VolumeSnapshot", NAMESPACE, gone)
    wait_until(
        lambda: api.find("snapshot.storage.k8s.io/v1", "VolumeSnapshot", NAMESPACE, gone) is None,
        "it is gone",
    )
    status, _, errors = account.run("restore", "robbed")
    assert status == 1
    assert "volume-snapshot-missing" in errors
    wait_until(
        lambda: account.json("show", "robbed")[1]["snapshots"][0]["standing"] == "failed",
        "KubeVirt has looked again",
    )
    status, output, _ = account.run("wait", "robbed")
    assert status == 1
    assert f"({gone}) missing" in output


def completed(account: Account, *arguments: str) -> tuple[int, Object]:
    status, output, errors = account.run(*arguments, "--output", "json")
    assert output, errors
    document = json.loads(output)
    fastjsonschema.compile(SCHEMA)(document)
    return status, document


def is_complete(account: Account, name: str) -> bool:
    found = account.cluster.api.get(*RESTORE, NAMESPACE, name)
    return bool(found.get("status", {}).get("complete"))


def restore(name: str, snapshot: str, **specification: str) -> Object:
    target = {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": snapshot}
    return {
        "apiVersion": RESTORE[0],
        "kind": RESTORE[1],
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"target": target, "virtualMachineSnapshotName": snapshot, **specification},
    }


def write(cluster: Cluster, claim: str, content: bytes) -> None:
    image = cluster.disk_image(NAMESPACE, claim)
    if image.is_file() and image.stat().st_size:
        with image.open("r+b") as file:
            file.write(content)
    else:
        image.write_bytes(content)


def give_state(cluster: Cluster, machine: str) -> None:
    """A persistent vTPM, and the claim of its state."""
    api = cluster.api
    tpm = {"domain": {"devices": {"tpm": {"persistent": True}}}}
    api.patch(*MACHINE, NAMESPACE, machine, {"spec": {"template": {"spec": tpm}}})
    name = f"persistent-state-for-{machine}-x7k2p"
    api.create(
        {
            "apiVersion": CLAIM[0],
            "kind": CLAIM[1],
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": {"persistent-state-for": machine},
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Mi"}},
                "storageClassName": "disks",
            },
        }
    )
    wait_until(
        lambda: api.get(*CLAIM, NAMESPACE, name)["status"].get("phase") == "Bound", "it is bound"
    )
