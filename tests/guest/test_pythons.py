"""The agent's unit tests on every Python that guests may have and this machine has."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.6", "3.9", "3.13")  # the oldest, RHEL 9's, the newest that is common here
PYENV = Path.home() / ".pyenv/versions"


def interpreter(version: str) -> str | None:
    found = sorted(PYENV.glob(f"{version}.*/bin/python"))
    return str(found[-1]) if found else shutil.which(f"python{version}")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_agent_works_on_python(version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    words = ("-Bm", "unittest", "discover", "--start", "tests/guest/unit", "--top", ".")
    done = subprocess.run(
        [python, *words], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr
    assert "Ran 0 tests" not in done.stderr
