"""The version of all that is built here; pyproject.toml reads the same line."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "guest_hooks" / "stillpoint_guest" / "__init__.py"
"""The guest's one file has no metadata of a distribution to read it from."""


def version() -> str:
    (found,) = re.findall(r'^__version__ = "(.+)"$', PLACE.read_text(), re.MULTILINE)
    return str(found)


if __name__ == "__main__":
    print(version())
