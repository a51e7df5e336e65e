"""Tables of docs that are made from the code (`make docs`)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for page in (ROOT / "docs").rglob("*.md"):
        copy = tmp_path / page.relative_to(ROOT / "docs")
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(page, copy)
    return tmp_path


def make(docs: Path, *arguments: str) -> tuple[int, str]:
    program = ROOT / "packaging" / "docs_tables.py"
    done = subprocess.run(
        [sys.executable, program, *arguments, docs], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_what_a_page_says_else_than_the_code_is_found_and_mended(docs: Path) -> None:
    page = docs / "rehearse.md"
    right = page.read_text()
    page.write_text(right.replace("| `paused` | degrades |", "| `paused` | blocks |"))
    status, errors = make(docs, "--check")
    assert status == 1
    assert "rehearse.md: a table is not what the code says; HINT: make docs" in errors
    assert make(docs) == (0, "")
    assert page.read_text() == right
    assert make(docs, "--check") == (0, "")


@pytest.mark.parametrize(("was", "now"), [("docs: reasons", "docs: rasons"), ("make docs:", "x:")])
def test_a_table_that_no_page_or_no_code_has_is_named(docs: Path, was: str, now: str) -> None:
    page = docs / "rehearse.md"
    page.write_text(page.read_text().replace(was, now))
    status, errors = make(docs)
    assert status == 1
    assert "reasons" in errors
