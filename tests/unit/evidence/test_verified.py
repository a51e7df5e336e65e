"""Verifications as they are kept with their backup: whose count, and which stay."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillpoint.evidence import sealed, verified
from stillpoint.evidence.sealed import Key
from stillpoint.evidence.verified import ANNOTATION, Agreement, CameBack, Verification
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item

AT = datetime(2026, 11, 27, 6, tzinfo=UTC)
LATE = datetime(2100, 1, 1, tzinfo=UTC)
GOOD = Verification(AT, CameBack.APPLICATION, CameBack.APPLICATION, Agreement.CONFIRMED, 48.5)
BAD = Verification(AT, CameBack.GUEST, CameBack.GUEST, Agreement.CONTRADICTED, 9, "another record")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
verifications = st.builds(
    Verification,
    st.integers(1_600_000_000, 2_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)),
    st.sampled_from(CameBack),
    st.sampled_from(CameBack),
    st.sampled_from(Agreement),
    st.integers(0, 6_000_000).map(lambda tenths: tenths / 10),
    texts,
)


def backup(text: object = None, uid: str = "b-1") -> Item:
    annotations = {} if text is None else {ANNOTATION: text}
    names = {"name": "nightly", "namespace": "velero", "uid": uid}
    return {"kind": "Backup", "metadata": {**names, "annotations": annotations}}


def kept(*found: dict[str, Verification], uid: str = "b-1") -> Item:
    """The Backup after one run with each of these."""
    item = backup(uid=uid)
    for one in found:
        item = backup(verified.annotation(item, one, LATE), uid)
    return item


@given(st.dictionaries(texts, verifications, max_size=4))
def test_what_is_kept_is_read(found: dict[str, Verification]) -> None:
    assert verified.of(kept(found)) == found


def test_a_backup_without_the_annotation_has_none() -> None:
    assert verified.of(backup()) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"machines": {}},
        {"v": 2},
        {"seal": ""},
        {"more": 1},
        {"machines": {"shop/db": {"cameBack": "application"}}},
    ],
)
def test_what_nobody_has_sealed_is_refused_and_replaced(change: dict[str, object]) -> None:
    stored = orjson.loads(verified.annotation(backup(), {"shop/db": GOOD}, LATE)) | change
    item = backup(orjson.dumps(stored).decode())
    with pytest.raises(MalformedItem, match=r"Backup velero/nightly.*under the seal"):
        verified.of(item)
    renewed = backup(verified.annotation(item, {"shop/web": BAD}, LATE))
    assert verified.of(renewed) == {"shop/web": BAD}


@pytest.mark.parametrize(
    "facts",
    [
        {"cameBack": "splendidly"},
        {"agreement": 1},
        {"at": "noon"},
        {"at": "2026-11-27T06:00:00"},
        {"seconds": -1},
        {"seconds": 1e12},
        {"seconds": None},
    ],
)
def test_what_is_sealed_and_no_verification_is_refused(facts: dict[str, object]) -> None:
    stored = orjson.loads(verified.annotation(backup(), {"shop/db": GOOD}, LATE))
    entry = stored["machines"]["shop/db"] | facts
    text = sealed.text(ANNOTATION, {"machines": {"shop/db": entry}}, Key("b-1", is_uid=True))
    with pytest.raises(MalformedItem):
        verified.of(backup(text))


@pytest.mark.parametrize("text", ["", "[]", "1", "{", 3, '{"v":1}'])
def test_what_is_no_document_is_refused(text: object) -> None:
    with pytest.raises(MalformedItem):
        verified.of(backup(text))


def test_the_verifications_of_another_backup_are_refused() -> None:
    """Velero copies annotations of a Schedule to its Backups."""
    text = verified.annotation(backup(uid="b-2"), {"shop/db": GOOD}, LATE)
    with pytest.raises(MalformedItem):
        verified.of(backup(text))


def test_the_newest_of_a_machine_stays_and_others_are_left_alone() -> None:
    later = replace(BAD, at=AT + timedelta(hours=1))
    item = kept({"shop/db": GOOD, "shop/web": GOOD}, {"shop/db": later}, {"shop/db": GOOD})
    assert verified.of(item) == {"shop/db": later, "shop/web": GOOD}


@pytest.mark.parametrize(
    ("ahead", "stays"), [(timedelta(seconds=30), True), (timedelta(days=1), False)]
)
def test_a_verdict_of_the_future_is_of_a_clock_that_was_wrong(
    ahead: timedelta, stays: bool
) -> None:
    """It would hide all that is seen until then; clocks of two hosts differ by seconds."""
    known = replace(GOOD, at=AT + ahead)
    text = verified.annotation(kept({"shop/db": known}), {"shop/db": BAD}, AT)
    assert verified.of(backup(text)) == {"shop/db": known if stays else BAD}


def test_the_annotation_is_bounded_and_what_is_bad_stays_then_the_newest() -> None:
    found = {
        f"shop/vm-{number:04}": replace(
            BAD if number < 20 else GOOD, at=AT + timedelta(minutes=number), why="ü" * 999
        )
        for number in range(2000)
    }
    item = kept(found)
    text = item["metadata"]["annotations"][ANNOTATION]
    assert len(text.encode()) <= verified.MOST_BYTES
    read = verified.of(item)
    assert all(f"shop/vm-{number:04}" in read for number in (*range(20), 1999))
    assert "shop/vm-0020" not in read
    assert orjson.loads(text)["more"] == 2000 - len(read)
    assert {len(one.why) for one in read.values()} == {200}


@pytest.mark.parametrize(
    ("one", "is_bad", "is_good"),
    [
        (GOOD, False, True),
        (BAD, True, False),
        (replace(GOOD, came_back=CameBack.NOT), True, False),
        (replace(GOOD, came_back=CameBack.GUEST), False, False),
        (replace(GOOD, came_back=CameBack.UNTRIED), False, False),
        (replace(GOOD, agreement=Agreement.OPEN), False, False),
        (replace(GOOD, agreement=Agreement.NONE), False, True),
        (replace(GOOD, expected=CameBack.BOOTED), False, True),
    ],
)
def test_which_is_good_and_which_is_bad(one: Verification, is_bad: bool, is_good: bool) -> None:
    assert (one.is_bad, one.is_good) == (is_bad, is_good)
