"""What a guest says of itself is data, and of that guest alone."""

from typing import Any

import pytest

from stillpoint.resources.machines import virtual_machine_instance


def instance(name: str, system: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"guestOSInfo": system}}


@pytest.mark.parametrize(
    "system",
    [
        {},
        {"id": ""},
        {"id": "x" * 1_000_000},
        {"id": "mswindows; reboot\x1b[2J"},
    ],
)
def test_what_a_guest_says_of_its_system_is_one_word(system: Any) -> None:
    assert not virtual_machine_instance.is_windows(instance("db", system))


def test_what_a_guest_says_is_of_that_guest_alone() -> None:
    windows, other = instance("db", {"id": "mswindows"}), instance("web", {"id": "debian"})
    assert virtual_machine_instance.is_windows(windows)
    assert not virtual_machine_instance.is_windows(other)
