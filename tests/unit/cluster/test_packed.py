"""What becomes of listed objects while they are kept."""

import tracemalloc
from typing import Any

from msgspec import Raw

from stillpoint.cluster.packed import PackedItems


def pod(name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, **more}


def packed(*items: dict[str, Any]) -> PackedItems:
    kept = PackedItems()
    for item in items:
        kept.append(item)
    return kept


def test_objects_come_out_as_they_went_in_and_in_their_order() -> None:
    items = [pod("b", spec={"newer": [None, "ü", 2**53 + 1, {}]}), pod("a")]
    kept = packed(*items)
    assert (list(kept), len(kept)) == (items, 2)
    assert list(kept[0]) == ["kind", "metadata", "spec"]
    assert kept[1:] == items[1:]


def test_only_the_managed_fields_are_left_out_and_the_object_itself_is_as_it_was() -> None:
    seen = pod("a")
    seen["metadata"]["managedFields"] = [{"manager": "virt-controller"}]
    assert list(packed(seen)) == [pod("a")]
    assert "managedFields" in seen["metadata"]


def test_an_object_of_which_nothing_has_been_read_is_kept_as_one_that_has() -> None:
    metadata = b'{"name":"a","managedFields":[{"manager":"virt-controller"}],"namespace":"shop"}'
    kept = packed({"kind": Raw(b'"Pod"'), "metadata": Raw(metadata)}, {"metadata": Raw(b"null")})
    assert list(kept) == [pod("a"), {"metadata": None}]


def test_an_object_that_is_asked_for_twice_is_unpacked_once() -> None:
    kept = packed(pod("a"))
    assert kept[0] is kept[0]


def test_an_object_takes_no_more_room_than_its_text() -> None:
    text = "x" * 100_000
    tracemalloc.start()
    try:
        kept = packed(pod("a", spec={"text": text}))
        taken, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept[0]["spec"]["text"] == text
    assert len(text) < taken < len(text) * 1.05
