"""Every action over the cases in `cases/`: YAML in, YAML out.

A file holds the cases of one action, named as its module (`backup.virtual_machine`); a case:

    rule: what is expected, in words, with the number of the peer's rule where there is one
    backup: the Backup object (or `restore:`), one of all namespaces by default
    cluster: objects that exist beside the item
    archive: what the backup that is restored holds beside the item; without it nobody can look
    item: what Velero hands over
    changes: a merge patch that makes the expected item of it; none means not changed
    additional / related: references that the action answers, in order
    skip: whether a restore leaves it out
    warning / error: text that the log, or the error, contains
    questions: the most that the cluster may be asked
"""

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from stillpoint import catalogue
from stillpoint.calls.action import Entry, ItemBlockEntry, every
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.item import Item
from tests.unit.contexts import backup_context, restore_context
from tests.unit.dictionary_reader import DictionaryReader, merged

CASES = Path(__file__).parent / "cases"
KNOWN = {
    "rule", "backup", "restore", "cluster", "item", "changes", "additional", "related", "skip",
    "warning", "error", "questions", "archive",
}  # fmt: skip


def files() -> list[Path]:
    return sorted(CASES.glob("*.yaml"))


def cases() -> list[Any]:
    found = []
    for file in files():
        for case in yaml.load(file.read_text(), Loader=_Loader):  # noqa: S506 - a SafeLoader
            assert set(case) <= KNOWN, f"{file.name}: unknown keys {set(case) - KNOWN}"
            found.append(pytest.param(file.stem, case, id=f"{file.stem}: {case['rule']}"))
    return found


def test_every_action_has_its_cases() -> None:
    have = {f"stillpoint.actions.{each.stem}" for each in files()}
    assert not [entry.name for entry in every(catalogue) if module_of(entry) not in have]


def module_of(entry: Entry) -> str:
    if isinstance(entry, ItemBlockEntry):
        return entry.action.related_items.__module__
    return entry.action.execute.__module__


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a time is a string."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.mark.parametrize(("module", "case"), cases())
def test_rule(module: str, case: Item, caplog: pytest.LogCaptureFixture) -> None:
    item = case["item"]
    before = copy.deepcopy(item)
    there = [] if module.startswith("restore") else [item]
    reader = DictionaryReader([*case.get("cluster", []), *there])

    if "error" in case:
        with pytest.raises(StillpointError) as raised:
            answered(module, case, reader)
        assert case["error"] in str(raised.value)
        return
    answer = answered(module, case, reader)

    assert item == before, "an action works on a copy"
    if module.startswith("item_block"):
        assert [str(reference) for reference in answer] == case["related"]
    else:
        assert answer.item == merged(item, case.get("changes", {}))
        assert [str(reference) for reference in answer.additional] == case.get("additional", [])
        assert getattr(answer, "skip", False) == case.get("skip", False)
    assert case.get("warning", "") in caplog.text
    if module.startswith("backup"):  # Velero counts them
        warnings = [one.message for one in caplog.records if one.levelname == "WARNING"]
        assert bool(warnings) is ("warning" in case), warnings
    assert len(caplog.records) > 0 or "warning" not in case
    if "questions" in case:
        assert len(reader.questions) <= case["questions"], reader.questions


def answered(module: str, case: Item, reader: DictionaryReader) -> Any:
    """What the action answers; the Backup or Restore is parsed with it, as in the servicer."""
    action = importlib.import_module(f"stillpoint.actions.{module}")
    item = case["item"]
    if module.startswith("restore"):
        context = restore_context(
            case.get("restore", {}), item, reader, archive=case.get("archive")
        )
        return action.execute(item, context)
    of_backup = backup_context(case.get("backup", {}), reader, it.describe(item))
    if module.startswith("item_block"):
        return action.related_items(item, of_backup)
    return action.execute(item, of_backup)
