"""Every "rule 3.1" and "hazard 6" of the sources leads to a place in docs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("plugin", "guest_hooks", "tests", "benchmarks", "packaging")
PAGES = {"rule": "rules.md", "hazard": "hazards.md"}
NUMBER = r"\d+(?:\.\d+)*"
NAMED = re.compile(
    rf"\b(rule|hazard)s?:?\s+({NUMBER}(?:(?:,|,?\s+and)\s+{NUMBER})*)", re.IGNORECASE
)


def named(text: str) -> set[str]:
    return {
        f"{kind.lower()}-{number}"
        for kind, numbers in NAMED.findall(text)
        for number in re.findall(NUMBER, numbers)
    }


def sources() -> Iterator[Path]:
    for folder in FOLDERS:
        for pattern in ("*.py", "*.yaml"):
            yield from (ROOT / folder).rglob(pattern)


@pytest.mark.parametrize("kind", PAGES)
def test_every_number_is_in_the_docs(kind: str) -> None:
    anchors = set(re.findall(r'<a id="([^"]+)"></a>', (ROOT / "docs" / PAGES[kind]).read_text()))
    missing = {
        (str(path.relative_to(ROOT)), name)
        for path in sources()
        for name in named(path.read_text())
        if name.startswith(kind) and name not in anchors
    }
    assert not missing


def test_numbers_are_found_in_lists_and_across_lines() -> None:
    assert named("(rules 4.1\nand 4.2, and 5)") == {"rule-4.1", "rule-4.2", "rule-5"}
    assert named('"""Hazard 11: nothing"""') == {"hazard-11"}
    assert named("- rule: 4.5 a launcher pod is not restored") == {"rule-4.5"}
