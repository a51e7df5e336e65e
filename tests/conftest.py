"""Two processes share `make test`; each has its own cluster, if it runs tests that want one."""

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("untimed")


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """What shares servers stays in one process; files of `unit` and `cluster` go by themselves.

    A cluster stands in half a minute, and its tests are most of the time of `make test`.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.split("/")[1]
        return file if folder in ("unit", "cluster") else folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    """Called where there are several processes."""
    return ByFolder(config, log)
