"""docs/guest/drivers.md shows a driver that the contract of drivers is run on."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_driver_of_the_page_is_the_one_that_is_tested() -> None:
    page = (ROOT / "docs/guest/drivers.md").read_text()
    (shown,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    driver = (ROOT / "tests/guest/unit/example_driver.py").read_text()
    assert driver.endswith(f'"""\n\n{shown}')
