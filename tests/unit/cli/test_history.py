"""`stillpoint history` and `stillpoint coverage`, on backups in a folder."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fastjsonschema
import pytest

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output.backup_history import tables
from stillpoint.evidence.verified import Agreement, CameBack, Verification
from tests.api_server.server import ApiServer
from tests.unit.report import world as of
from tests.unit.report.world import World

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/history.schema.json").read_text())


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """`old` of two days ago is good; of `nightly`, of now, the data of db is missing."""
    lacking = of.good()
    lacking.remove("VolumeSnapshot", "velero-db-data")
    put(lacking, tmp_path, "nightly", 1.0)
    put(of.good(), tmp_path, "old", 48.0)
    return tmp_path


def put(
    world: World,
    folder: Path,
    name: str,
    hours_ago: float,
    verification: Verification | None = None,
) -> None:
    began = datetime.now(UTC) - timedelta(hours=hours_ago)
    backup = of.backup()
    backup["metadata"]["name"] = name
    backup["status"] |= {
        "startTimestamp": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "expiration": f"{began + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
    }
    world.object = backup
    if verification:
        world.verify({"shop/db": verification})
    world.write(folder / "backups" / name, name)


def test_history_has_each_backup_and_the_command_that_restores(
    bucket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["history", "shop/db", "--from", str(bucket)]) == ExitStatus.GOOD
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines() if line.startswith("shop/db")]
    assert [(row[1], row[-1] == "yes") for row in rows] == [("nightly", False), ("old", True)]
    assert "not restorable: " in printed
    [command] = [line for line in printed.splitlines() if line.startswith("velero")]
    assert command == (
        "velero restore create -n velero --from-backup old "
        "--annotations stillpoint.dev/only=shop/db"
    )


def test_history_shows_how_a_machine_came_back_and_prefers_what_is_not_contradicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = datetime.now(UTC) - timedelta(hours=3, minutes=1)
    well = Verification(at, CameBack.GUEST, CameBack.GUEST, Agreement.NONE, 48.5)
    ill = replace(well, agreement=Agreement.CONTRADICTED, why="no \x1b[31mrecord")
    put(of.good(), tmp_path, "old", 48.0, well)
    put(of.good(), tmp_path, "new", 24.0, ill)
    put(of.good(), tmp_path, "newest", 1.0, replace(well, came_back=CameBack.NOT, why="no room"))
    given = ["history", "shop/db", "--from", str(tmp_path)]
    assert cli.main(given) == ExitStatus.GOOD
    printed = capsys.readouterr().out
    assert "guest, contradicted, 3h 1m ago" in printed
    assert "guest, 3h 1m ago" in printed
    assert "restorable or not is unknown: restored for a test, it did not come back: no" in printed
    assert "velero restore create -n velero --from-backup old " in printed
    cli.main([*given, "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    fastjsonschema.validate(SCHEMA, document)
    found = [one["verification"] for one in document["backups"]]
    assert [one["cameBack"] for one in found] == ["not", "guest", "guest"]
    assert [one["isAsExpected"] for one in found] == [False, False, True]


def test_history_takes_what_is_contradicted_where_nothing_else_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guest = CameBack.GUEST
    found = Verification(datetime.now(UTC), guest, guest, Agreement.CONTRADICTED)
    put(of.good(), tmp_path, "new", 24.0, found)
    assert cli.main(["history", "shop/db", "--from", str(tmp_path)]) == ExitStatus.GOOD
    assert "--from-backup new " in capsys.readouterr().out


def test_of_an_archive_alone_little_is_known(
    bucket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "old-data.tar.gz"
    archive.write_bytes((bucket / "backups/old/old.tar.gz").read_bytes())
    given = ["history", "shop/db", "--from", str(archive)]
    assert cli.main(given) == ExitStatus.NOT_SAFE
    printed = capsys.readouterr().out
    assert printed.count("not known") >= 3  # age, expiry, restorable
    assert "velero restore" not in printed
    cli.main([*given, "-o", "json"])
    [copy] = json.loads(capsys.readouterr().out)["backups"]
    assert (copy["restorable"], copy["command"]) == (None, "")
    assert copy["backup"] == f"archive {archive}"


def test_a_machine_that_no_backup_brings_back_is_not_safe(
    bucket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["history", "shop/gone", "--from", str(bucket)]) == ExitStatus.NOT_SAFE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "stillpoint: machine shop/gone: cannot restore it: no backup that was read holds it\n"
        "HINT: there are shop/archive, shop/db\n"
    )
    (bucket / "backups/old/old.tar.gz").unlink()
    assert cli.main(["history", "shop/db", "--from", str(bucket)]) == ExitStatus.NOT_SAFE
    said = capsys.readouterr()
    assert said.out.startswith("VM ")
    assert said.err.endswith(
        "machine shop/db: cannot restore it: no backup that was read brings it back\n"
    )


def test_a_bucket_in_which_nothing_can_be_read_is_not_said_to_be_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nightly.tar.gz").write_bytes(b"\x1f\x8b and no more")
    given = ["history", "--from", str(tmp_path / "nightly.tar.gz")]
    assert cli.main(given) == ExitStatus.CANNOT_TELL
    assert capsys.readouterr().out == "No backup that was read holds a machine.\n"


def test_a_backup_that_cannot_be_read_is_said_and_the_others_count(
    bucket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bucket / "backups/nightly/nightly.tar.gz").write_bytes(b"\x1f\x8b and no more")
    status = cli.main(["history", "shop/db", "--from", str(bucket), "-o", "json"])
    assert status == ExitStatus.CANNOT_TELL
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert [one["backup"] for one in document["backups"]] == ["old"]
    assert len(document["unread"]) == 1
    assert "cannot read it" in said.err


@pytest.mark.parametrize(
    ("arguments", "status", "covered"),
    [
        ([], ExitStatus.NOT_SAFE, {"archive": True, "db": False, "new": False}),
        (["--within", "72h"], ExitStatus.NOT_SAFE, {"archive": True, "db": True, "new": False}),
        (
            ["--within", "72h", "--level", "application"],
            ExitStatus.NOT_SAFE,
            {"archive": True, "db": False, "new": False},
        ),
        (["--machines-in", "elsewhere"], ExitStatus.CANNOT_TELL, {}),
    ],
)
def test_coverage_names_the_machines_without_a_good_backup(
    arguments: list[str],
    status: ExitStatus,
    covered: dict[str, bool],
    bucket: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said, document = cover(bucket, capsys, *arguments)
    assert said == status
    assert {one["name"]: one["covered"] for one in document["machines"]} == covered
    reasons = {one["name"]: one["whyNot"] for one in document["machines"]}
    assert reasons.get("new", "in no backup") == "in no backup"


def test_coverage_without_machines_covers_nothing(
    bucket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer(of.good().items) as server:
        kubeconfig = ["--kubeconfig", str(server.kubeconfig(bucket / "kubeconfig"))]
        given = ["coverage", "--from", str(bucket), "--within", "100000000h", *kubeconfig]
        assert cli.main(given) == ExitStatus.GOOD
        typed = ["--machines-in", "shop", "--machines-in", "shpo"]
        assert cli.main([*given, *typed]) == ExitStatus.CANNOT_TELL
    assert "namespace shpo has no virtual machine" in capsys.readouterr().err


def test_coverage_that_could_not_read_all_cannot_tell(
    bucket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bucket / "backups/nightly/nightly.tar.gz").write_bytes(b"no archive")
    assert cover(bucket, capsys)[0] == ExitStatus.CANNOT_TELL


def cover(
    bucket: Path, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, dict[str, list[dict[str, object]]]]:
    machines = [one for one in of.good().items if one["kind"] == "VirtualMachine"]
    new = {**machines[0], "metadata": {"name": "new", "namespace": "shop", "uid": "uid-new"}}
    with ApiServer([*machines, new]) as server:
        kubeconfig = ["--kubeconfig", str(server.kubeconfig(bucket / "kubeconfig"))]
        given = ["coverage", "--from", str(bucket / "backups"), *kubeconfig, *arguments]
        status = cli.main([*given, "-o", "json"])
        document = json.loads(capsys.readouterr().out)
        assert cli.main(given) == status
    assert "machines have a backup of level" in capsys.readouterr().out
    fastjsonschema.validate(SCHEMA, document)
    return status, document


def test_the_json_of_history_fits_the_schema(
    bucket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["history", "--from", str(bucket), "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    fastjsonschema.validate(SCHEMA, document)
    assert len(document["backups"]) == 4


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=-5), "0s"),
        (timedelta(minutes=12, seconds=5), "12m 5s"),
        (timedelta(days=3, hours=4, minutes=5), "3d 4h"),
        (timedelta(days=1, seconds=1), "1d 1s"),
    ],
)
def test_ages_have_their_two_largest_units(span: timedelta, text: str) -> None:
    assert tables.age(span) == text
