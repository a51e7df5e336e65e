"""Two processes share `make test`: one has the cluster's tests, the other begins with the rest."""

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("untimed")


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """What shares a cluster or servers stays in one process; each file of `unit` goes by itself."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.split("/")[1]
        return file if folder == "unit" else folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    """Called where there are several processes."""
    return ByFolder(config, log)
