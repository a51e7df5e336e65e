"""Completion scripts, as the shells themselves take them."""

import shutil
import subprocess

import pytest

from stillpoint import cli


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("stillpoint re", {"rehearse"}),
        ("stillpoint rehearse --ba", {"--backup"}),
        ("stillpoint rehearse --output ", {"table", "json"}),
        ("stillpoint rehearse -o j", {"json"}),
        ("stillpoint completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes_verbs_options_and_choices(
    line: str, words: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parts = line.split(" ")
    quoted = " ".join(f"'{part}'" for part in parts)
    ask = f"COMP_WORDS=({quoted}); COMP_CWORD={len(parts) - 1}; _stillpoint; "
    commands = script("bash", capsys) + ask + 'printf "%s\\n" "${COMPREPLY[@]}"'
    bash = shutil.which("bash") or "bash"
    done = subprocess.run([bash, "-c", commands], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == words


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_every_verb_and_option(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = script(shell, capsys)
    for word in ("rehearse", "completion", "version", "every-resource", "archive", "explain"):
        assert word in text
