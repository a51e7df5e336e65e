"""The tree of docs/architecture.md is the tree of the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/architecture.md").read_text()
PACKAGES = ("plugin/stillpoint", "guest_hooks/stillpoint_guest")


def named() -> Iterator[str]:
    """Paths that the page draws: a line without indent, and what is indented below it."""
    (tree,) = re.findall(r"^```\n(plugin/stillpoint/\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    above = ""
    for indent, name in re.findall(r"^( *)(\S+)", tree, re.MULTILINE):
        above = above if indent else name
        yield above if not indent else f"{above}{name}"


def test_what_it_draws_is_there() -> None:
    assert not [path for path in named() if not (ROOT / path).exists()]


def test_every_room_is_drawn() -> None:
    rooms = {
        f"{package}/{folder.name}/"
        for package in PACKAGES
        for folder in (ROOT / package).iterdir()
        if (folder / "__init__.py").exists()
    }
    assert rooms <= set(named())
