"""`stillpoint report`: its outputs, exit statuses and sources."""

import csv
import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import fastjsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from stillpoint import cli
from stillpoint.backup_files.files import Kind
from stillpoint.cli import backup_source
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.parser import parser
from stillpoint.downloads.errors import DownloadFailed
from stillpoint.evidence.document import Statement
from stillpoint.evidence.verified import Agreement, CameBack, Verification
from stillpoint.model.level import Level
from tests.api_server.server import ApiServer
from tests.unit.report import world as of
from tests.unit.report.world import World
from tests.unit.velero import log_lines

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/report.schema.json").read_text())
HOSTILE = "no \x1b[31mspace\x00 <&\"'\n=cmd|' /C calc'!A0"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Exit status and output of the command on the folder of a backup."""

    def call(world: World, *arguments: str) -> tuple[int, str]:
        folder = world.write(tmp_path / "nightly")
        status = cli.main(["report", "--from", str(folder), *arguments])
        return status, capsys.readouterr().out

    return call


def below() -> World:
    """What was demanded of `db` was not reached."""
    world = of.good()
    missing = (Statement("console-not-read", "no right to pods/log"),)
    for name in ("db-root", "db-data"):
        evidence = of.evidence(name, required=Level.APPLICATION, missing=missing)
        world.put(evidence, "VolumeSnapshot", f"velero-{name}")
    return world


AT = datetime(2026, 11, 27, 6, tzinfo=UTC)
WELL = Verification(AT, CameBack.APPLICATION, CameBack.GUEST, Agreement.CONFIRMED, 48.5)
ILL = Verification(AT, CameBack.GUEST, CameBack.GUEST, Agreement.CONTRADICTED, 9.0, HOSTILE)


def verified(**found: Verification) -> World:
    """Machines that were restored for a test."""
    world = of.good()
    world.verify({f"shop/{name}": one for name, one in found.items()})
    return world


def both() -> World:
    return verified(db=WELL, archive=ILL)


def hostile() -> World:
    """Names and words that are no friends of a terminal, XML or a spreadsheet."""
    world = below()
    upload = world.item("DataUpload", "nightly-archive-old")
    upload["status"] |= {"phase": "Failed", "message": HOSTILE}
    for item in world.items:
        if item["kind"] == "VirtualMachine" and item["metadata"]["name"] == "db":
            item["spec"]["template"]["spec"]["volumes"][0]["name"] = "=1+1\x1b"
    return world


def test_a_good_backup_is_said_to_be_good(run: Any) -> None:
    status, printed = run(of.good())
    assert status == ExitStatus.GOOD
    assert "Backup velero/nightly: Completed, ended 2026-11-27 01:33:25Z." in printed
    assert "2 virtual machines: 2 good." in printed
    assert "shop/db       good     filesystem  2 snapshot  0.41 s  0.04 s" in printed
    assert "shop/archive  good     stopped     1 moved" in printed


def test_what_is_below_a_demand_is_not_safe(run: Any) -> None:
    status, printed = run(below())
    assert status == ExitStatus.NOT_SAFE
    assert "shop/db: demanded was application, reached filesystem" in printed


def test_what_is_not_known_cannot_be_told(run: Any) -> None:
    world = of.good()
    world.put(of.evidence("db-data"), "VolumeSnapshot", "velero-db-data", key=of.ANOTHER_KEY)
    status, printed = run(world)
    assert status == ExitStatus.CANNOT_TELL
    assert "DOES NOT BEAR THE SEAL OF THE BACKUP" in printed


def test_the_machine_whose_hook_failed_is_told_from_the_log_beside_the_archive(run: Any) -> None:
    world = of.good()
    assert world.object is not None
    world.object["status"]["hookStatus"] = {"hooksAttempted": 8, "hooksFailed": 2}
    failed = log_lines.hook("db", log_lines.FAILED, "no \x1b[31magent")
    world.log = failed + log_lines.hook("web", log_lines.FAILED)
    _status, printed = run(world, "--explain", "shop/db")
    words = " ".join(printed.replace("│", " ").split())
    assert r"the freeze: command terminated with exit code 1 (no \x1b[31magent)" in words


def test_a_file_that_cannot_be_read_cannot_be_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "nightly-data.tar.gz"
    archive.write_bytes(b"\x1f\x8b")
    assert cli.main(["report", "--from", str(archive)]) == ExitStatus.CANNOT_TELL
    assert "archive of the backup: cannot read it" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["report", "--from", "nowhere"])
    assert caught.value.code == ExitStatus.WRONG_USAGE
    assert "there is no file or folder 'nowhere'" in capsys.readouterr().err


def test_a_path_that_is_too_long_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["report", "--from", "x" * 5000])
    assert caught.value.code == ExitStatus.WRONG_USAGE
    assert "cannot look there: File name too long" in capsys.readouterr().err


def test_a_time_that_utc_has_not_is_no_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = of.good()
    assert world.object is not None
    world.object["status"]["expiration"] = "9999-12-31T23:59:59-14:00"
    folder = world.write(tmp_path / "nightly")
    assert cli.main(["report", "--from", str(folder)]) == ExitStatus.CANNOT_TELL
    assert "status.expiration is '9999-12-31T23:59:59-14:00', not a time" in capsys.readouterr().err


def test_one_machine_with_its_time_line_and_every_proof(run: Any) -> None:
    status, printed = run(below(), "--explain", "shop/db")
    assert status == ExitStatus.NOT_SAFE
    for line in (
        "VirtualMachine shop/db  not as demanded, filesystem in backup velero/nightly",
        "demanded: application",
        "stood still: 0.41 s, 01:33:12.250 to 01:33:12.660",
        "first to last snapshot: 0.04 s at most",
        "root (claim db-root): snapshot, filesystem",
        "snapshot taken: 01:33:12.350 to 01:33:12.370",
        "frozen-by-hook: the hook froze it at 01:33:12.250 UTC\n",
        "console-not-read: no right to pods/log",
        "01:33:12.350  plugin  snapshot-taken: of db-root",
    ):
        assert line in printed
    status, printed = run(below(), "--explain", "none")
    assert (status, printed) == (ExitStatus.CANNOT_TELL, "")


def test_how_a_machine_came_back_stands_beside_it(run: Any) -> None:
    assert "CAME BACK" not in run(of.good())[1]
    status, printed = run(verified(db=WELL))
    assert status == ExitStatus.GOOD
    assert "Restored for a test: 1, 1 as expected." in printed
    assert "shop/db       good     filesystem  2 snapshot  0.41 s  0.04 s  application\n" in printed
    status, printed = run(both())
    assert status == ExitStatus.NOT_SAFE
    assert "guest, contradicted  verification-contradicts" in printed
    assert "RESTORED FOR A TEST, ITS GUEST CONTRADICTS THE EVIDENCE: no " in printed
    not_back = replace(ILL, came_back=CameBack.NOT, agreement=Agreement.OPEN)
    assert run(verified(db=not_back))[0] == ExitStatus.CANNOT_TELL


def test_programs_read_how_a_machine_came_back(run: Any) -> None:
    document = json.loads(run(both(), "-o", "json")[1])
    machines = {one["name"]: one["verification"] for one in document["reports"][0]["machines"]}
    assert machines["db"] == {
        "at": "2026-11-27T06:00:00Z", "cameBack": "application", "expected": "guest",
        "agreement": "confirmed", "isAsExpected": True, "seconds": 48.5, "why": "",
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(run(both(), "-o", "csv")[1])))
    assert {(row["machine"], row["came_back"], row["agreement"]) for row in rows} == {
        ("db", "application", "confirmed"), ("archive", "guest", "contradicted"),
    }  # fmt: skip
    assert {row["verified_at"] for row in rows} == {"2026-11-27 06:00:00Z"}
    [suite] = ET.fromstring(run(both(), "-o", "junit")[1])  # noqa: S314 - the command's own
    of_db = next(case for case in suite if case.get("name") == "db")
    assert {one.get("name"): one.get("value") for one in of_db.iter("property")} == {
        "came back": "application", "evidence": "confirmed"
    }  # fmt: skip


def test_prometheus_reads_how_a_machine_came_back(run: Any) -> None:
    families = text_string_to_metric_families(  # type: ignore[no-untyped-call]
        run(both(), "-o", "openmetrics")[1]
    )
    samples = {
        (sample.name, sample.labels.get("machine"), sample.labels.get(sample.name))
        for family in families
        for sample in family.samples
        if sample.value
    }
    prefix = "stillpoint_backup_machine"
    assert {
        (f"{prefix}_came_back", "db", "application"),
        (f"{prefix}_came_back", "archive", "guest"),
        (f"{prefix}_agreement", "db", "confirmed"),
        (f"{prefix}_agreement", "archive", "contradicted"),
        (f"{prefix}_verified_timestamp_seconds", "db", None),
    } <= samples


def test_the_explanation_has_the_verification(run: Any) -> None:
    _, printed = run(both(), "--explain", "shop/archive")
    for line in (
        "restored for a test",
        "2026-11-27 06:00:00Z, 9 s",
        "came back: guest; expected at least: guest",
        "the evidence: contradicted",
        r"why: no \x1b[31mspace\x00",
    ):
        assert line in printed


@pytest.mark.parametrize("world", [of.good, below, hostile, both], ids=lambda one: one.__name__)
def test_json_is_as_its_schema_says(run: Any, world: Any) -> None:
    _, printed = run(world(), "-o", "json")
    document = json.loads(printed)
    fastjsonschema.validate(SCHEMA, document)
    machines = {one["name"]: one for one in document["reports"][0]["machines"]}
    assert machines["db"]["frozenSeconds"] == 0.41


def test_junit_has_a_case_for_each_machine(run: Any) -> None:
    _, printed = run(hostile(), "-o", "junit")
    [suite] = ET.fromstring(printed)  # noqa: S314 - the command's own
    assert suite.attrib == {
        "name": "velero/nightly", "tests": "3", "failures": "2", "skipped": "0",
    }  # fmt: skip
    failures = {case.get("name"): case.find("failure") for case in suite}
    assert failures["nightly"] is None
    assert r"\x1b[31mspace\x00 <&" in str(failures["archive"].get("message"))  # type: ignore[union-attr]


def test_junit_skips_what_is_not_known(run: Any) -> None:
    world = of.good()
    world.put(of.evidence("db-data"), "VolumeSnapshot", "velero-db-data", key=of.ANOTHER_KEY)
    _, printed = run(world, "-o", "junit")
    [suite] = ET.fromstring(printed)  # noqa: S314 - the command's own
    assert [case.get("name") for case in suite if case.find("skipped") is not None] == ["db"]


def test_junit_says_that_a_backup_failed_as_a_whole(run: Any) -> None:
    world = of.good()
    world.object, world.has_archive = of.backup("Failed"), False
    status, printed = run(world, "-o", "junit")
    [suite] = ET.fromstring(printed)  # noqa: S314 - the command's own
    assert status == ExitStatus.NOT_SAFE
    [failure] = suite.iter("failure")
    assert "backup-failed" in str(failure.get("message"))


def test_csv_has_a_line_for_each_disk_and_no_formula(run: Any) -> None:
    _, printed = run(hostile(), "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [(row["machine"], row["claim"]) for row in rows] == [
        ("archive", "archive-old"), ("db", "db-root"), ("db", "db-data"),
    ]  # fmt: skip
    assert rows[1]["disk"] == r"'=1+1\x1b"
    assert {cell[:1] for row in rows for cell in row.values()}.isdisjoint("=+-@")
    assert rows[1]["frozen_s"] == "0.41"


def test_openmetrics_is_read_by_prometheus(run: Any) -> None:
    _, printed = run(hostile(), "-o", "openmetrics")
    samples = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(printed)  # type: ignore[no-untyped-call]
        for sample in family.samples
    ]
    of_db = {
        "velero_namespace": "velero",
        "backup": "nightly",
        "namespace": "shop",
        "machine": "db",
    }
    prefix = "stillpoint_backup_machine"
    assert (f"{prefix}_frozen_seconds", of_db, 0.41) in samples
    assert (f"{prefix}_good", of_db, 0) in samples
    level = {f"{prefix}_level": "filesystem"}
    assert (f"{prefix}_level", of_db | level, 1) in samples
    assert (f"{prefix}_problem", of_db | {"code": "below-demanded"}, 1) in samples


def test_html_is_a_page_of_one_backup(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = run(below(), "-o", "html")
    assert status == ExitStatus.NOT_SAFE
    assert printed.startswith("<!DOCTYPE html>")
    assert "not as demanded" in printed
    of.good().write(tmp_path / "weekly", "weekly")
    assert cli.main(["report", "--from", str(tmp_path), "-o", "html"]) == ExitStatus.CANNOT_TELL
    assert "a page is of one backup, and there are 2" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["table", "json", "junit", "csv", "html", "openmetrics"])
def test_nothing_that_a_terminal_obeys_is_printed(run: Any, output: str) -> None:
    for world in (hostile(), both()):
        status, printed = run(world, "-o", output)
        assert status == ExitStatus.NOT_SAFE
        assert "\x1b" not in printed
        assert "\x00" not in printed


def test_a_command_that_is_shown_can_be_given_to_a_shell(run: Any) -> None:
    world = of.good()
    machine = world.item("VirtualMachine", "archive")
    machine["metadata"]["name"] = "a$(id)"
    machine["spec"]["template"]["spec"]["volumes"] = []
    _, printed = run(world)
    assert "--explain 'shop/a$(id)'" in printed


def test_many_machines_are_grouped_by_cause(run: Any) -> None:
    world = of.good()
    for number in range(30):
        world.items += of.virtual_machine(f"web{number:02}", "root")
    status, printed = run(world)
    assert status == ExitStatus.NOT_SAFE
    assert "disk-without-data: 30 VMs" in printed
    assert "not restorable  disk-without-data  30   shop/web00, shop/web01" in printed
    assert "good            filesystem         1    shop/db" in printed


def test_several_backups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        of.good().write(tmp_path / "backups" / name, name)
    assert cli.main(["report", "--from", str(tmp_path), "-o", "json"]) == ExitStatus.GOOD
    assert len(json.loads(capsys.readouterr().out)["reports"]) == 2
    assert cli.main(["report", "--from", str(tmp_path), "third"]) == ExitStatus.CANNOT_TELL
    assert "there are first, second" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("first.tar.gz", b"\x1f\x8b", "archive of the backup: cannot read it"),
        (
            "first-volumeinfo.json.gz",
            gzip.compress(b'[{"pvcName": 5}]', mtime=0),  # part of the test's name
            "BackupVolumeInfos of the backup: cannot read it: pvcName is 5",
        ),
        ("velero-backup.json", b"[]", "it is no object in JSON"),
        ("velero-backup.json", b"{}", "it is no Backup with a name, and the archive is that of"),
    ],
)
def test_a_backup_that_cannot_be_read_is_named_and_the_others_are_reported_on(
    name: str, content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in ("first", "second"):
        world = of.good()
        world.object = of.backup()
        world.object["metadata"]["name"] = each
        world.write(tmp_path / "backups" / each, each)
    (tmp_path / "backups/first" / name).write_bytes(content)
    (tmp_path / "backups/third").mkdir()
    assert cli.main(["report", "--from", str(tmp_path), "-o", "json"]) == ExitStatus.CANNOT_TELL
    printed = capsys.readouterr()
    assert [one["backup"]["name"] for one in json.loads(printed.out)["reports"]] == ["second"]
    of_first, of_third = printed.err.splitlines()[0], printed.err.splitlines()[-1]
    assert f"{tmp_path}/backups/first" in of_first
    assert said in of_first
    assert f"folder {tmp_path}/backups/third: there is no backup" in of_third


class Forbidding(ApiServer):
    """A cluster in which an account may list Backups in their namespace alone."""

    def answer(self, target: str, accept: str = "") -> tuple[int, bytes]:
        if target.partition("?")[0] == "/apis/velero.io/v1/backups":
            return 403, b'{"kind": "Status", "message": "backups.velero.io is forbidden"}'
        return super().answer(target, accept)


def test_rights_in_the_namespace_of_velero_are_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Forbidding([of.backup()]) as server:
        given = ["report", "weekly", "--kubeconfig", str(server.kubeconfig(tmp_path / "config"))]
        assert cli.main(given) == ExitStatus.CANNOT_TELL
        assert "HINT: -n NAMESPACE asks for the backups of one Velero" in capsys.readouterr().err
        assert cli.main([*given, "-n", "velero"]) == ExitStatus.CANNOT_TELL
        said = capsys.readouterr().err
        assert "backup weekly: cannot find it: namespace velero has none" in said
        assert "HINT: there are nightly; --help says how to name files instead" in said


class Unauthorized(ApiServer):
    """A cluster that takes no credentials."""

    def answer(self, target: str, accept: str = "") -> tuple[int, bytes]:  # noqa: ARG002
        return 401, b'{"kind": "Status", "message": "Unauthorized"}'


def test_credentials_that_are_not_taken_anywhere_need_no_other_namespace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Unauthorized([of.backup()]) as server:
        given = ["report", "weekly", "--kubeconfig", str(server.kubeconfig(tmp_path / "config"))]
        assert cli.main(given) == ExitStatus.CANNOT_TELL
    assert "HINT: renew the credentials" in capsys.readouterr().err


def test_a_location_that_cannot_be_trusted_ends_no_other_backup(tmp_path: Path) -> None:
    reference = {"caCertRef": {"name": "gone", "key": "ca.crt"}}
    place = {"namespace": "velero", "name": "bad"}
    location = {
        "apiVersion": "velero.io/v1",
        "kind": "BackupStorageLocation",
        "metadata": place,
        "spec": {"objectStorage": reference},
    }
    bad = of.backup() | {"spec": {"storageLocation": "bad"}}
    good = of.copied(of.good()).object or {}
    good["metadata"]["name"] = "other"
    with ApiServer([bad, good, location]) as server:
        kubeconfig = str(server.kubeconfig(tmp_path / "config"))
        given = parser().parse_args(["report", "-n", "velero", "--kubeconfig", kubeconfig])
        found = backup_source.files(given, lambda *_: None)
        assert [one.origin for one in found] == ["backup velero/nightly", "backup velero/other"]
        with pytest.raises(DownloadFailed, match="Secret velero/gone of its caCertRef has no"):
            found[0].open(Kind.CONTENTS)


def test_a_backup_that_the_cluster_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer([of.backup()]) as server:
        place = ["--kubeconfig", str(server.kubeconfig(tmp_path / "kubeconfig"))]
        assert cli.main(["report", "weekly", *place]) == ExitStatus.CANNOT_TELL
        said = capsys.readouterr().err
        assert "backup weekly: cannot find it: the cluster has none" in said
        assert "HINT: there are nightly; " in said
        assert cli.main(["report", "nightly", *place, "-n", "shop"]) == ExitStatus.CANNOT_TELL
        assert "HINT: oc get backups.velero.io -A; " in capsys.readouterr().err
    file = tmp_path / "backup.json"
    file.write_text("{}")
    assert cli.main(["report", "--backup", str(file)]) == ExitStatus.CANNOT_TELL
    assert "--from" in capsys.readouterr().err
