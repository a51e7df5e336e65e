"""Names, and lists of them in errors and warnings."""

import pytest

from stillpoint.model.names import is_name, listing


@pytest.mark.parametrize("name", ["a", "0", "db-1", "db.shop.example", "a" * 253])
def test_an_object_can_have_the_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a..b", "a.-b", "a-.b", ".", "..", "A", "a_b", "ä", "a/b", "a" * 254]
)
def test_no_object_can_have_the_name(name: str) -> None:
    assert not is_name(name)


def test_a_dozen_names_are_told_and_how_many_more_there_are() -> None:
    names = [f"vm{number}" for number in range(300)]
    assert listing([]) == ""
    assert listing(names[:2], " and ") == "vm0 and vm1"
    assert listing(names[:12]) == ", ".join(names[:12])
    assert listing(iter(names)) == f"{', '.join(names[:12])} and 288 more"
