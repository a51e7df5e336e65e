"""The request for a snapshot."""

from datetime import UTC, datetime

import pytest

from stillpoint.model.names import is_name
from stillpoint.vm_snapshots import creation
from stillpoint.vm_snapshots.errors import WrongRequest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "sent"),
    [("5m", "5m"), ("300s", "300s"), ("300", "300s"), ("1.5", "1.5s"), ("1m30s", "1m30s")],
)
def test_a_number_alone_is_seconds(given: str, sent: str) -> None:
    assert creation.deadline(given, is_forced=False) == sent


@pytest.mark.parametrize("zero", ["0", "0s", "0m"])
def test_no_deadline_at_all_has_to_be_forced(zero: str) -> None:
    with pytest.raises(WrongRequest, match="stay frozen"):
        creation.deadline(zero, is_forced=False)
    assert creation.deadline(zero, is_forced=True) == "0s"


@pytest.mark.parametrize("wrong", ["soon", "-5m", "5 m", "5M", "", "٣"])
def test_what_is_no_time_is_refused(wrong: str) -> None:
    with pytest.raises(WrongRequest, match="no duration"):
        creation.deadline(wrong, is_forced=True)


def test_names_are_of_the_machine_and_the_moment_however_long() -> None:
    assert creation.name_for("db", NOW) == "db-20260102-030405"
    assert is_name(creation.name_for("d" * 253, NOW))
