"""A folder as `oc adm must-gather` leaves it, alone, with other dumps in it, and spoilt."""

import gzip
from itertools import cycle
from pathlib import Path

import pytest
import yaml

from stillpoint.check import dump, folder, report
from stillpoint.check.report import Report
from stillpoint.model import item as it
from tests.unit.check import world
from tests.unit.check.dumps import INSPECTED, OF_MUST_GATHER, Dump, live, must_gather

GATHERED = {"ClusterVersion", *OF_MUST_GATHER}

OPEN_WITHOUT_MACHINES = {
    "disk-without-csi", "no-snapshot-class", "snapshot-class-not-chosen",
    "several-snapshot-classes", "snapshots-deleted-with-object", "storage-profile-empty",
    "policy-misses-driver", "machine-without-schedule", "hook-shorter-than-freeze",
    "node-selector-without-node", "rights-missing",
}  # fmt: skip
"""What OADP's must-gather alone does not say: it has no machines, disks, nodes and roles."""


def judged(path: Path) -> Report:
    return report.judge(folder.of_folder(path, (), lambda *_: None))


def mixed(path: Path) -> Dump:
    """A must-gather, and what it lacks in several layouts beside each other."""
    of = live(world.objects())
    made = must_gather(path, of)
    rest = [one for one in of if one["kind"] not in GATHERED and it.namespace(one) not in INSPECTED]
    made.each([one for one in rest if one["kind"] == "Node"])
    made.list(
        [one for one in rest if one["kind"] == "PersistentVolume"], kind="PersistentVolumeList"
    )
    made.each([one for one in rest if one["kind"] in ("VirtualMachine", "CDI")], is_packed=True)
    made.pods([one for one in rest if one["kind"] == "Pod"])
    single = {"Node", "PersistentVolume", "VirtualMachine", "CDI", "Pod"}
    others = [one for one in rest if one["kind"] not in single]
    (path / "dump.yaml").write_text(yaml.safe_dump_all(others))
    return made


def test_a_dump_of_all_has_no_finding(tmp_path: Path) -> None:
    mixed(tmp_path)
    found = judged(tmp_path)
    assert world.codes(found) == set()
    assert found.open == ()
    assert found.case.known.unread == ()


def test_a_must_gather_alone_is_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    must_gather(tmp_path, live(world.objects()))
    found = judged(tmp_path)
    assert world.codes(found) == set()
    assert world.open_codes(found) == OPEN_WITHOUT_MACHINES
    assert "OADP 1.5 in openshift-adp" in found.versions


def test_the_time_of_a_must_gather_is_that_of_its_end(tmp_path: Path) -> None:
    made = must_gather(tmp_path, world.objects())
    assert max(dump.times(tmp_path)) == world.NOW
    assert not list(dump.times(made.root / "namespaces"))
    of = world.objects()
    world.put("BackupStorageLocation", "2026-11-01T11:49:00Z", "status", "lastValidationTime")(of)
    must_gather(tmp_path / "late", of)
    assert world.codes(judged(tmp_path / "late")) == {"location-validation-old"}


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("x/namespaces/shop/velero.io/backups/backups.yaml", "backups.velero.io"),
        ("namespaces/shop/velero.io/backups/nightly.yaml.gz", "backups.velero.io"),
        ("namespaces/shop/core/secrets.yaml", "secrets"),
        ("namespaces/shop/core/configmaps/x.yaml", "configmaps"),
        ("namespaces/shop/pods/db/db.yaml", "pods"),
        ("namespaces/shop/shop.yaml", "namespaces"),
        ("cluster-scoped-resources/core/nodes/worker.yaml", "nodes"),
        ("cluster-scoped-resources/config.openshift.io/clusterversions.yaml",
         "clusterversions.config.openshift.io"),
        ("dump.yaml", None),
        ("namespaces/shop.yaml", None),
    ],
)  # fmt: skip
def test_the_place_of_a_file_says_of_what_it_is(path: str, resource: str | None) -> None:
    assert dump.resource_of(Path(path)) == resource


def files(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*.yaml*") if one.is_file())


SPOILT = (
    b"",
    b"kind: [",
    b"\x00\xff",
    b"apiVersion: v1\nkind: Secret\n",
    b"{}\n--- \n'",
    b"\x1f\x8b",
)


def test_each_spoilt_file_is_told_by_name_and_the_rest_is_judged(tmp_path: Path) -> None:
    mixed(tmp_path)
    for file, content in zip(files(tmp_path), cycle(SPOILT), strict=False):
        kept = file.read_bytes()
        file.write_bytes(content)
        found = judged(tmp_path)
        assert world.codes(found) == set(), file
        (unread,) = found.case.known.unread
        assert str(file.relative_to(tmp_path)) in unread.resource
        file.write_bytes(kept)


def test_a_spoilt_file_in_no_known_place_leaves_every_resource_open(tmp_path: Path) -> None:
    mixed(tmp_path)
    (tmp_path / "more.yaml").write_text("kind: [")
    found = judged(tmp_path)
    assert world.codes(found) == set()
    assert "no-schedule" in world.open_codes(found)


def test_what_a_spoilt_file_leaves_open_hides_no_finding(tmp_path: Path) -> None:
    made = mixed(tmp_path)
    backups = made.root / "namespaces/openshift-adp/velero.io/backups/backups.yaml"
    backups.write_text("kind: List\nitems: [{")
    classes = "cluster-scoped-resources/snapshot.storage.k8s.io/volumesnapshotclasses"
    file = made.root / classes / "volumesnapshotclasses.yaml"
    file.write_text(file.read_text().replace("Retain", "Delete"))
    found = judged(tmp_path)
    assert world.codes(found) == {"snapshots-deleted-with-object"}
    assert world.open_codes(found) == {
        "last-backup-failed",
        "backup-stuck",
        "snapshots-left-behind",
    }


def test_a_packed_file_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path) -> None:
    mixed(tmp_path)
    with gzip.open(tmp_path / "big.yaml.gz", "wb", compresslevel=1) as packed:
        for _ in range(257):
            packed.write(bytes(1024 * 1024))
    (unread,) = judged(tmp_path).case.known.unread
    assert "unpacks to more than" in unread.cause


def test_workloads_of_a_namespace_that_nobody_dumped_are_not_missing(tmp_path: Path) -> None:
    of = [
        one for one in world.objects() if one["kind"] not in ("Deployment", "DaemonSet", "Secret")
    ]
    of = [one for one in of if (one["kind"], it.namespace(one)) != ("ConfigMap", "openshift-adp")]
    metadata = {"name": "virt-operator", "namespace": "openshift-cnv"}
    of.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata})
    (tmp_path / "dump.yaml").write_text(yaml.safe_dump_all(of))
    found = judged(tmp_path)
    assert not world.codes(found) & {"no-server", "no-node-agent", "schedule-policy-missing"}
    assert {"no-server", "schedule-policy-missing"} <= world.open_codes(found)


def test_values_of_secrets_are_dropped_as_they_are_read(tmp_path: Path) -> None:
    mixed(tmp_path)
    case = folder.of_folder(tmp_path, (), lambda *_: None)
    secrets = [one for one in case.known.objects if one["kind"] == "Secret"]
    assert [one["data"] for one in secrets] == [{"cloud": ""}]
