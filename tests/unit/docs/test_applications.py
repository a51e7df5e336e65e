"""docs/guest/applications.md has every driver and every method of it."""

import re
from pathlib import Path

import pytest

from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers import DRIVERS

PAGE = (Path(__file__).parents[3] / "docs/guest/applications.md").read_text()


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.KIND)
def test_a_driver_has_its_row(driver: type[Driver]) -> None:
    row = re.search(rf"^\| `{driver.KIND}`.*\n(\| \|.*\n)*", PAGE, re.MULTILINE)
    assert row
    assert not [method for method in driver.METHODS if f"`{method}`" not in row[0]]
