"""What a page names is there, and its text wraps so that a changed word is a readable diff.

Links inside of docs are mkdocs' business (`make lint`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OUTSIDE = sorted(ROOT.glob("*.md"))
PAGES = [*OUTSIDE, *sorted((ROOT / "docs").rglob("*.md"))]
NEWS = sorted((ROOT / "changelog.d").glob("*.md"))
WIDTH = 120
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(
    r"`((?:plugin|guest_hooks|tests|docs|packaging|proto|benchmarks|examples)/[\w./-]*)`"
)
PLACEHOLDER = re.compile(r"\b(KIND|NAME|VERB)\b")
WRITTEN_BY_TOWNCRIER = "CHANGELOG.md"


@pytest.mark.parametrize("page", OUTSIDE, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    dead = [link for link in LINK.findall(FENCE.sub("", page.read_text())) if is_dead(link, page)]
    assert not dead


def is_dead(link: str, page: Path) -> bool:
    if link.startswith("https://"):
        return False
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or (bool(anchor) and anchor not in anchors(target.read_text()))


def anchors(text: str) -> Iterator[str]:
    yield from re.findall(r'<a id="([^"]+)"', text)
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        yield re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_it_names_exist(page: Path) -> None:
    named = [path for path in PATH.findall(page.read_text()) if not PLACEHOLDER.search(path)]
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", [*PAGES, *NEWS], ids=lambda page: str(page.relative_to(ROOT)))
def test_text_wraps(page: Path) -> None:
    if page.name == WRITTEN_BY_TOWNCRIER:
        return
    long = [
        line
        for line in FENCE.sub("", page.read_text()).splitlines()
        if len(line) > WIDTH and not line.lstrip().startswith(("|", "!["))
    ]
    assert not long


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `code` heading\n")
    assert not is_dead("#one-code-heading", page)
    assert is_dead("#another", page)
    assert is_dead("absent.md", page)
