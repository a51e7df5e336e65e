"""What the tests of the wire share."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.build import binary
from tests.wire.executables import plugin_for_tests
from tests.wire.running import Running, running
from tests.wire.velero_filters import Velero


@pytest.fixture
def plugin_file(tmp_path: Path) -> Path:
    """The executable of the plugin with test actions."""
    return plugin_for_tests(tmp_path / "plugins")


@pytest.fixture
def plugin(plugin_file: Path) -> Iterator[Running]:
    """That plugin, running."""
    with running(plugin_file, "--log-level=debug") as started:
        yield started


@pytest.fixture(scope="session")
def velero() -> Iterator[Velero]:
    """Velero's code, ready for questions about filters and policies."""
    with subprocess.Popen(
        [binary("velero-filters")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Velero(process)
