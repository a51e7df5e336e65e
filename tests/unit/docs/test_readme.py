"""What README shows of `make demo` is what the command prints."""

import re
from pathlib import Path

import pytest

from plugin import cli

ROOT = Path(__file__).parents[3]
SHOWN = re.compile(r"^```\n(Rehearsed a backup .*?)^```$", re.MULTILINE | re.DOTALL)
TIME = re.compile(r"ready in \d+ ms")


def parts(text: str) -> tuple[str, str]:
    """The heading, whose lines break elsewhere with another time, and all else as it is."""
    heading, _, rest = text.partition("\n\n")
    return TIME.sub("ready in some ms", " ".join(heading.split())), rest


def test_the_demo_prints_what_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = SHOWN.findall((ROOT / "README.md").read_text())
    monkeypatch.chdir(ROOT)
    assert cli.main(["rehearse", "--from", "examples"]) == 0
    assert parts(capsys.readouterr().out) == parts(shown)
