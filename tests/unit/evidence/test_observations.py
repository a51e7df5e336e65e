"""Observations and cuts as they are stored for the process that comes after."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillpoint.evidence import observations
from stillpoint.evidence.console import ConsoleLine
from stillpoint.evidence.console import State as Moment
from stillpoint.evidence.document import Span, Statement, Subject
from stillpoint.evidence.observations import (
    MOST_LINES,
    MOST_LOOKS,
    MOST_WATCHES,
    Cut,
    Heard,
    Look,
    Method,
    Observations,
    State,
    Thaw,
)
from stillpoint.evidence.sealed import Key
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.level import Level

KEY = Key("0a4b")
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MACHINE = Subject("VirtualMachine", "db", "m-1")
CLAIM = Subject("PersistentVolumeClaim", "root", "c-1")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
times = st.integers(0, 10**9).map(lambda microseconds: NOON + timedelta(microseconds=microseconds))
lists = st.lists(texts, max_size=2).map(tuple)
flags = st.none() | st.booleans()
states = st.builds(
    State, texts, texts, lists, texts, texts, texts, st.booleans(), st.booleans(), texts
)
lines = st.builds(
    ConsoleLine,
    times,
    st.sampled_from(Moment),
    texts,
    texts,
    st.sampled_from(Level),
    lists,
    st.integers(0, 9),
    st.floats(0, 9),
    st.booleans(),
    texts,
)
all_observed = st.builds(
    Observations,
    texts,
    st.just(MACHINE),
    times,
    times,
    st.booleans(),
    flags,
    flags,
    st.lists(st.builds(Look, times, states, st.none() | times), max_size=2).map(tuple),
    st.lists(st.builds(Span, st.none() | times, st.none() | times), max_size=2).map(tuple),
    st.lists(st.builds(Heard, lines, times, st.booleans()), max_size=2).map(tuple),
    st.lists(st.builds(Thaw, times, st.none() | times), max_size=2).map(tuple),
    st.integers(0, 9),
    flags,
    st.none() | st.lists(times, max_size=2).map(tuple),
    st.none() | lists,
    st.lists(st.builds(Statement, texts, texts, st.none() | times), max_size=2).map(tuple),
)
cuts = st.builds(
    Cut,
    st.just(CLAIM),
    st.none() | times,
    st.none() | times,
    st.sampled_from(Method),
    lists,
    texts,
    texts,
    st.none() | times,
    lists,
)


def annotated(annotation: str, text: object) -> Item:
    metadata = {"name": "s", "namespace": "shop", "annotations": {annotation: text}}
    return {"kind": "VolumeSnapshot", "metadata": metadata}


@given(all_observed)
def test_observations_that_are_stored_are_read(seen: Observations) -> None:
    text = observations.to_annotation(seen, KEY)
    assert observations.observed(annotated(observations.OBSERVED, text), KEY) == seen


@given(cuts)
def test_a_cut_that_is_stored_is_read(cut: Cut) -> None:
    text = observations.to_annotation(cut, KEY)
    assert observations.cut(annotated(observations.CUT, text), KEY) == cut


_AT_ONCE = """
import sys, threading
from stillpoint.evidence import observations
from stillpoint.evidence.sealed import Key

def read():
    barrier.wait()
    observations.observed({"metadata": {"annotations": {observations.OBSERVED: sys.argv[1]}}}, KEY)

KEY, barrier = Key("b1"), threading.Barrier(32)
sys.setswitchinterval(1e-6)
readers = [threading.Thread(target=read) for _ in range(32)]
for one in readers:
    one.start()
for one in readers:
    one.join()
"""


def test_threads_may_read_the_first_at_once() -> None:
    """Without the lock about half of such processes ended by a segmentation fault."""
    seen = Observations("shop", MACHINE, NOON, NOON, looks=(Look(NOON, State()),))
    text = observations.to_annotation(seen, Key("b1"))
    for _ in range(3):
        subprocess.run([sys.executable, "-c", _AT_ONCE, text], check=True)


def test_no_annotation_is_none() -> None:
    assert observations.observed({"metadata": {}}, KEY) is None
    assert observations.cut({"metadata": {}}, KEY) is None


@pytest.mark.parametrize(
    "change",
    [
        {"v": 1},
        {"seal": ""},
        {"not_before": None},
        {"in_block_of": ["db"]},
        {"claim": {"kind": "PersistentVolumeClaim", "name": "other", "uid": "c-1"}},
    ],
)
def test_what_another_has_written_is_refused(change: dict[str, object]) -> None:
    stored = orjson.loads(observations.to_annotation(Cut(CLAIM, NOON, NOON), KEY)) | change
    with pytest.raises(MalformedItem, match=r"VolumeSnapshot shop/s.*under the seal"):
        observations.cut(annotated(observations.CUT, orjson.dumps(stored).decode()), KEY)


@pytest.mark.parametrize("text", ["", "[]", "1", "{", 3, '{"v":1}', "null"])
def test_what_is_no_document_is_refused(text: object) -> None:
    with pytest.raises(MalformedItem):
        observations.observed(annotated(observations.OBSERVED, text), KEY)
    with pytest.raises(MalformedItem):
        observations.cut(annotated(observations.CUT, text), KEY)


def test_a_cut_is_no_observation() -> None:
    text = observations.to_annotation(Cut(CLAIM, NOON, NOON), KEY)
    with pytest.raises(MalformedItem):
        observations.observed(annotated(observations.OBSERVED, text), KEY)


def test_an_annotation_of_another_backup_is_refused() -> None:
    text = observations.to_annotation(Cut(CLAIM, NOON, NOON), Key("other"))
    with pytest.raises(MalformedItem):
        observations.cut(annotated(observations.CUT, text), KEY)


def test_what_is_stored_is_small() -> None:
    line = ConsoleLine(NOON, Moment.RELEASED, "5b0c" * 8, "6" * 36, held_s=1.2, by="thaw")
    held = ConsoleLine(NOON, Moment.HELD, "5b0c" * 8, "6" * 36, applications=("n" * 60,) * 16)
    state = State("u" * 36, "Running", ("l" * 36,), "node-1", "2026-11-27T12:00:00Z")
    seen = Observations(
        "shop",
        MACHINE,
        NOON,
        NOON,
        looks=(Look(NOON, state, NOON),) * MOST_LOOKS,
        watches=(Span(NOON, NOON),) * MOST_WATCHES,
        lines=(Heard(held, NOON, True), *(Heard(line, NOON, True),) * (MOST_LINES - 1)),
    )
    assert len(observations.to_annotation(seen, KEY)) < 12_000
