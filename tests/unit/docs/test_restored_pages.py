"""The examples in docs/restore that are about a whole backup, restored by the catalogue's actions.

The blocks of a page, told by the word after the language:

    restore     the Restore
    backup      what the backup holds
    cluster     what exists where it is restored
    created     fields of objects as they are created, by their names in the backup
    left-out    `KIND NAME` of each object that is not created, one a line
    error       how the error of an object begins, after `KIND NAME: `
    warning     what Velero warns of
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.rehearsal.velero_steps.restore import RestoredItem, RestoreResult
from tests.unit.dictionary_reader import merged
from tests.unit.restoring import restored

FOLDER = Path(__file__).parents[3] / "docs" / "restore"
UNASKED = ("repairs", "owners")
PAGES = ("run-strategy", "mac-addresses", "firmware-uuid", "rename", "only", "replay", *UNASKED)
BLOCK = re.compile(r"^```\w+ ([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_an_example_is_true(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    assert f"stillpoint.dev/{page}" in text or page in UNASKED
    blocks = dict(BLOCK.findall(text))
    [asked] = objects(blocks["restore"])
    done = restored(objects(blocks["backup"]), asked, objects(blocks.get("cluster", "")))
    for wanted in objects(blocks.get("created", "")):
        check_created(wanted, done)
    left_out = blocks.get("left-out", "").splitlines()
    failed = blocks.get("error", "").splitlines()
    for name, one in done.items():
        is_created = one.result is RestoreResult.CREATED
        assert is_created is not (name in left_out or any(e.startswith(name) for e in failed)), name
    for line in failed:
        name, _colon, error = line.partition(": ")
        assert done[name].why.startswith(error)
    warnings = [str(missing) for one in done.values() for missing in one.missing]
    assert "".join(warnings).endswith(blocks.get("warning", "").strip())


def check_created(wanted: Item, done: Mapping[str, RestoredItem]) -> None:
    [found] = [
        one.item
        for one in done.values()
        if one.item and (one.item["kind"], it.name(one.item)) == (wanted["kind"], it.name(wanted))
    ]
    assert merged(found, wanted) == found


def objects(text: str) -> list[Item]:
    return list(yaml.safe_load_all(text)) if text else []


def test_every_condition_has_its_page() -> None:
    found = {page.stem for page in FOLDER.glob("*.md")}
    assert set(PAGES) <= found
