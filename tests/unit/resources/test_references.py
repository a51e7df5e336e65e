"""Each row of the table of references, through the actions that are driven by it, and in the docs.

A new field is one row there, one in docs/references.md, and tested by that.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stillpoint.actions.backup import virtual_machine as backup_action
from stillpoint.actions.restore import other
from stillpoint.actions.restore import virtual_machine as restore_action
from stillpoint.actions.restore.selection import plan
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.model.reference import Reference
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.resources.references import ANNOTATIONS, GUEST, SOURCES, Done, Row
from tests.unit.contexts import backup_context, restore_context
from tests.unit.dictionary_reader import DictionaryReader

PAGE = Path(__file__).parents[3] / "docs" / "references.md"
NAME = "the-one"
OF_GUEST = (*GUEST, *ANNOTATIONS)


def ids(row: Row) -> str:
    return f"{row.resource.kind} {row.where}"


def of(*rows: Row) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=ids)


def placed(where: str, value: Any) -> Any:
    """The smallest object that has `value` at a path."""
    key, _dot, rest = where.partition(".")
    inner = placed(rest, value) if rest else value
    if key == "[]":
        return [inner]
    return {key.removesuffix("[]"): [inner] if key.endswith("[]") else inner}


def machine(row: Row, value: str = NAME) -> Item:
    """A virtual machine `db` whose guest has this reference and no other."""
    template: Item = {"spec": {"domain": {}}}
    if row in SOURCES:
        return {
            "kind": "VirtualMachine",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {
                "dataVolumeTemplates": [{"metadata": {"name": "root"}, **placed(row.where, value)}],
                "template": template,
            },
        }
    if row in ANNOTATIONS:
        key, _colon, where = row.where.partition(": ")
        text = json.dumps(placed(where, value)) if where else value
        template["metadata"] = {"annotations": {key: text}}
    else:
        template["spec"] |= placed(row.where, value)
    return {
        "kind": "VirtualMachine",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"template": template},
    }


def backed_up(item: Item, cluster: Sequence[Item] = ()) -> Any:
    return backup_action.execute(item, backup_context({}, DictionaryReader([item, *cluster])))


def restored(item: Item, archive: Sequence[Item], **conditions: str) -> Any:
    notes = {f"stillpoint.dev/{key}": value for key, value in conditions.items()}
    restore: Item = {"metadata": {"name": "r", "annotations": notes}}
    context = restore_context(restore, item, DictionaryReader([]), archive=archive)
    return restore_action.execute(item, context)


def target(row: Row) -> Reference:
    return row.resource.named("shop", NAME)


def stored(row: Row) -> Item:
    group = row.resource.group
    version = f"{group}/{row.resource.version}" if group else row.resource.version
    metadata = {"name": NAME, "namespace": "shop"}
    return {"apiVersion": version, "kind": row.resource.kind, "metadata": metadata}


BROUGHT = [row for row in OF_GUEST if row.done in (Done.BROUGHT, Done.RENAMED)]
LEFT = [row for row in OF_GUEST if row.done is Done.BROUGHT]
RENAMED = [row for row in OF_GUEST if row.done is Done.RENAMED]
REPORTED = [row for row in OF_GUEST if row.done is Done.REPORTED]


@of(*BROUGHT)
def test_what_is_brought_comes_into_the_backup(row: Row) -> None:
    assert target(row) in backed_up(machine(row), [stored(row)]).additional


@of(*BROUGHT)
def test_it_is_kept_where_only_its_machine_is_wanted(row: Row) -> None:
    restore: Item = {"metadata": {"name": "r", "annotations": {"stillpoint.dev/only": "db"}}}
    item = machine(row)
    context = restore_context(restore, item, DictionaryReader([]), archive=[stored(row)])
    assert plan.of(context, "shop").why_left_out(target(row)) == ""
    plain = {**stored(row), "metadata": {"name": "another", "namespace": "shop"}}
    context = restore_context(restore, plain, DictionaryReader([]), archive=[item])
    assert other.execute(plain, context).skip


@of(*BROUGHT)
def test_it_is_told_where_neither_backup_nor_cluster_has_it(row: Row) -> None:
    told = " ".join(map(str, restored(machine(row), []).additional))
    assert "db needs what is missing here: " in told
    assert f"{row.resource.kind} {NAME}" in told
    told = " ".join(map(str, restored(machine(row), [stored(row)]).additional))
    assert f"{row.resource.kind} {NAME}" not in told


@of(*RENAMED)
def test_data_of_the_guest_is_called_after_the_copy(row: Row) -> None:
    item = restored(machine(row), [stored(row)], rename="db=db2").item
    assert NAME not in json.dumps(item).replace(f"db2-{NAME}", "")
    assert f"db2-{NAME}" in json.dumps(item)


@of(*LEFT)
def test_what_others_may_use_keeps_its_name_beside_a_copy(row: Row) -> None:
    item = restored(machine(row), [stored(row)], rename="db=db2").item
    changed = {**item, "metadata": machine(row)["metadata"]}
    assert changed == machine(row)


@of(*REPORTED)
def test_what_the_cluster_must_have_is_noted_at_backup(row: Row) -> None:
    note = it.annotations(backed_up(machine(row)).item)["stillpoint.dev/needs-from-cluster"]
    place = "" if row.resource == kinds.PRIORITY_CLASS else "shop/"
    assert note == f"{row.resource}/{place}{NAME}"


@of(*REPORTED)
def test_it_is_told_at_a_restore_from_a_backup_without_our_note(row: Row) -> None:
    told = " ".join(map(str, restored(machine(row), []).additional))
    assert f"db needs what is missing here: {row.resource.kind} {NAME}" in told


@of(*[row for row in REPORTED if row.resource == kinds.NETWORK_ATTACHMENT])
def test_a_namespace_in_front_of_a_network_is_its_own_and_follows_the_mapping(row: Row) -> None:
    item = machine(row, "lan/blue")
    note = it.annotations(backed_up(item).item)["stillpoint.dev/needs-from-cluster"]
    assert note == f"{row.resource}/lan/blue"
    mapped = virtual_machine.with_namespaces(item, lambda name: f"{name}-test")
    assert "lan-test/blue" in json.dumps(mapped)
    assert "lan/blue" not in json.dumps(mapped)


@of(*GUEST)
def test_an_instance_that_stands_alone_has_the_same(row: Row) -> None:
    spec = machine(row)["spec"]["template"]["spec"]
    metadata = {"name": "solo", "namespace": "shop"}
    instance: Item = {"kind": "VirtualMachineInstance", "metadata": metadata, "spec": spec}
    found = list(virtual_machine_instance.references(instance))
    assert (target(row) in found) is (row.done is not Done.REPORTED)


@of(*SOURCES)
def test_what_a_disk_is_filled_by_is_brought_until_it_is_filled(row: Row) -> None:
    value: Any = NAME
    item = machine(row, value)
    assert target(row) in backed_up(item, [stored(row)]).additional
    filler: Item = {"kind": "DataVolume", "metadata": {"name": "root", "namespace": "shop"}}
    going_on = [filler | {"status": {"phase": "ImportInProgress"}}]
    assert target(row) in backed_up(item, going_on).additional
    filled = [filler | {"status": {"phase": "Succeeded"}}]
    assert target(row) not in backed_up(item, filled).additional


def test_a_list_of_hook_sidecars_that_is_none_is_left_to_kubevirt() -> None:
    for text in ("", "{", "{}", "[1]", '[{"configMap": "x"}]', "[" * 5000):
        item = machine(ANNOTATIONS[0])
        path = ("spec", "template", "metadata", "annotations", "hooks.kubevirt.io/hookSidecars")
        item = it.with_value(item, text, *path)
        assert list(virtual_machine.references(item)) == []


def test_the_page_has_every_row_and_no_other() -> None:
    shown = re.findall(r"^\| (\w+) \| `([^`]+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    rows = [(row.resource.kind, row.where, str(row.done)) for row in (*OF_GUEST, *SOURCES)]
    assert shown == rows
