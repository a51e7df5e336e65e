"""What no rule names comes out as it went in: through the wire's codec and every action."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillpoint import catalogue
from stillpoint.calls import payload
from stillpoint.calls.action import BackupEntry, RestoreEntry, every
from stillpoint.model.item import Item
from tests.contract.running_machine import BACKUP, CLUSTER, ITEMS
from tests.json_values import JSON
from tests.unit.contexts import backup_context, restore_context
from tests.unit.dictionary_reader import DictionaryReader

Path = tuple[str | int, ...]
RULED = {
    ("spec", "instancetype", "revisionName"),
    ("spec", "preference", "revisionName"),
    ("metadata", "annotations"),  # made where there were none
    ("metadata", "labels"),
}
OURS = ("velero.kubevirt.io/", "cdi.kubevirt.io/", "kvp.kubevirt.io/", "stillpoint.dev/")
CHANGING = [
    entry
    for entry in every(catalogue)
    if isinstance(entry, BackupEntry | RestoreEntry)
    and any(entry.name.endswith(f"-{end}") for end in ITEMS)
]
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def archive_for(entry: RestoreEntry) -> list[Item] | None:
    """An empty one for a pool, which is not made where nothing tells its machines."""
    return [] if entry.name.endswith("-pool") else None


def sent(entry: BackupEntry | RestoreEntry, data: bytes) -> bytes:
    """What Velero gets back for an item: bytes in, bytes out."""
    item = payload.decode_item(data, "item")
    reader = DictionaryReader(CLUSTER)
    if isinstance(entry, RestoreEntry):
        outcome = entry.action.execute(
            item, restore_context({}, item, reader, archive=archive_for(entry))
        )
        return payload.encode_changed(outcome.item, item, data)
    context = backup_context(BACKUP, reader)
    return payload.encode_changed(entry.action.execute(item, context).item, item, data)


def item_for(entry: BackupEntry | RestoreEntry) -> Item:
    return next(item for end, item in ITEMS.items() if entry.name.endswith(f"-{end}"))


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every object in an object."""
    if isinstance(value, dict):
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def grown(value: Any, path: Path, extra: dict[str, Any]) -> Any:
    """A copy with unknown fields at one place, in front of what is there."""
    if not path:
        return {**extra, **value}
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: grown(value[key], tuple(rest), extra)}
    return [grown(e, tuple(rest), extra) if i == key else e for i, e in enumerate(value)]


def differences(was: Any, now: Any, path: Path = ()) -> Iterator[Path]:
    """Where two values differ, in value, type or order of keys, but for what a rule names."""
    if path in RULED and was is None:
        return
    if path[:1] == ("metadata",) and len(path) == 3 and str(path[2]).startswith(OURS):
        return
    if isinstance(was, dict) and isinstance(now, dict):
        kept = [key for key in now if key in was]
        if kept != [key for key in was if key in now]:
            yield path
        for key in was | now:
            missing = None if (*path, key) in RULED else "missing"
            yield from differences(was.get(key, missing), now.get(key, missing), (*path, key))
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from differences(one, other, (*path, index))
    elif was != now or type(was) is not type(now):
        yield path


@pytest.mark.parametrize("entry", CHANGING, ids=lambda entry: entry.name)
@MANY
@given(data=st.data(), extra=JSON, key=st.text(max_size=6))
def test_fields_that_are_newer_than_we_survive_at_every_depth(
    entry: BackupEntry | RestoreEntry, data: st.DataObject, extra: Any, key: str
) -> None:
    base = item_for(entry)
    place = data.draw(st.sampled_from([p for p in places(base) if p[:2] != ("metadata", "labels")]))
    item = grown(base, place, {f"newer{key}": extra})
    out = payload.decode_item(sent(entry, payload.encode_item(item)), "answer")
    assert list(differences(item, out)) == []


@pytest.mark.parametrize("entry", CHANGING, ids=lambda entry: entry.name)
def test_an_object_of_five_megabytes_comes_through(entry: BackupEntry | RestoreEntry) -> None:
    large = {"newer": [{"text": "ünï©ode 🐎" * 50, "number": 2**53 + 1 + n} for n in range(7_000)]}
    item = grown(item_for(entry), ("spec",), large)
    data = payload.encode_item(item)
    assert len(data) > 5_000_000
    out = payload.decode_item(sent(entry, data), "answer")
    assert list(differences(item, out)) == []


@pytest.mark.parametrize("depth", [300, 1_100, 9_900])
@pytest.mark.parametrize("entry", CHANGING, ids=lambda entry: entry.name)
def test_an_object_as_deep_as_velero_passes_comes_through(
    entry: BackupEntry | RestoreEntry, depth: int
) -> None:
    deep = b'{"d":' * depth + b'"x"' + b"}" * depth
    base = payload.encode_item(grown(item_for(entry), ("spec",), {"newer": "here"}))
    plain = sent(entry, base)
    answer = sent(entry, base.replace(b'"here"', deep))
    assert answer == plain.replace(b'"here"', deep)


@pytest.mark.parametrize("entry", CHANGING, ids=lambda entry: entry.name)
def test_what_an_action_leaves_alone_comes_back_as_the_bytes_that_came(
    entry: BackupEntry | RestoreEntry,
) -> None:
    spaced = orjson.dumps(item_for(entry), option=orjson.OPT_INDENT_2)
    answer = sent(entry, spaced)
    is_changed = payload.decode_item(answer, "answer") != item_for(entry)
    assert (answer == spaced) is not is_changed


def test_the_comparison_sees_what_is_lost() -> None:
    was = {"a": 2**53 + 1, "b": {"c": [1, None]}, "d": ""}
    assert list(differences(was, {"a": 2**53, "b": {"c": [1, None]}, "d": ""})) == [("a",)]
    assert list(differences(was, {"a": 2**53 + 1, "d": "", "b": {"c": [1, None]}})) == [()]
    assert list(differences(was, {"a": 2**53 + 1, "b": {"c": [1]}, "d": ""})) == [("b", "c")]
    assert list(differences(was, {"a": 2**53 + 1, "b": {"c": [1, None]}})) == [("d",)]
