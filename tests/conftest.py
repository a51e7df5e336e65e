"""Three processes share `make test`, as many tests wait; each that wants a cluster has its own."""

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("untimed")

LONGEST = ("guest", "tests/cluster/test_verify.py", "tests/cluster/test_matrix.py")
"""What begins first, one in each process: five to ten minutes, a folder with most of them in waits.
Begun late, it would go on alone while the other processes have nothing left to do."""


def in_one_process(nodeid: str) -> str:
    """What shares servers with a test: a folder; a file of `unit` or `cluster` is by itself."""
    file = nodeid.partition("::")[0]
    folder = file.split("/")[1]
    return file if folder in ("unit", "cluster") else folder


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """What shares servers stays in one process.

    A cluster stands in half a minute, and its tests are most of the time of `make test`.
    """

    def _split_scope(self, nodeid: str) -> str:
        return in_one_process(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    """Called where there are several processes."""
    return ByFolder(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The scheduler hands out what is collected in the order in which it is."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(in_one_process(item.nodeid), len(order)))
