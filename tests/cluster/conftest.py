"""Fixtures: one cluster for the whole session.

Tests leave their namespaces behind: to delete one takes 6 s, and the cluster goes with all of them.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.capture import CaptureManager

from tests.cluster import rights
from tests.cluster.cluster import Cluster
from tests.peers import build

if TYPE_CHECKING:  # it uses this module
    from tests.cluster.guest_life import Copies, Life


@pytest.fixture(scope="session")
def cluster_without_velero(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Control plane, node and storage; Velero is started by those who need it."""
    report = line_writer(request.config)
    for program in build.PROGRAMS:
        build.binary(program.name, report)
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    except BaseException:
        report(f"logs of the cluster: {kept_logs(cluster, request.config)}")
        raise
    else:
        if request.session.testsfailed:
            report(f"logs of the cluster: {kept_logs(cluster, request.config)}")
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def cluster(cluster_without_velero: Cluster) -> Iterator[Cluster]:
    """The whole cluster, with Velero and the plugin under test, whose rights were enough."""
    cluster_without_velero.start_velero()
    yield cluster_without_velero
    rights.assert_enough(cluster_without_velero)


@pytest.fixture(scope="session")
def life(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Life":
    """The life of a booted guest, which takes minutes: once for all who look at it."""
    from tests.cluster import guest_life  # noqa: PLC0415

    return guest_life.lived(cluster, request, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def copies(life: "Life") -> "Copies":
    """What restored machines of that guest tell."""
    from tests.cluster import guest_life  # noqa: PLC0415

    return guest_life.copied(life)


def line_writer(config: pytest.Config) -> build.Report:
    """What puts a line on the terminal from any process, although output is captured."""
    capture: CaptureManager | None = config.pluginmanager.get_plugin("capturemanager")

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            sys.stderr.write(f"\n{line}\n")  # after dots without an end

    return write


def kept_logs(cluster: Cluster, config: pytest.Config) -> Path:
    """$STILLPOINT_TEST_LOGS, or a folder in pytest's cache that the next failure replaces."""
    named = os.environ.get("STILLPOINT_TEST_LOGS")
    folder = Path(named) if named else config.cache.mkdir("cluster-logs")
    if not named:
        shutil.rmtree(folder)
    cluster.keep_logs(folder)
    return folder
