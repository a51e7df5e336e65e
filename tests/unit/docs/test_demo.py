"""What README and docs/rehearse.md show of `make demo` is what the command prints."""

import re
from pathlib import Path

import pytest

from stillpoint import cli

ROOT = Path(__file__).parents[3]
SHOWN = re.compile(r"^```\n(Rehearsed a backup .*?)^```$", re.MULTILINE | re.DOTALL)


def shown(page: str) -> tuple[str, str]:
    (text,) = SHOWN.findall((ROOT / page).read_text())
    return parts(text)


def parts(text: str) -> tuple[str, str]:
    """The heading and all else."""
    heading, _, rest = text.partition("\n\n")
    return heading, rest


def test_the_demo_prints_what_is_shown_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.main(["rehearse", "--from", "examples"]) == 0
    printed = parts(capsys.readouterr().out)
    assert printed == shown("docs/rehearse.md")
    heading, beginning = shown("README.md")
    assert heading == printed[0]
    assert printed[1].startswith(beginning)
