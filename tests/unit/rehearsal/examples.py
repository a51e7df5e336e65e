"""The manifests of `examples/`, for tests."""

import copy
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal, Wanted, rehearse
from stillpoint.rehearsal.sources import manifests
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import backup_request

FOLDER = Path(__file__).parents[3] / "examples"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def objects() -> list[Item]:
    """Fresh copies, so that a test can change them."""
    return copy.deepcopy(list(manifests.read(FOLDER).objects))


def find(of: list[Item], kind: str, name: str) -> Item:
    """The object whose name begins with `name`."""
    (found,) = (item for item in of if item["kind"] == kind and it.name(item).startswith(name))
    return found


def rehearsed(
    of: Sequence[Item],
    *namespaces: str,
    backup: Item | None = None,
    restore: Item | None = None,
) -> Rehearsal:
    """These objects through the catalogue's actions."""
    known = Known.of_manifests(of, "a test")
    chosen = backup or backup_request.of_flags(namespaces, None)
    return rehearse(known, Wanted(chosen, NOW, restore))


def machine(found: Rehearsal, name: str, namespace: str = "shop") -> Machine:
    """The machine of that name."""
    (one,) = (one for one in found.machines if one.title == f"{namespace}/{name}")
    return one


def codes(of: Machine) -> set[str]:
    """The reasons of its verdict."""
    return {one.code for one in of.judged.findings}
