"""What the tests of the wire share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.executables import plugin_for_tests
from tests.wire.running import Running, running


@pytest.fixture
def plugin_file(tmp_path: Path) -> Path:
    """The executable of the plugin with test actions."""
    return plugin_for_tests(tmp_path / "plugins")


@pytest.fixture
def plugin(plugin_file: Path) -> Iterator[Running]:
    """That plugin, running."""
    with running(plugin_file, "--log-level=debug") as started:
        yield started
