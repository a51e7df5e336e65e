"""Lists of names in errors and warnings."""

from stillpoint.model.names import listing


def test_a_dozen_names_are_told_and_how_many_more_there_are() -> None:
    names = [f"vm{number}" for number in range(300)]
    assert listing([]) == ""
    assert listing(names[:2], " and ") == "vm0 and vm1"
    assert listing(names[:12]) == ", ".join(names[:12])
    assert listing(iter(names)) == f"{', '.join(names[:12])} and 288 more"
