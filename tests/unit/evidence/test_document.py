"""Evidence of a disk as it is stored, and whose evidence counts."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillpoint.evidence import document
from stillpoint.evidence.document import Event, Evidence, Span, Statement, Subject
from stillpoint.evidence.sealed import Key
from stillpoint.model.errors import MalformedItem
from stillpoint.model.level import Level

KEY = Key("0a4b")
times = st.integers(1_600_000_000_000, 2_000_000_000_000).map(
    lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
subjects = st.builds(Subject, texts, texts, texts)
spans = st.builds(Span, st.none() | times, st.none() | times)
statements = st.builds(Statement, texts, texts, st.none() | times)
evidences = st.builds(
    Evidence,
    subjects,
    subjects,
    st.sampled_from(Level),
    st.sampled_from(Level),
    st.lists(statements, max_size=2).map(tuple),
    st.lists(statements, max_size=2).map(tuple),
    st.lists(texts, max_size=2).map(tuple),
    st.none() | st.sampled_from(Level),
    spans,
    st.none() | spans,
    texts,
    st.lists(texts, max_size=2).map(tuple),
    st.lists(st.builds(Event, times, texts, texts, texts), max_size=2).map(tuple),
    texts,
)
EVIDENCE = Evidence(
    Subject("PersistentVolumeClaim", "root", "c-1"),
    Subject("VirtualMachine", "db", "m-1"),
    Level.FILESYSTEM,
    Level.FILESYSTEM,
    (Statement("frozen", "its filesystems were frozen"),),
)


def snapshot(text: object) -> dict[str, object]:
    annotations = {document.ANNOTATION: text}
    return {
        "kind": "VolumeSnapshot",
        "metadata": {"name": "s", "namespace": "shop", "annotations": annotations},
    }


@given(evidences)
def test_what_is_stored_is_read(evidence: Evidence) -> None:
    assert document.of(snapshot(document.to_annotation(evidence, KEY)), KEY) == evidence


def test_no_annotation_is_no_evidence() -> None:
    assert document.of({"metadata": {}}, KEY) is None


def test_the_order_of_keys_is_free() -> None:
    stored = orjson.loads(document.to_annotation(EVIDENCE, KEY))
    text = orjson.dumps(dict(reversed(stored.items()))).decode()
    assert document.of(snapshot(text), KEY) == EVIDENCE


@pytest.mark.parametrize(
    "change",
    [
        {"level": "application"},
        {"v": 1},
        {"seal": ""},
        {"seal": None},
        {"proofs": [{}]},
        {"cut": {"from": "noon"}},
        {"claim": {"name": "other"}},
        {"more": 1},
    ],
)
def test_what_another_has_written_is_refused(change: dict[str, object]) -> None:
    stored = orjson.loads(document.to_annotation(EVIDENCE, KEY)) | change
    with pytest.raises(MalformedItem, match=r"VolumeSnapshot shop/s.*under the seal"):
        document.of(snapshot(orjson.dumps(stored).decode()), KEY)


@pytest.mark.parametrize("text", ["", "[]", "1", "{", 3, '{"v":1}'])
def test_what_is_no_evidence_is_refused(text: object) -> None:
    with pytest.raises(MalformedItem):
        document.of(snapshot(text), KEY)


def test_a_document_of_another_version_is_refused() -> None:
    """What one sealed with the uid of a backup can say, one with its secret may not."""
    with pytest.raises(MalformedItem):
        document.of(snapshot(document.to_annotation(EVIDENCE, replace(KEY, is_uid=True))), KEY)


def test_evidence_of_another_backup_is_refused() -> None:
    with pytest.raises(MalformedItem):
        document.of(snapshot(document.to_annotation(EVIDENCE, Key("other"))), KEY)
