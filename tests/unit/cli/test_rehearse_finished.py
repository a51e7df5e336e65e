"""`stillpoint rehearse --restore --of BACKUP`: the table, JSON by its schema, wrong usage."""

import json
from pathlib import Path

import fastjsonschema
import pytest
import yaml

from stillpoint import cli
from stillpoint.model import item as it
from tests.api_server.server import ApiServer
from tests.unit.cli.test_rehearse_outputs import SCHEMA
from tests.unit.rehearsal import examples

BACKUP = {
    "apiVersion": "velero.io/v1",
    "kind": "Backup",
    "metadata": {"name": "nightly", "namespace": "velero"},
    "spec": {"includedNamespaces": ["shop"]},
    "status": {"phase": "Completed"},
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The archive of the examples' backup; no snapshots are in it."""
    file = tmp_path / "nightly-data.tar.gz"
    cli.main(["rehearse", "--from", str(examples.FOLDER), "--archive", str(file)])
    return file


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A dump of a cluster that has nothing of a machine."""
    folder = tmp_path / "target"
    folder.mkdir()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": "drill"},
        "spec": {"hard": {"requests.storage": "1Gi"}},
    }
    (folder / "quota.yaml").write_text(yaml.safe_dump(quota))
    return folder


def told(capsys: pytest.CaptureFixture[str], *words: str, status: int) -> str:
    capsys.readouterr()
    assert cli.main(["rehearse", *words]) == status
    return capsys.readouterr().out


def test_a_table_says_machine_by_machine_what_keeps_it_from_coming_back(
    archive: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--restore", "--of", str(archive), "--from", str(target))
    text = told(capsys, *words, status=1)
    assert "Rehearsed the restore of a finished backup: backup nightly into 1 object" in text
    assert "EXPECT" not in text
    assert "to be expected" not in told(capsys, *words, "--explain", "shop/db", status=1)
    row = next(line for line in text.splitlines() if line.startswith("shop/legacy"))
    assert row.split()[1] == "blocked"
    assert "snapshot-missing" in row


def test_a_restore_from_a_file_says_where_it_goes(
    archive: Path, target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {"name": "drill", "namespace": "velero"},
        "spec": {"namespaceMapping": {"shop": "drill"}},
    }
    (tmp_path / "restore.yaml").write_text(yaml.safe_dump(asked))
    words = ("--restore", str(tmp_path / "restore.yaml"), "--of", str(archive))
    document = json.loads(told(capsys, *words, "--from", str(target), "-o", "json", status=1))
    fastjsonschema.compile(SCHEMA)(document)
    for machine in document["machines"]:
        assert machine["level"] == "unknown"
        assert "quota-too-small" in [one["code"] for one in machine["reasons"]]
    renamed = [one["renamed"] for one in document["restore"] if one["result"] == "created"]
    assert "drill/db" in renamed


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--of", "a.tar.gz"], "say `--restore --of FILE|DIR|NAME`"),
        (["--restore", "--of", "nightly", "-l", "app=db"], "--selector chooses nothing of it"),
        (["--restore", "--of", "nightly", "-n", "a", "-n", "b"], "give --namespace once"),
        (["--restore", "--of", "a.tgz", "--insecure-skip-tls-verify"], "go with --of NAME"),
        (["--insecure-skip-tls-verify"], "go with --of NAME"),
        (["--restore", "--of", "a" * 300], "cannot look there"),
        (["--restore", "--of", "a.tar.gz", "-n", "shop"], "--namespace chooses nothing of it"),
        (["--restore", "--of", "a.tar.gz", "--backup", "b"], "--backup chooses nothing of it"),
        (["--restore", "--into-context", "drill"], "--into-context goes with --of"),
        (["--restore", "--of", "a", "--from", ".", "--into-context", "drill"], "without --from"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(
    words: list[str], cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["rehearse", *words])
    assert ended.value.code == 2
    assert cause in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("of", ["nightly.tar.gz", "nightly-data.tgz", "./nightly", "no/folder"])
def test_an_archive_that_is_not_there_is_an_error_that_says_how_to_get_one(
    of: str, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rehearse", "--restore", "--of", of, "--from", str(target)]
    assert cli.main(words) == 3
    assert "velero backup download NAME, or --of NAME" in capsys.readouterr().err


def test_an_archive_that_was_cut_short_is_named(
    archive: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.write_bytes(archive.read_bytes()[:3000])
    capsys.readouterr()
    words = ["rehearse", "--restore", "--of", str(archive), "--from", str(target)]
    assert cli.main(words) == 3
    said = capsys.readouterr().err
    assert said.startswith(
        f"stillpoint: archive {archive}: archive of the backup: cannot read it: "
    )
    assert said.count(str(archive)) == 1


def test_a_backup_by_name_is_that_of_one_velero(
    target: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = it.with_value(BACKUP, "oadp", "metadata", "namespace")
    with ApiServer([BACKUP, other]) as server:
        kubeconfig = str(server.kubeconfig(tmp_path / "kubeconfig"))
        words = ["rehearse", "--restore", "--kubeconfig", kubeconfig, "--of"]
        assert cli.main([*words, "weekly"]) == 3
        assert "backup weekly: cannot find it: the cluster has none" in capsys.readouterr().err
        assert cli.main([*words, "nightly", "--from", str(target)]) == 3
        assert "several namespaces have one: oadp, velero" in capsys.readouterr().err


def test_a_file_or_folder_comes_before_a_backup_of_that_name(
    archive: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(archive.parent)
    archive.rename(archive.with_name("nightly"))
    text = told(capsys, "--restore", "--of", "nightly", "--from", str(target), status=1)
    assert "backup nightly into 1 object" in text
