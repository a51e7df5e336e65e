"""`stillpoint snapshot` against an API server that answers, and changes nothing."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import fastjsonschema
import pytest
import yaml

from stillpoint import cli
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from tests.api_server.server import ApiServer
from tests.unit.cli.screen import Screen
from tests.unit.rehearsal import examples

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "vm-snapshots.schema.json").read_text())
READY: Item = {
    "phase": "Succeeded",
    "readyToUse": True,
    "creationTime": "2026-01-01T00:00:00Z",
    "virtualMachineSnapshotContentName": "content",
    "snapshotVolumes": {"includedVolumes": ["root", "data"], "excludedVolumes": ["cloudinit"]},
    "sourceIndications": [
        {"indication": "Online", "message": "it ran"},
        {"indication": "Someday", "message": "\x1b[31mred"},
    ],
}


NAME_OF_CONTENT = ("status", "virtualMachineSnapshotContentName")
CONTENT: Item = {
    "apiVersion": "snapshot.kubevirt.io/v1beta1",
    "kind": "VirtualMachineSnapshotContent",
    "metadata": {"name": "content", "namespace": "shop"},
    "spec": {"virtualMachineSnapshotName": "one", "source": {}},
}


def snapshot(name: str, status: Item) -> Item:
    item = virtual_machine_snapshot.manifest("shop", name, "db", "", "")
    return it.with_value(item, status, "status")


@contextmanager
def serving(folder: Path, objects: Iterable[Item]) -> Iterator[list[str]]:
    """The arguments that name the server."""
    with ApiServer([*examples.objects(), CONTENT, *objects]) as server:
        kubeconfig = server.kubeconfig(folder / "kubeconfig")
        yield ["-n", "shop", "--kubeconfig", str(kubeconfig)]


def test_what_nobody_knows_is_shown_as_it_is_and_does_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, [snapshot("one", READY)]) as where:
        assert cli.main(["snapshot", "show", "one", *where]) == 0
    output = capsys.readouterr().out
    assert "level     unknown" in output
    assert "Someday: \\x1b[31mred" in output


def test_one_whose_content_is_gone_is_not_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = it.with_value(snapshot("lost", READY), "gone", *NAME_OF_CONTENT)
    with serving(tmp_path, [lost]) as where:
        assert cli.main(["snapshot", "show", "lost", *where]) == 1
        assert "content   gone, not found" in capsys.readouterr().out
        assert cli.main(["snapshot", "wait", "lost", *where]) == 1


def test_a_snapshot_that_failed_and_one_that_is_under_way_have_a_status_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = {"type": "Failure", "status": "True", "reason": "snapshot deadline exceeded"}
    failed = snapshot("failed", {"phase": "Failed", "conditions": [reason]})
    with serving(tmp_path, [failed, snapshot("young", {})]) as where:
        assert cli.main(["snapshot", "show", "failed", *where]) == 1
        assert "snapshot deadline exceeded" in capsys.readouterr().out
        assert cli.main(["snapshot", "show", "young", *where]) == 3
        assert cli.main(["snapshot", "show", "shop/none", *where]) == 3
        assert "there is no such snapshot" in capsys.readouterr().err
        assert cli.main(["snapshot", "wait", "failed", "none", *where]) == 1
        assert "shop/none: there is no such snapshot" in capsys.readouterr().err
        assert cli.main(["snapshot", "wait", "young", "--timeout", "0", *where]) == 3


def test_the_list_is_one_line_each_and_its_json_fits_the_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, [snapshot("one", READY), snapshot("two", {})]) as where:
        assert cli.main(["snapshot", "list", *where]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["SNAPSHOT", "shop/one", "shop/two"]
        assert cli.main(["snapshot", "list", "legacy", *where]) == 0
        assert capsys.readouterr().out == "No snapshots.\n"
        assert cli.main(["snapshot", "list", "-A", "--output", "json", *where]) == 0
    document = json.loads(capsys.readouterr().out)
    fastjsonschema.compile(SCHEMA)(document)
    assert [one["name"] for one in document["snapshots"]] == ["one", "two"]


def test_a_dry_run_says_what_it_would_hold_and_what_speaks_against_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, []) as where:
        arguments = ["snapshot", "create", "db", "legacy", "--dry-run", *where]
        assert cli.main(arguments) == 0
        errors = capsys.readouterr().err
        assert "filesystem at best" in errors
        assert "agent-not-connected" in errors
        assert cli.main([*arguments, "--require", "filesystem", "--output", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    fastjsonschema.compile(SCHEMA)(document)
    assert [bool(one["obstacles"]) for one in document["intended"]] == [False, True]


def test_machines_are_selected_by_label_and_none_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, []) as where:
        assert cli.main(["snapshot", "create", "-l", "app=nothing", "--dry-run", *where]) == 3
        assert "no machine has labels that fit" in capsys.readouterr().err
        assert cli.main(["snapshot", "create", "nobody", "--dry-run", *where]) == 3
        assert "VirtualMachine shop/nobody" in capsys.readouterr().err


def test_a_cluster_that_refuses_is_an_error_with_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, []) as where:
        assert cli.main(["snapshot", "create", "archive", "--name", "one", *where]) == 3
    assert "virtualmachinesnapshots.snapshot.kubevirt.io shop/one" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["create"],
        ["create", "db", "-l", "app=db"],
        ["create", "db", "-l", "app in"],
        ["create", "db", "--require", "perfect"],
        ["create", "db", "--deadline", "soon"],
        ["wait", "one", "--timeout", "soon"],
        ["restore", "one", "--target-readiness-policy", "WaitGracePeriod 5"],
        ["restore", "one", "--target-readiness-policy", "Never"],
        ["restore", "one", "--volume-restore-policy", "Never"],
        ["restore", "one", "--volume-name", "root"],
        ["restore", "one", "--volume-name", "root=Root"],
        ["restore", "one", "--volume-name", "root=a..b"],
        ["restore", "one", "--volume-name", f"root={'r' * 254}"],
        ["restore", "one", "--to", "m" * 64],
        ["restore", "one", "--to", "no_name"],
        ["restore", "one", "--name", "-one"],
        ["create", "db", "--name", "n" * 254],
        ["create", "db", "-n", "../shop"],
        ["clone", "db", "--to", "m" * 64],
        ["clone", "db", "--to", "copy", "--name", "One"],
        ["restore", "one", "--volume-label", "root=tier"],
        ["restore", "one", "--patch", "{}"],
        ["clone", "db"],
        ["clone", "db", "--to", "copy", "--mac", "02-00-00-00-00-01"],
        ["delete"],
        ["delete", ""],
        ["delete", "shop/"],
        ["show", "/one"],
        ["wait", "one", "../two"],
        ["create", "shop/db/root"],
        ["restore", ""],
        ["clone", "", "--to", "copy"],
        ["prune"],
        ["prune", "--keep", "-1"],
        ["prune", "--older-than", "long"],
        ["show"],
        [],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["snapshot", *arguments])
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_zero_is_no_deadline_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, []) as where:
        arguments = ["snapshot", "create", "archive", "--deadline", "0", "--dry-run", *where]
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 2
        assert "would stay frozen" in capsys.readouterr().err
        assert cli.main([*arguments, "--force"]) == 0


@pytest.mark.parametrize(("said", "status"), [("n", 130), ("", 130), ("yes", 3), ("Y", 3)])
def test_on_a_terminal_it_asks_before_anything_is_made(
    said: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This server refuses what is made: 3 is a request that was sent."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdin", Screen(f"{said}\n"))
    monkeypatch.setattr(sys, "stderr", screen)
    with serving(tmp_path, []) as where:
        assert cli.main(["snapshot", "create", "archive", *where]) == status
    assert "Make 1 snapshot? [y/N]" in screen.getvalue()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["snapshot", "create", "db", "web"], 2), (["snapshot", "create", "db"], 0)],
)
def test_a_name_is_for_one_snapshot(arguments: list[str], code: int, tmp_path: Path) -> None:
    with serving(tmp_path, []) as where:
        whole = [*arguments, "--name", "one", "--dry-run", *where]
        try:
            status = cli.main(whole)
        except SystemExit as ended:
            status = int(ended.code or 0)
    assert status == code


def test_a_dry_run_of_a_restore_prints_what_oc_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, [snapshot("one", READY)]) as where:
        assert cli.main(["snapshot", "restore", "one", "--dry-run", *where]) == 1
        output, errors = capsys.readouterr()
    made = json.loads(output)
    assert made["kind"] == "VirtualMachineRestore"
    assert made["spec"]["target"]["name"] == "db"
    assert "content-missing" in errors
    assert "target-runs" in errors


def test_prune_says_what_goes_and_a_server_that_would_refuse_is_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = snapshot("bad", {"phase": "Failed"})
    failed["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    with serving(tmp_path, [snapshot("one", READY), failed]) as where:
        assert cli.main(["snapshot", "prune", "--keep", "1", *where]) == 0
        output, errors = capsys.readouterr()
        rows = [line.split() for line in output.splitlines()[1:]]
        assert [(row[0], row[3]) for row in rows] == [("shop/bad", "yes"), ("shop/one", "no")]
        assert "Nothing was deleted" in errors
        assert cli.main(["snapshot", "prune", "--keep", "1", "--delete", *where]) == 3


def test_the_namespace_is_that_of_the_context(tmp_path: Path) -> None:
    with ApiServer([*examples.objects(), CONTENT, snapshot("one", READY)]) as server:
        file = server.kubeconfig(tmp_path / "kubeconfig")
        assert cli.main(["snapshot", "show", "one", "--kubeconfig", str(file)]) == 3
        known = yaml.safe_load(file.read_text())
        known["contexts"][0]["context"]["namespace"] = "shop"
        file.write_text(yaml.safe_dump(known))
        assert cli.main(["snapshot", "show", "one", "--kubeconfig", str(file)]) == 0
