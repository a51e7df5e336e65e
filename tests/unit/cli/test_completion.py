"""Completion scripts, as the shells themselves take them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stillpoint import cli

LINES = [
    ("stillpoint re", {"rehearse", "render", "report"}),
    ("stillpoint render po", {"policy"}),
    ("stillpoint rehearse --ba", {"--backup"}),
    ("stillpoint rehearse --output ", {"table", "json"}),
    ("stillpoint rehearse -o j", {"json"}),
    ("stillpoint completion ", {"bash", "zsh", "fish", "tcsh"}),
    ("stillpoint rehearse --from fo", {"folder"}),
    ("stillpoint rehearse --backup fil", {"file"}),
    ("stillpoint install f", {"folder"}),
    (
        "stillpoint snapshot ",
        {"create", "list", "show", "wait", "restore", "clone", "delete", "prune"},
    ),
    ("stillpoint report --output ", {"table", "json", "junit", "csv", "html", "openmetrics"}),
    ("stillpoint snapshot create --require ", {"crash", "filesystem", "application"}),
]


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str], shell: str) -> Path:
    """The script in an own file, in a folder with a file and a folder to complete."""
    assert cli.main(["completion", shell]) == 0
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    return script


def said(script: Path, program: str, *arguments: str) -> list[str]:
    path = shutil.which(program) or pytest.fail(f"no {program}; HINT: make system")
    done = subprocess.run(
        [path, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=script.parent,
        env={"HOME": str(script.parent), "PATH": "/usr/bin:/bin", "TERM": "dumb"},
        timeout=180,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash"])
@pytest.mark.parametrize(("line", "words"), LINES)
def test_bash_completes_verbs_options_choices_and_files(
    line: str, words: set[str], script: Path
) -> None:
    parts = line.split(" ")
    quoted = " ".join(f"'{part}'" for part in parts)
    commands = (
        f"source ./script; COMP_WORDS=({quoted}); COMP_CWORD={len(parts) - 1}; "
        '$(complete -p stillpoint | sed "s/.*-F \\([^ ]*\\) .*/\\1/"); '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert set(said(script, "bash", "-c", commands)) == words


@pytest.mark.parametrize("shell", ["fish"])
@pytest.mark.parametrize(("line", "words"), LINES)
def test_fish_completes_verbs_options_choices_and_files(
    line: str, words: set[str], script: Path
) -> None:
    lines = said(script, "fish", "-N", "-c", f"source ./script; complete -C '{line}'")
    assert {one.partition("\t")[0].rstrip("/") for one in lines} == words


@pytest.mark.parametrize(
    ("shell", "arguments"),
    [("zsh", ["-n", "./script"]), ("tcsh", ["-f", "-c", "source ./script"])],
)
def test_other_shells_take_the_script(shell: str, arguments: list[str], script: Path) -> None:
    assert said(script, shell, *arguments) == []
    text = script.read_text()
    for word in ("rehearse", "completion", "version", "every-resource", "archive", "explain"):
        assert word in text
