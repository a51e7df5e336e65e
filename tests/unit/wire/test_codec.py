"""Our nouns as messages of Velero's protocol."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as some

from stillpoint.model.outcome import Progress, Selector
from stillpoint.model.reference import Reference
from stillpoint.wire import codec

TEXTS = some.text(some.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_reference_survives_the_way_out_and_in(
    group: str, resource: str, namespace: str, name: str
) -> None:
    reference = Reference(group, resource, namespace, name)
    assert codec.decode_reference(codec.encode_reference(reference)) == reference


def test_a_selector_names_resources_and_labels() -> None:
    message = codec.encode_selector(Selector(("virtualmachines.kubevirt.io", "pods"), "a=b"))
    assert list(message.includedResources) == ["virtualmachines.kubevirt.io", "pods"]
    assert message.selector == "a=b"
    assert not message.excludedResources


def test_progress_carries_both_times_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    started = datetime(2026, 5, 4, 5, 2, 1, 250_000, tzinfo=east)
    message = codec.encode_progress(Progress(started, updated=started, done=1, total=2))
    assert message.HasField("started")
    assert message.HasField("updated")
    assert message.started.ToDatetime(UTC) == started
    assert (message.nCompleted, message.nTotal) == (1, 2)
    assert not message.completed
