"""The agent's unit tests on every Python that guests may have and this machine has."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.6", "3.9", "3.13")  # the oldest, RHEL 9's, the newest that is common here
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
UNIT_TESTS = ("-Bm", "unittest", "discover", "--start", "tests/guest/unit", "--top", ".")
Runs = dict[str, "subprocess.Popen[str]"]


def interpreter(version: str) -> str | None:
    found = sorted(PYENV.glob(f"{version}.*/bin/python"))
    return str(found[-1]) if found else shutil.which(f"python{version}")


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """All of them side by side: they wait more than they work."""
    started = {
        version: subprocess.Popen(
            [python, *UNIT_TESTS],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for version in VERSIONS
        if (python := interpreter(version))
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_agent_works_on_python(version: str, runs: Runs) -> None:
    if version not in runs:
        pytest.skip(f"no Python {version} on this machine")
    errors = runs[version].communicate(timeout=300)[1]
    assert runs[version].returncode == 0, errors
    assert "Ran 0 tests" not in errors
