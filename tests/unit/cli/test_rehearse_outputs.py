"""JSON by its schema, Velero's layout of an archive, the tree of one machine, and restores."""

import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml

from stillpoint import cli
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from stillpoint.model.weight import Weight
from stillpoint.rehearsal.velero_steps.restore import RestoreResult
from stillpoint.rehearsal.verdict.verdict import Verdict
from tests.unit.rehearsal import examples, test_reasons, world

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "rehearse.schema.json").read_text())
FROM = ["rehearse", "--from", str(examples.FOLDER)]


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert cli.main([*FROM, *arguments]) == status
    return capsys.readouterr().out


def put(path: Path, item: Item) -> str:
    path.write_text(yaml.safe_dump(item))
    return str(path)


def test_json_is_as_its_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(told(capsys, "--output", "json"))
    fastjsonschema.compile(SCHEMA)(document)
    assert [one["verdict"] for one in document["machines"]].count("ready") == 3
    assert any("virt-launcher-db" in one for one in document["hooks"])


def test_json_of_every_reason_is_as_its_schema_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = world.namespaces(test_reasons.CASES)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    assert cli.main(["rehearse", "--from", str(tmp_path), "-o", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    fastjsonschema.compile(SCHEMA)(document)
    codes = {reason["code"] for one in document["machines"] for reason in one["reasons"]}
    assert codes >= test_reasons.CASES.keys()


def test_the_schema_has_the_words_of_the_code() -> None:
    machine, item = (SCHEMA["definitions"][one]["properties"] for one in ("machine", "restored"))
    assert machine["verdict"]["enum"] == list(Verdict)
    assert machine["level"]["enum"] == list(Level)
    assert machine["reasons"]["items"]["properties"]["weight"]["enum"] == list(Weight)
    assert item["result"]["enum"] == list(RestoreResult)


def test_json_that_is_not_so_is_refused() -> None:
    with pytest.raises(fastjsonschema.JsonSchemaException):
        fastjsonschema.compile(SCHEMA)({"schemaVersion": "1.1"})


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    del capsys  # its standard output is in place now
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("terminal")
def test_many_machines_are_grouped_by_reason_within_the_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = world.namespaces(test_reasons.CASES)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    cli.main(["rehearse", "--from", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line.startswith(("blocked", "degraded", "ready"))]
    verdicts = [row[0] for row in rows]
    assert verdicts == sorted(verdicts), "failures first"
    assert ["blocked", "disk-missing", "1", "disk-missing/db"] in rows


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("more", [[], ["--explain", "web"]])
def test_80_columns_are_enough(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, *more).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []


def test_each_object_has_one_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, "--explain", "web").splitlines()
    hook = '["/usr/bin/virt-freezer", "--freeze", "--name", "web", "--namespace", "shop"]'
    assert any("pods shop/virt-launcher-web" in line and hook in line for line in lines)


def test_hostile_names_control_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "db\x1b[2J[red]\n[link=x]"
    objects = yaml.safe_dump_all(examples.objects())
    (tmp_path / "all.yaml").write_text(
        objects.replace("name: legacy\n", f"name: {json.dumps(hostile)}\n")
    )
    for more in ([], ["--explain", hostile]):
        cli.main(["rehearse", "--from", str(tmp_path), *more])
        output = capsys.readouterr().out
        assert r"shop/db\x1b[2J[red]\n[link=x]" in output
        assert "\x1b" not in output


def test_the_archive_has_the_layout_of_velero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.tar.gz"
    told(capsys, "--archive", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as tarball:
        names = tarball.getnames()
        stored: dict[str, Any] = json.load(
            tarball.extractfile("resources/virtualmachines.kubevirt.io/namespaces/shop/db.json")
            or pytest.fail("no such file")
        )
        version = tarball.extractfile("metadata/version")
        assert version is not None
        assert version.read() == b"1.1.0\n"
    assert "resources/namespaces/cluster/shop.json" in names
    place = "resources/virtualmachines.kubevirt.io/v1-preferredversion/namespaces/shop/db.json"
    assert place in names
    assert stored["spec"]["instancetype"]["revisionName"]


def test_an_archive_that_cannot_be_written_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*FROM, "--archive", str(tmp_path / "no" / "such.tar.gz")]) == 3
    assert "cannot write the archive" in capsys.readouterr().err


def test_an_archive_is_a_new_file_whatever_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, twin = tmp_path / "shop.tar.gz", tmp_path / "twin"
    file.write_text("old")
    file.chmod(0o644)
    twin.hardlink_to(file)
    told(capsys, "--archive", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert tarfile.is_tarfile(file)
    assert twin.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [file, twin]


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "device", "folder"])
def test_what_is_no_file_is_not_written_to(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, target = tmp_path / "shop.tar.gz", tmp_path / "target"
    if kind == "link":
        target.write_text("theirs")
    if kind.endswith("link"):
        file.symlink_to(target)
    if kind == "pipe":
        os.mkfifo(file)
    if kind == "folder":
        file.mkdir()
    assert cli.main([*FROM, "--archive", "/dev/null" if kind == "device" else str(file)]) == 3
    expected = "it is a link" if kind.endswith("link") else "it is no regular file"
    assert f"cannot write the archive: {expected}" in capsys.readouterr().err
    assert target.exists() is (kind == "link")
    assert Path("/dev/null").is_char_device()


def test_one_machine_is_explained_with_its_block_and_restore(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = told(capsys, "--explain", "web")
    assert "web-uploads (hot-plugged disk)" in output
    assert ". pods shop/virt-launcher-web" in output
    assert 'hook: ["/usr/bin/virt-freezer", "--freeze"' in output
    assert "skipped pods shop/hp-volume" in output
    assert cli.main([*FROM, "--explain", "wbe"]) == 3
    assert "HINT: there are shop/archive, shop/db" in capsys.readouterr().err


def test_a_strict_rehearsal_counts_degraded_machines(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "--strict", status=1)
    told(capsys, "--strict", "-l", "app=db", status=0)


def test_a_label_selects_as_velero_does(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(told(capsys, "-l", "app in (db)", "-o", "json"))
    assert [one["name"] for one in document["machines"]] == ["db"]
    assert cli.main([*FROM, "-l", "app=("]) == 3
    assert "selector 'app=(': cannot select by it" in capsys.readouterr().err


def test_a_backup_in_a_file_selects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backup: Item = {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "nightly", "namespace": "velero"},
        "spec": {"includedNamespaces": ["shop"], "excludedResources": ["secrets"]},
    }
    file = put(tmp_path / "backup.yaml", backup)
    output = told(capsys, "--backup", file, status=1)
    assert "outside-the-backup" in output
    broken = it.with_value(backup, ["cm"], "spec", "includedNamespaceScopedResources")
    assert cli.main([*FROM, "--backup", put(tmp_path / "backup.yaml", broken)]) == 3
    assert "excludedResources cannot stand beside" in capsys.readouterr().err
    assert cli.main([*FROM, "--backup", "nightly"]) == 3
    assert "neither a file nor a Backup or Schedule of that name" in capsys.readouterr().err


def restore(**spec: object) -> Item:
    metadata = {"name": "back", "namespace": "velero"}
    return {"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": metadata, "spec": spec}


def test_a_restore_into_the_same_cluster_meets_what_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = json.loads(told(capsys, "--restore", "-o", "json", status=1))
    codes = {one["code"] for machine in document["machines"] for one in machine["reasons"]}
    assert "exists-in-target" in codes
    conflicts = {one["conflict"] for one in document["restore"] if one["conflict"]}
    assert "virtualmachines.kubevirt.io shop/db" in conflicts


def test_a_restore_elsewhere_is_renamed_and_narrowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = restore(namespaceMapping={"shop": "shop-2"}, excludedResources=["secrets"])
    file = put(tmp_path / "restore.yaml", asked)
    document = json.loads(told(capsys, "--restore", file, "-o", "json"))
    results = {one["item"]: one for one in document["restore"]}
    machine = results["virtualmachines.kubevirt.io shop/db"]
    assert (machine["result"], machine["renamed"]) == ("created", "shop-2/db")
    secret = results["secrets shop/db-cloud-init"]
    assert (secret["result"], secret["why"]) == ("skipped", "the Restore leaves its resource out")


def test_a_machine_that_the_restore_leaves_out_is_not_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = restore(namespaceMapping={"shop": "new"}, excludedResources=["vm"])
    document = json.loads(
        told(capsys, "--restore", put(tmp_path / "r.yaml", asked), "-o", "json", status=1)
    )
    codes = {one["code"] for machine in document["machines"] for one in machine["reasons"]}
    assert "not-created" in codes
    plain = json.loads(told(capsys, "-o", "json"))
    codes = {one["code"] for machine in plain["machines"] for one in machine["reasons"]}
    assert {"not-created", "exists-in-target"}.isdisjoint(codes)
