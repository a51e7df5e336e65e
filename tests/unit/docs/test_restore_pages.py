"""The examples in docs/restore, executed: what a page says is what the plugin does.

The blocks of a page, told by the word after the language:

    restore     the Restore
    backup      the machine that the backup holds
    cluster     what exists before it is created
    created     fields of the machine as it is created
    progress    what is told of it at the first tick
    error       how the error begins, instead of a machine
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stillpoint.actions.restore import virtual_machine as action
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from tests.unit.contexts import restore_context
from tests.unit.dictionary_reader import DictionaryReader, merged

PAGES = sorted((Path(__file__).parents[3] / "docs" / "restore").glob("*.md"))
BLOCK = re.compile(r"^```\w+ (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = ("wait.md", "start-order.md", "target-readiness-policy.md")


@pytest.mark.parametrize("page", [each for each in PAGES if each.name in OURS], ids=str)
def test_an_example_is_true(page: Path) -> None:
    blocks = dict(BLOCK.findall(page.read_text()))
    told = blocks.pop("progress", ""), blocks.pop("error", "")
    read: dict[str, Any] = {name: yaml.safe_load(text) for name, text in blocks.items()}
    cluster = DictionaryReader(read.get("cluster", []))
    if told[1]:
        with pytest.raises(StillpointError) as raised:
            action.execute(
                read["backup"], restore_context(read["restore"], read["backup"], cluster)
            )
        assert str(raised.value).startswith(told[1].strip())
        return
    context = restore_context(read["restore"], read["backup"], cluster)
    outcome = action.execute(read["backup"], context)
    assert merged(outcome.item, read["created"]) == outcome.item
    cluster.objects.append(outcome.item)
    assert described(outcome.operation, read["restore"], cluster) == told[0].strip()


def described(operation: str, restore: Item, cluster: DictionaryReader) -> str:
    return action.progress(operation, restore_context(restore, {}, cluster)).description


def test_every_condition_of_this_part_has_its_page() -> None:
    assert set(OURS) <= {page.name for page in PAGES}
