"""Each problem: what provokes it, in a good backup that has none."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import IO

import pytest

from stillpoint.backup_files.files import Kind
from stillpoint.evidence import verified
from stillpoint.evidence.document import Statement
from stillpoint.evidence.verified import Agreement, CameBack, Verification
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.weight import Weight
from stillpoint.report import of_backup, problems
from stillpoint.report.model import Machine, Verdict
from tests.unit.report import world as of
from tests.unit.report.world import Change, World
from tests.unit.velero import log_lines

SNAPSHOT, CONTENT, CLAIM = "VolumeSnapshot", "VolumeSnapshotContent", "PersistentVolumeClaim"


def both(*changes: Change) -> Change:
    def change(world: World) -> None:
        for one in changes:
            one(world)

    return change


def removed(kind: str, name: str) -> Change:
    return lambda world: world.remove(kind, name)


def changed(kind: str, name: str, change: Callable[[Item], object]) -> Change:
    def apply(world: World) -> None:
        change(world.item(kind, name))

    return apply


def phase(name: str, **fields: object) -> Change:
    def change(world: World) -> None:
        assert world.object is not None
        world.object["status"] |= {"phase": name, **fields}

    return change


def without_data(world: World) -> None:
    del world.item(CLAIM, "db-data")["metadata"]["annotations"]["velero.io/volume-snapshot-name"]
    world.volumes = [one for one in world.volumes or () if one["pvcName"] != "db-data"]


def with_host_disk(kind: str) -> Change:
    def change(world: World) -> None:
        spec = world.item(kind, "db")["spec"]
        spec = spec["template"]["spec"] if kind == "VirtualMachine" else spec
        spec["volumes"].append({"name": "scratch", "hostDisk": {"path": "/d", "type": "Disk"}})

    return change


def skipped(world: World) -> None:
    without_data(world)
    of.put_volume(world, "db-data", "", skipped=True, skippedReason="resource policy ;")


def files(phase: str, pod: str) -> Change:
    def change(world: World) -> None:
        without_data(world)
        of.put_volume(world, "db-data", "PodVolumeBackup", pvbInfo={"Phase": phase, "podName": pod})

    return change


def volume(name: str, **fields: object) -> Change:
    return lambda world: world.volume(name).update(fields)


def information(name: str, **fields: object) -> Change:
    return lambda world: world.volume(name)["csiSnapshotInfo"].update(fields)


def upload(**status: object) -> Change:
    return changed("DataUpload", "nightly-archive-old", lambda one: one["status"].update(status))


OF_ANOTHER = {"velero.io/backup-uid": "of another backup"}


def put_old_upload(world: World, claim: str, phase: str = "Completed") -> None:
    """A DataUpload of another backup, as one of Velero's own namespace holds them."""
    spec = {"sourcePVC": claim, "sourceNamespace": "shop"}
    name = f"weekly-{claim}"
    upload = of.obj("velero.io/v2alpha1", "DataUpload", name, of.VELERO, spec=spec)
    upload["metadata"]["labels"] = OF_ANOTHER
    world.items.append(upload | {"status": {"phase": phase, "snapshotID": "moved-0"}})
    stopped = of.evidence(claim, "db", level=Level.STOPPED)
    world.put(stopped, "DataUpload", name, key=of.ANOTHER_KEY)


def not_ready(world: World) -> None:
    world.item(SNAPSHOT, "velero-db-root")["status"]["readyToUse"] = False
    information("db-root", ReadyToUse=False)(world)


def unbound(world: World) -> None:
    del world.item(SNAPSHOT, "velero-db-root")["status"]["boundVolumeSnapshotContentName"]


def failed_in_storage(world: World) -> None:
    """The storage says so; Velero's book is not there."""
    world.volumes = None
    for kind, name in ((SNAPSHOT, "velero-db-root"), (CONTENT, "snapcontent-db-root")):
        world.item(kind, name)["status"] |= {"readyToUse": False, "error": {"message": "no space"}}


def evident(*names: str, **fields: object) -> Change:
    """Evidence of another kind on the disks of `db`."""

    def change(world: World) -> None:
        for name in names or ("db-root", "db-data"):
            world.put(of.evidence(name, **fields), SNAPSHOT, f"velero-{name}")  # type: ignore[arg-type]

    return change


def without_evidence(name: str) -> Change:
    return changed(
        SNAPSHOT, name, lambda one: one["metadata"]["annotations"].pop("stillpoint.dev/evidence")
    )


def copied_evidence(world: World) -> None:
    world.put(of.evidence("db-root"), SNAPSHOT, "velero-db-data")


def resealed(world: World) -> None:
    world.put(of.evidence("db-data"), SNAPSHOT, "velero-db-data", key=of.ANOTHER_KEY)


def expired(world: World) -> None:
    assert world.object is not None
    world.object["status"]["expiration"] = (of.NOW - timedelta(hours=1)).isoformat()


def restored(came_back: CameBack, agreement: Agreement) -> Change:
    """`db` was restored for a test."""

    def change(world: World) -> None:
        found = Verification(of.NOW, came_back, CameBack.GUEST, agreement, 9, "its disk is another")
        world.verify({"shop/db": found})

    return change


def verified_by_nobody(world: World) -> None:
    assert world.object is not None
    world.object["metadata"]["annotations"][verified.ANNOTATION] = "{}"


def hooks(failed: int, *log: bytes) -> Change:
    """So many hooks of the backup failed, of which the log has these lines."""

    def change(world: World) -> None:
        assert world.object is not None
        world.object["status"]["hookStatus"] = {"hooksAttempted": 8, "hooksFailed": failed}
        world.log = b"".join(log)

    return change


def without_log(world: World) -> None:
    hooks(2)(world)
    world.log = None


def no_object(world: World) -> None:
    world.object = None


def operation(group: str, plural: str, name: str, error: str) -> Change:
    def change(world: World) -> None:
        identifier = {"Group": group, "Resource": plural, "Namespace": "shop", "Name": name}
        spec = {"resourceIdentifier": identifier, "backupItemAction": "a", "backupUID": of.UID}
        status = {"phase": "Failed", "error": error}
        assert world.operations is not None
        world.operations.append({"spec": spec, "status": status})

    return change


def said(world: World) -> None:
    names = {"Group": "kubevirt.io", "Resource": "virtualmachines", "Namespace": "shop"}
    action = "stillpoint.dev/backup-virtual-machine"
    spec = {"resourceIdentifier": {**names, "Name": "db"}, "backupItemAction": action}
    status = {"phase": "Completed", "description": "shop/db: unknown (2 disks)"}
    assert world.operations is not None
    world.operations.append({"spec": spec, "status": status})


def without_agent(world: World) -> None:
    world.item("VirtualMachineInstance", "db")["status"]["conditions"] = []


def without_books(world: World) -> None:
    without_data(world)
    world.volumes = None


NO_EVIDENCE = both(without_evidence("velero-db-root"), without_evidence("velero-db-data"))
UNKNOWN = {"level": Level.UNKNOWN, "missing": (Statement("console-not-read", "no right to it"),)}

CASES: dict[str, Change] = {
    "backup-failed": phase("Failed", failureReason="the server was restarted"),
    "backup-being-deleted": phase("Deleting"),
    "claim-missing": removed(CLAIM, "db-data"),
    "disk-without-data": without_data,
    "disk-not-saved": with_host_disk("VirtualMachine"),
    "disk-skipped": skipped,
    "snapshot-missing": removed(SNAPSHOT, "velero-db-root"),
    "snapshot-without-handle": removed(CONTENT, "snapcontent-db-root"),
    "snapshot-failed": volume("db-root", result="failed"),
    "upload-missing": removed("DataUpload", "nightly-archive-old"),
    "upload-not-completed": upload(phase="Failed", message="no space"),
    "uploads-of-one-claim": lambda world: put_old_upload(world, "archive-old"),
    "files-not-completed": files("Failed", "backup-helper"),
    "disk-without-way-back": files("Completed", "virt-launcher-db-x7k2p"),
    "needs-missing": removed("Secret", "db-cloud-init"),
    "below-demanded": evident(required=Level.APPLICATION),
    "below-expected": evident(level=Level.CRASH),
    "verification-contradicts": restored(CameBack.GUEST, Agreement.CONTRADICTED),
    "evidence-not-sealed": resealed,
    "evidence-of-another-disk": copied_evidence,
    "evidence-not-checked": no_object,
    "no-evidence": without_evidence("velero-db-data"),
    "level-not-known": evident("db-data", **UNKNOWN),
    "evidence-contradicts": evident(machine_level=Level.UNKNOWN),
    "action-failed": operation("kubevirt.io", "virtualmachines", "db", "no such level: appl"),
    "did-not-come-back": restored(CameBack.NOT, Agreement.NONE),
    "backup-goes-on": phase("WaitingForPluginOperations"),
    "backup-expired": expired,
    "data-not-known": without_books,
    "snapshot-not-ready": not_ready,
    "upload-of-another-backup": changed("DataUpload", "nightly-archive-old", lambda one:
                                        one["metadata"].update(labels=OF_ANOTHER)),
    "operation-failed": operation("snapshot.storage.k8s.io", "volumesnapshots", "velero-db-root",
                                  "timed out"),
    "said-by-plugin": both(NO_EVIDENCE, said),
    "was-stopped": both(NO_EVIDENCE, removed("VirtualMachineInstance", "db")),
    "had-no-agent": both(NO_EVIDENCE, without_agent),
    "hooks-went-well": NO_EVIDENCE,
    "hook-failed": hooks(2, log_lines.hook("db", log_lines.FAILED), log_lines.hook("web", "late")),
    "hooks-failed": both(
        NO_EVIDENCE, phase("PartiallyFailed", hookStatus={"hooksAttempted": 2, "hooksFailed": 1})
    ),
    "data-in-storage": lambda _world: None,
    "needed-at-target": removed("StorageClass", "fast"),
}  # fmt: skip

BESIDES = {
    "snapshot-missing": {"no-evidence", "hooks-went-well"},
    "upload-missing": {"no-evidence", "was-stopped"},
    "files-not-completed": {"no-evidence", "hooks-went-well"},
    "disk-without-way-back": {"no-evidence", "hooks-went-well"},
    "no-evidence": {"hooks-went-well"},
    "said-by-plugin": {"no-evidence", "hooks-went-well"},
    "was-stopped": {"no-evidence"},
    "had-no-agent": {"no-evidence"},
    "hooks-went-well": {"no-evidence"},
    "hooks-failed": {"no-evidence"},
    "data-not-known": {"no-evidence", "hooks-went-well"},
}
"""Problems that come with another."""

CONCERNED = dict.fromkeys(
    (
        "upload-missing",
        "upload-not-completed",
        "uploads-of-one-claim",
        "upload-of-another-backup",
    ),
    "archive",
)


def codes(machine: Machine) -> set[str]:
    return {one.code for one in machine.problems} - {"data-in-storage"}


def test_a_good_backup_has_no_problem() -> None:
    found = of.report(of.good())
    assert found.problems == ()
    assert found.verdict is Verdict.GOOD
    assert [codes(one) for one in found.machines] == [set(), set()]
    assert [one.is_restorable for one in found.machines] == [True, True]


def test_every_problem_has_its_test() -> None:
    assert list(CASES) == [row.code for row in problems.ROWS]


@pytest.mark.parametrize("code", CASES)
def test_what_provokes_a_problem_provokes_no_other(code: str) -> None:
    world = of.good()
    CASES[code](world)
    found = of.machine(world, CONCERNED.get(code, "db"))
    [row] = [row for row in problems.ROWS if row.code == code]
    assert code in {one.code for one in found.problems}
    assert codes(found) - {code} == BESIDES.get(code, set())
    by_weight = {
        Weight.BLOCKS: {Verdict.NOT_RESTORABLE},
        Weight.DEGRADES: {Verdict.BELOW},
        Weight.UNCERTAIN: {Verdict.UNKNOWN},
        Weight.NOTE: {Verdict.GOOD, Verdict.UNKNOWN},
    }
    assert found.verdict in by_weight[row.weight]
    if row.is_of_restore and row.weight is not Weight.NOTE:
        assert found.is_restorable is (False if row.weight is Weight.BLOCKS else None)
        assert found.why_not
    else:
        assert found.is_restorable is True


@pytest.mark.parametrize("code", CASES)
def test_sentences_and_remedies_are_whole(code: str) -> None:
    world = of.good()
    CASES[code](world)
    for one in of.machine(world, CONCERNED.get(code, "db")).problems:
        assert "{" not in f"{one.sentence}{one.remedy}"


def no_archive(world: World) -> None:
    world.has_archive = False


OF_WHOLE: dict[str, Change] = {
    "backup-failed": phase("FailedValidation", validationErrors=["no such location"]),
    "backup-being-deleted": phase("Deleting"),
    "no-archive": no_archive,
    "no-machines": lambda world: world.items.clear(),
    "backup-expired": expired,
    "partially-failed": phase("PartiallyFailed", errors=1),
    "verification-not-sealed": verified_by_nobody,
    "log-not-read": without_log,
    "no-backup-object": no_object,
}


def test_every_problem_of_a_whole_backup_has_its_test() -> None:
    assert list(OF_WHOLE) == [row.code for row in of_backup.ROWS]


@pytest.mark.parametrize("code", OF_WHOLE)
def test_what_provokes_a_problem_of_the_whole(code: str) -> None:
    world = of.good()
    OF_WHOLE[code](world)
    found = of.report(world)
    besides = ["partially-failed"] if code == "log-not-read" else []
    assert [one.code for one in found.problems] == [*besides, code]
    weight = found.problems[-1].weight
    assert (found.verdict is Verdict.UNKNOWN) == (
        weight is Weight.UNCERTAIN or code == "no-backup-object"
    )


@pytest.mark.parametrize("came_back", [CameBack.APPLICATION, CameBack.BOOTED, CameBack.UNTRIED])
def test_a_verification_makes_nothing_better(came_back: CameBack) -> None:
    world = of.good()
    restored(came_back, Agreement.CONFIRMED)(world)
    resealed(world)
    found = of.machine(world)
    assert found.verification is not None
    assert found.verification.came_back is came_back
    assert (codes(found), found.verdict) == ({"evidence-not-sealed"}, Verdict.UNKNOWN)
    assert of.machine(world, "archive").verification is None


def test_the_verification_of_another_backup_counts_for_nothing() -> None:
    world = of.good()
    restored(CameBack.NOT, Agreement.NONE)(world)
    assert world.object is not None
    world.object["metadata"]["uid"] = "of another"
    assert [one.code for one in of.report(world).problems] == ["verification-not-sealed"]
    assert of.machine(world).verification is None


def notes(world: World, *log: bytes, failed: int = 2) -> dict[str, tuple[str, ...]]:
    NO_EVIDENCE(world)
    hooks(failed, *log)(world)
    return {one.code: one.about for one in of.machine(world).problems if "hook" in one.code}


def test_the_machine_whose_hook_failed_is_told_with_its_error() -> None:
    failed = log_lines.hook("db", log_lines.FAILED, "freezing failed\x1b")
    assert notes(of.good(), failed, failed=1) == {
        "hook-failed": ("the freeze: command terminated with exit code 1 (freezing failed\x1b)",)
    }


def test_if_all_failures_are_others_none_is_its_own() -> None:
    others = log_lines.hook("web", log_lines.FAILED), log_lines.hook("cache", log_lines.FAILED)
    assert notes(of.good(), *others) == {}


def test_a_machine_that_is_told_is_not_told_that_nothing_says_it() -> None:
    log = log_lines.hook("db", log_lines.FAILED), log_lines.failed()
    assert notes(of.good(), *log).keys() == {"hook-failed"}


def test_a_failure_that_is_nobody_s_may_be_its_own() -> None:
    others = log_lines.hook("web", log_lines.FAILED), log_lines.failed()
    assert notes(of.good(), *others) == {"hooks-failed": ("2 of 8",)}


def test_a_log_is_opened_only_if_hooks_failed() -> None:
    opened: list[Kind] = []

    class Watching(World):
        def open(self, kind: Kind) -> IO[bytes] | None:
            opened.append(kind)
            return super().open(kind)

    world = Watching(**vars(of.good()))
    of.report(world)
    assert Kind.LOG not in opened
    hooks(1)(world)
    of.report(world)
    assert Kind.LOG in opened


@pytest.mark.parametrize("log", [None, b"\x1f\x8b"])
def test_a_log_that_cannot_be_read_leaves_the_report_whole(log: bytes | None) -> None:
    class Packed(World):
        def open(self, kind: Kind) -> IO[bytes] | None:
            if kind is not Kind.LOG:
                return super().open(kind)
            return None if log is None else io.BytesIO(log)

    world = Packed(**vars(of.good()))
    assert notes(world) == {"hooks-failed": ("2 of 8",)}
    assert [one.code for one in of.report(world).problems if one.code == "log-not-read"]


def test_an_object_that_is_none_fails_its_machine_alone() -> None:
    world = of.good()
    world.item("VirtualMachine", "archive")["spec"]["template"] = "none"
    found = {one.name: one for one in of.report(world).machines}
    assert [one.code for one in found["archive"].problems] == ["unreadable"]
    assert found["archive"].verdict is Verdict.UNKNOWN
    assert found["db"].verdict is Verdict.GOOD


WITHOUT_HANDLE = {
    "no content": removed(CONTENT, "snapcontent-db-root"),
    "content without a status": changed(
        CONTENT, "snapcontent-db-root", lambda one: one.pop("status")
    ),
    "a snapshot that is not bound": unbound,
}


@pytest.mark.parametrize("what", WITHOUT_HANDLE)
def test_the_annotation_of_a_snapshot_does_not_stand_for_its_content(what: str) -> None:
    world = of.good()
    WITHOUT_HANDLE[what](world)
    found = of.machine(world)
    assert codes(found) == {"snapshot-without-handle"}
    assert found.is_restorable is False
    assert [one.handle for one in found.disks] == ["", "handle-db-data"]


def test_the_storage_says_that_a_snapshot_failed() -> None:
    world = of.good()
    failed_in_storage(world)
    found = of.machine(world)
    assert codes(found) == {"snapshot-failed"}
    assert "db-root (no space)" in found.why_not[0]


def test_an_error_that_the_storage_got_over_is_none() -> None:
    world = of.good()
    world.item(SNAPSHOT, "velero-db-root")["status"]["error"] = {"message": "try again"}
    assert of.machine(world).verdict is Verdict.GOOD


def test_an_upload_has_to_name_what_it_moved() -> None:
    world = of.good()
    upload(snapshotID="")(world)
    found = of.machine(world, "archive")
    assert codes(found) == {"upload-not-completed"}
    assert "without a snapshotID" in found.why_not[0]


def test_an_upload_of_another_backup_is_not_the_data_of_a_claim() -> None:
    world = of.good()
    without_data(world)
    put_old_upload(world, "db-data")
    found = of.machine(world)
    assert codes(found) == {"disk-without-data"}
    assert found.is_restorable is False


@pytest.mark.parametrize("phase", ["Completed", "Failed"])
def test_an_upload_of_another_backup_does_not_harm_a_snapshot(phase: str) -> None:
    world = of.good()
    put_old_upload(world, "db-data", phase)
    assert codes(of.machine(world)) == set()
    assert of.report(world).verdict is Verdict.GOOD


def test_an_upload_that_cannot_be_read_fails_no_other_machine() -> None:
    world = of.good()
    put_old_upload(world, "db-data")
    world.item("DataUpload", "weekly-db-data")["spec"]["sourcePVC"] = 5
    world.item("DataUpload", "weekly-db-data")["metadata"]["annotations"] = "none"
    assert of.report(world).verdict is Verdict.GOOD
    world.item("DataUpload", "nightly-archive-old")["status"] = "none"
    found = {one.name: one for one in of.report(world).machines}
    assert [one.code for one in found["archive"].problems] == ["unreadable"]
    assert found["db"].verdict is Verdict.GOOD


def test_a_volume_on_a_node_is_named_once_whether_the_machine_or_its_guest_has_it() -> None:
    world = of.good()
    with_host_disk("VirtualMachineInstance")(world)
    assert codes(of.machine(world)) == {"disk-not-saved"}
    with_host_disk("VirtualMachine")(world)
    [problem] = [one for one in of.machine(world).problems if one.code == "disk-not-saved"]
    assert problem.about == ("scratch (hostDisk)",)


def test_a_backup_that_failed_without_an_archive_is_not_restorable() -> None:
    world = of.good()
    no_archive(world)
    phase("Failed", failureReason="the server was restarted")(world)
    found = of.report(world)
    assert [one.code for one in found.problems] == ["backup-failed", "no-archive"]
    assert found.verdict is Verdict.NOT_RESTORABLE
    assert "restarted" in found.problems[0].sentence


@pytest.mark.parametrize(
    "other",
    [
        {"apiVersion": "v1", "kind": "List", "items": [of.backup()]},
        of.backup() | {"kind": "Restore"},
        of.backup() | {"apiVersion": "postgresql.cnpg.io/v1"},
        {},
    ],
)
def test_another_object_is_no_backup(other: Item) -> None:
    world = of.good()
    world.object = other
    with pytest.raises(MalformedItem, match=r"of a test: .* not Backup of velero\.io"):
        of.report(world)


def test_commands_name_the_velero_of_the_backup() -> None:
    world = of.good()
    world.remove("DataUpload", "nightly-archive-old")
    phase("PartiallyFailed")(world)
    assert world.object is not None
    world.object["metadata"]["namespace"] = "openshift-adp"
    [missing] = [
        one for one in of.machine(world, "archive").problems if one.code == "upload-missing"
    ]
    assert missing.remedy == "take another backup; velero backup logs -n openshift-adp nightly"
    [partly] = of.report(world).problems
    assert partly.remedy == "velero backup describe -n openshift-adp nightly --details"


def test_no_name_in_a_command_is_code() -> None:
    world = of.good()
    phase("PartiallyFailed")(world)
    assert world.object is not None
    world.object["metadata"]["name"] = "nightly$(id)"
    [partly] = of.report(world).problems
    assert partly.remedy == "velero backup describe -n velero 'nightly$(id)' --details"
