"""The manifests of `examples/`, for tests."""

import copy
from pathlib import Path

from plugin.model import item as it
from plugin.model.item import Item
from plugin.rehearsal import manifests

FOLDER = Path(__file__).parents[3] / "examples"


def objects() -> list[Item]:
    """Fresh copies, so that a test can change them."""
    return copy.deepcopy(list(manifests.read(FOLDER).objects))


def find(of: list[Item], kind: str, name: str) -> Item:
    """The object whose name begins with `name`."""
    (found,) = (item for item in of if item["kind"] == kind and it.name(item).startswith(name))
    return found
