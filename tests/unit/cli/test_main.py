"""The command as people call it: output, exit status, no traceback."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
import yaml

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import report
from stillpoint.cli.output.terminal import WIDTH
from stillpoint.cli.verbs import version
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.level import Level
from tests.peers import build
from tests.unit.rehearsal import examples

Finished = subprocess.CompletedProcess[bytes]


def put(folder: Path, objects: list[Item]) -> Path:
    (folder / "some.yaml").write_text(yaml.safe_dump_all(objects))
    return folder


def test_the_demo_fits_its_width_and_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["rehearse", "--from", str(examples.FOLDER)])
    output, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    assert max(map(len, output.splitlines())) <= WIDTH
    assert "\x1b" not in output
    rows = {line.split()[0]: line for line in output.splitlines() if line.startswith("shop/")}
    assert list(rows) == ["shop/legacy", "shop/reports", "shop/archive", "shop/db", "shop/web"]
    assert "filesystem" in rows["shop/db"]
    assert "crash" in rows["shop/legacy"]
    assert "2 (1 hot)" in rows["shop/web"]
    assert "systemctl enable --now qemu-guest-agent" in output


def test_what_is_not_safe_is_said_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = [one for one in examples.objects() if it.name(one) != "db-cloud-init"]
    assert cli.main(["rehearse", "--from", str(put(tmp_path, objects)), "-n", "shop"]) == 1
    output = capsys.readouterr().out
    rows = [line.split() for line in output.splitlines() if line.startswith("shop/")]
    assert rows[0][:2] == ["shop/db", "blocked"]
    assert "outside-the-backup: 1 VM\n" in output
    assert "the backup would not hold: secrets shop/db-cloud-init\n" in output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-verb"],
        ["rehearse", "--from", "/no/such/folder"],
        ["rehearse", "--from", str(examples.FOLDER), "--no-such-option"],
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: stillpoint" in capsys.readouterr().err


def test_a_file_in_place_of_a_folder_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["rehearse", "--from", str(examples.FOLDER / "db.yaml")])
    assert caught.value.code == 2
    assert "db.yaml' is a file: name the folder of it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: [\n", "some.yaml:2: cannot read the manifests: no YAML"),
        ("{apiVersion: v1, kind: Secret, metadata: {name: x}}", "HINT: oc get vm,vmi"),
        ("", "no objects in 1 file"),
    ],
)
def test_what_cannot_be_told_is_an_error_for_people(
    tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some.yaml").write_text(text)
    assert cli.main(["rehearse", "--from", str(tmp_path)]) == 3
    output, errors = capsys.readouterr()
    assert output == ""
    assert words in errors
    assert "Traceback" not in errors


def test_version_names_what_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("stillpoint 0.")
    assert "plugin protocol 2" in output
    assert f"tested with Velero {build.VELERO_VERSION.removeprefix('v')[:4]}" in output
    assert "tested with KubeVirt 1.9" in output


def test_version_is_an_option_too(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["version"])
    verb = capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == verb


def test_a_rehearsal_does_without_grpc_and_without_a_process() -> None:
    code = (
        "import sys, subprocess; from stillpoint import cli; subprocess.Popen = None\n"
        f"status = cli.main(['rehearse', '--from', {str(examples.FOLDER)!r}])\n"
        "print(*{'grpc', 'google.protobuf', 'kubernetes', 'msgspec', 'ssl'} & sys.modules.keys(),"
        " file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


LATER = ("grpc", "kubernetes", "rich", "shtab", "stillpoint.rehearsal")
"""What takes more time to import than a quick verb takes altogether."""


@pytest.mark.parametrize("arguments", [["--help"], ["rehearse", "--help"], ["version"]])
def test_help_and_version_do_without_what_takes_time(arguments: list[str]) -> None:
    code = (
        "import atexit, sys; from stillpoint import cli\n"
        f"atexit.register(lambda: print(*set({LATER}) & sys.modules.keys(), file=sys.stderr))\n"
        f"cli.main({arguments})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=180
    )
    assert done.stderr.split() == []
    assert "stillpoint" in done.stdout


def test_a_reader_that_leaves_is_no_traceback_and_no_verdict() -> None:
    command = [sys.executable, "-c", "import sys; from stillpoint import cli; sys.exit(cli.main())"]
    arguments = ["rehearse", "--from", str(examples.FOLDER)]
    process = subprocess.Popen(command + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), errors) == (ExitStatus.INTERRUPTED, b"")


VERSION = ["version"]
DOCUMENT = ["rehearse", "--from", str(examples.FOLDER), "-o", "json"]


def finished(
    redirection: str,
    arguments: list[str],
    output: int | IO[bytes] = subprocess.PIPE,
    **environment: str,
) -> Finished:
    """The command in a shell, with a redirection such as `>&-`; its output is buffered."""
    program = "import sys; from stillpoint import cli; sys.exit(cli.main())"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command],
        env={**os.environ, "PYTHONUNBUFFERED": "", **environment},
        stdout=output,
        stderr=subprocess.PIPE,
        check=False,
        timeout=180,
    )


@pytest.mark.parametrize("arguments", [VERSION, DOCUMENT])
def test_a_reader_that_leaves_is_noticed_however_little_is_written(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as left:
        done = finished("", arguments, output=left)
    assert (done.returncode, done.stderr) == (ExitStatus.INTERRUPTED, b"")


@pytest.mark.parametrize("arguments", [VERSION, DOCUMENT])
@pytest.mark.parametrize(
    ("redirection", "cause"),
    [(">/dev/full", b"No space left on device"), (">&-", b"it is closed")],
)
def test_an_output_that_takes_nothing_is_an_error_and_no_verdict(
    redirection: str, cause: bytes, arguments: list[str]
) -> None:
    done = finished(redirection, arguments)
    error = b"stillpoint: standard output: cannot write to it: %s\n" % cause
    assert (done.returncode, done.stderr) == (ExitStatus.CANNOT_TELL, error)


def test_an_error_without_standard_error_is_told_by_the_status_alone(tmp_path: Path) -> None:
    done = finished("2>&-", ["rehearse", "--from", str(tmp_path)])
    assert (done.returncode, done.stdout) == (ExitStatus.CANNOT_TELL, b"")


@pytest.mark.parametrize(
    ("form", "shown"), [("table", rb"shop/z\xfcrich"), ("json", '"zürich"'.encode())]
)
def test_a_name_that_the_encoding_of_the_output_lacks_is_shown_all_the_same(
    form: str, shown: bytes, tmp_path: Path
) -> None:
    machine = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "zürich", "namespace": "shop"},
        "spec": {"runStrategy": "Halted", "template": {"spec": {"domain": {}}}},
    }
    arguments = ["rehearse", "--from", str(put(tmp_path, [machine])), "-o", form]
    done = finished("", arguments, PYTHONIOENCODING="ascii")
    assert b"Traceback" not in done.stderr
    assert shown in done.stdout


def test_what_nobody_foresaw_is_one_line_and_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_arguments: argparse.Namespace) -> int:
        raise TypeError("str is not valid UTF-8: \x1b surrogates not allowed")

    monkeypatch.setattr(version, "run", fails)
    assert cli.main(["version"]) == ExitStatus.CANNOT_TELL
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(r"stillpoint: TypeError: str is not valid UTF-8: \x1b surrogates")
    assert "(test_main.py:" in said[0]
    assert said[1:] == ["HINT: this is a fault of the command: please report it"]


def test_every_level_has_its_meaning() -> None:
    assert set(report._MEANINGS) == set(Level)
