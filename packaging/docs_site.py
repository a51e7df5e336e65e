"""Hooks of mkdocs for the pages of docs (`hooks` in mkdocs.yml)."""

import re
from typing import Any

_BLOCK = re.compile(r"^(```\w+) [\w-]+$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with one word after the fence of each code block; tests know some by a second."""
    return _BLOCK.sub(r"\1", markdown)
